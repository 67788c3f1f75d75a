/**
 * The dispatcher alone, between queues of the test's own: how much it does for a message, and what it still waits for.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Members from "../../src/members/Members.ts"
import { type ClientConnection, makeClientConnection } from "../../src/node/ClientConnection.ts"
import { Dispatcher } from "../../src/node/Dispatcher.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { type DispatcherInput, makeDispatcherInbox } from "../../src/node/Queues.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"
import type { ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import type { ClientMessage } from "../../src/wire/ClientProtocol.ts"

const random = seeded(1)
const nodes = ["n1", "n2", "n3"]

/** Members of which it is counted how often somebody goes through them. */
class CountedMembers extends Map<string, Members.MemberRecord> {
  readings = 0
  override values() {
    this.readings++
    return super.values()
  }
}

const makeMembers = (): CountedMembers => {
  const members = new CountedMembers()
  for (const name of nodes) {
    const [id, at] = [uuid(random), (port: number) => `${name}:${port}`]
    members.set(id, { id, tag: 1, member: { id, name, cluster: at(2000), admin: at(2001), client: at(2002), peer: at(2003) } })
  }
  return members
}

const makeTenant = (name: string): Tenants.Tenant => {
  const replicas = nodes.map((node, index) => ({ name: `r${index + 1}`, node }))
  const created = Tenants.create(Tenants.noTenants, { id: uuid(random), name, replicas, coordinator: "n1" })
  if (!created.ok) throw new Error(created.reason)
  return created.tenant
}

/** Of node n1. */
const makeWorld = Effect.gen(function*() {
  const inbox = yield* makeDispatcherInbox
  const metrics = yield* Metrics
  const peers = { isConnected: () => true, send: () => {}, nudge: () => {}, reconcile: () => Effect.void }
  const dispatcher = new Dispatcher({ node: "n1", inbox, peers, metrics })
  yield* Effect.forkScoped(dispatcher.run)
  return {
    dispatcher,
    metrics,
    /** Returns once all of it is dealt with. */
    tell: (...inputs: ReadonlyArray<DispatcherInput>) =>
      Effect.gen(function*() {
        yield* Queue.offerAll(inbox, inputs)
        // The first answer comes in the middle of a turn, the second in a later one.
        for (let turn = 0; turn < 2; turn++) {
          const answer = yield* Deferred.make<ReplicaStatus | null>()
          yield* Queue.offer(inbox, { _tag: "Inspect", tenant: "none", answer })
          yield* Deferred.await(answer)
        }
      })
  }
}).pipe(Effect.provide(Metrics.layer))

const says = (connection: ClientConnection, ...messages: ReadonlyArray<ClientMessage>): DispatcherInput =>
  ({ _tag: "FromClient", connection, messages })

const makeConnection = makeClientConnection(1, "client", { bytes: 0 })

const listings = (count: number): ReadonlyArray<ClientMessage> =>
  Array.from({ length: count }, (_, id) => ({ _tag: "Tenants", id }))

const topology = (members: Members.Members, ...tenants: ReadonlyArray<Tenants.Tenant>): DispatcherInput =>
  ({ _tag: "Topology", members, tenants: new Map(tenants.map((tenant) => [tenant.id, tenant])) })

describe("many requests for the list of tenants", () => {
  const tenants = Array.from({ length: Limits.tenants_max }, (_, index) => makeTenant(`t${index}`))

  it.effect("cost one look at the members, and memory for one list", () =>
    Effect.gen(function*() {
      const { tell } = yield* makeWorld
      const connection = yield* makeConnection
      const members = makeMembers()
      yield* tell(topology(members, ...tenants), says(connection, ...listings(1)))
      const { readings } = members
      yield* tell(says(connection, ...listings(100)))
      assert.strictEqual(members.readings, readings)
      assert.isAtMost(readings, 2)
      const frames = yield* Queue.takeAll(connection.outbox)
      const large = frames.filter(({ length }) => length > 1_000)
      assert.strictEqual(large.length, 101)
      assert.strictEqual(new Set(large).size, 1)
    }).pipe(Effect.scoped))

  it.effect("from a client that does not read them: nothing more is done for it after it was cut off", () =>
    Effect.gen(function*() {
      const { metrics, tell } = yield* makeWorld
      const connection = yield* makeConnection
      yield* tell(topology(makeMembers(), ...tenants), says(connection, ...listings(1)))
      const most = Math.ceil(Limits.connection_outbox_bytes_max / connection.outboxBytes)
      yield* tell(says(connection, ...listings(10 * most)))
      assert.include(connection.fault, "does not read")
      assert.isAtMost(metrics.client_replies, most + 1)
      assert.isAtMost(metrics.client_messages, most + 1)
      yield* tell(says(connection, { _tag: "Ping", id: 1 }))
      assert.isAtMost(metrics.client_messages, most + 1)
    }).pipe(Effect.scoped))
})
