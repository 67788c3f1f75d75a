/**
 * The dispatcher alone, between queues of the test's own: how much it does for a message, and what it still waits for.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../../src/base/Limits.ts"
import { replicaId, uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import type * as Members from "../../src/members/Members.ts"
import { type ClientConnection, dequeued, makeClientConnection } from "../../src/node/ClientConnection.ts"
import { askReplica } from "../../src/node/Asking.ts"
import { Dispatcher } from "../../src/node/Dispatcher.ts"
import { Intake } from "../../src/node/Intake.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import {
  type DispatcherInput, type LocalReplica, makeAnnouncements, makeDispatcherInbox, makeReplicaInbox, nothingWaits
} from "../../src/node/Queues.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"
import { type Configuration, makeConfiguration } from "../../src/vr/Configuration.ts"
import type { ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import type { ClientRequest, Reply } from "../../src/vr/Replica.ts"
import { type ClientMessage, decodeServerMessage, type Outcome, type ServerMessage } from "../../src/wire/ClientProtocol.ts"

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
    const member = { id, name, cluster: at(2000), admin: at(2001), client: at(2002), peer: at(2003) }
    members.set(id, { id, tag: 1, member, drains: 0, gone: null })
  }
  return members
}

const makeTenant = (name: string): Tenants.Tenant => {
  const replicas = nodes.map((node, index) => ({ name: `r${index + 1}`, node }))
  const created = Tenants.create(Tenants.noTenants, {
    id: uuid(random), name, replicas, durability: "memory", coordinator: "n1"
  })
  if (!created.ok) throw new Error(created.reason)
  return { ...created.tenant, confirmed: true }
}

/** Of node n1. */
const makeWorld = Effect.gen(function*() {
  const inbox = yield* makeDispatcherInbox
  const metrics = yield* Metrics
  /** The nodes that something was sent to. */
  const sentTo: Array<string> = []
  const send = (node: string) => void sentTo.push(node)
  const peers = { isConnected: () => true, send, flush: () => {}, nudge: () => {}, reconcile: () => Effect.void }
  const announcements = yield* makeAnnouncements
  const dispatcher = new Dispatcher({ node: "n1", inbox, peers, announcements, intake: new Intake(), metrics })
  yield* Effect.forkScoped(dispatcher.run)
  return {
    announcements,
    dispatcher,
    metrics,
    sentTo,
    /** Returns once all of it is dealt with. */
    tell: (...inputs: ReadonlyArray<DispatcherInput>) =>
      Effect.gen(function*() {
        yield* Queue.offerAll(inbox, inputs)
        // The first answer comes in the middle of a turn, the second in a later one.
        for (let turn = 0; turn < 2; turn++) {
          yield* askReplica<ReplicaStatus>(inbox, "none", (answer) => ({ _tag: "Inspect", answer }), 1_000)
        }
      })
  }
}).pipe(Effect.provide(Metrics.layer))

const says = (connection: ClientConnection, ...messages: ReadonlyArray<ClientMessage>): DispatcherInput =>
  ({ _tag: "FromClient", connection, messages })

/** Its outbox is not emptied by anybody. */
const client = { remote: "client", sendNow: () => false }
const makeConnection = makeClientConnection(1, client, { bytes: 0 })

/** The one of node n1. */
const makeReplica = (tenant: Tenants.Tenant): Effect.Effect<LocalReplica> =>
  Effect.map(makeReplicaInbox, (inbox) => ({ tenant: tenant.id, id: replicaId(tenant.replicas[0]!), inbox, waiting: nothingWaits }))

const groupOf = ({ epoch, replicas }: Tenants.Tenant): Configuration => makeConfiguration(epoch, replicas.map(replicaId))

/** What the replica was handed. */
const requestsTo = ({ inbox }: LocalReplica): Effect.Effect<ReadonlyArray<ClientRequest>> =>
  Effect.map(Queue.clear(inbox), (inputs) =>
    inputs.flatMap((input) => input._tag === "Requests" ? input.requests : []))

const replies = (
  replica: LocalReplica,
  requests: ReadonlyArray<ClientRequest>,
  answer: Partial<Reply>
): DispatcherInput => ({
  _tag: "FromReplica",
  replica,
  sends: [],
  replies: requests.map((request) => ({
    to: request.to,
    kind: request.kind,
    request: request.kind === "register" ? 0 : request.request,
    status: "ok",
    result: new Uint8Array(1),
    session: 0,
    primary: null,
    ...answer
  }))
})

const heard = ({ outbox }: ClientConnection): Effect.Effect<ReadonlyArray<ServerMessage>> =>
  Effect.map(Queue.clear(outbox), (frames) =>
    frames.map((frame) => {
      const message = decodeServerMessage(frame.subarray(4))
      if (message._tag === "Malformed") throw new Error(message.reason)
      return message
    }))

const attach = (tenant: Tenants.Tenant, channel = 1): ClientMessage =>
  ({ _tag: "Attach", channel, tenant: tenant.id, session: 6 + channel })

const write = (request: number, channel = 1): ClientMessage =>
  ({ _tag: "Write", channel, request, answered: 0, operation: new Uint8Array(1) })

const read = (id: number, channel = 1): ClientMessage =>
  ({ _tag: "Read", channel, id, operation: new Uint8Array(1) })

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

describe("who a replica's words are for", () => {
  it.effect("is looked up, in tables of the newest topology", () =>
    Effect.gen(function*() {
      const { sentTo, tell } = yield* makeWorld
      const connection = yield* makeConnection
      const members = makeMembers()
      const tenant = makeTenant("t")
      const replica = yield* makeReplica(tenant)
      yield* tell(topology(members, tenant), { _tag: "ReplicaStarted", replica, group: groupOf(tenant) }, says(connection, attach(tenant)))
      const known = members.readings
      yield* tell(says(connection, ...Array.from({ length: 100 }, (_, index) => write(index + 1))))
      const requests = yield* requestsTo(replica)
      yield* tell(replies(replica, requests, { status: "not primary", result: null, primary: "r2::n2" }))
      const answers = yield* heard(connection)
      assert.strictEqual(answers.length, 100)
      for (const [index, answer] of answers.entries()) {
        assert.deepStrictEqual(answer, {
          _tag: "Written", channel: 1, request: index + 1, outcome: { _tag: "Redirect", address: "n2:2002", node: "n2" }
        })
      }
      const message = { _tag: "StartViewChange", view: 1, probing: true } as const
      const sends = ["r2::n2", "r3::n3", "no id"].map((to) => ({ to, epoch: 0, message }))
      yield* tell({ _tag: "FromReplica", replica, sends, replies: [] })
      assert.deepStrictEqual(sentTo, ["n2", "n3"])
      assert.strictEqual(members.readings, known)
    }).pipe(Effect.scoped))
})

describe("a group that changes", () => {
  it.effect("is told of, as it is when a replica starts and after each change, and its nodes are the ones that are missed", () =>
    Effect.gen(function*() {
      const { announcements, tell } = yield* makeWorld
      const tenant = makeTenant("t")
      const replica = yield* makeReplica(tenant)
      const next = makeConfiguration(1, ["r1::n1", "r4::n4"])
      yield* tell({ _tag: "ReplicaStarted", replica, group: groupOf(tenant) }, { _tag: "GroupChanged", replica, group: next })
      const told = yield* Queue.takeAll(announcements)
      assert.deepStrictEqual(told, [{ tenant: tenant.id, group: groupOf(tenant) }, { tenant: tenant.id, group: next }])
      yield* tell({ _tag: "NodeLost", node: "n2" }, { _tag: "NodeLost", node: "n4" })
      assert.deepStrictEqual(yield* Queue.takeAll(replica.inbox), [{ _tag: "PeerLost", replica: "r4::n4" }])
    }).pipe(Effect.scoped))

  it.effect("is asked for at its nodes, one after the other, for a replica that stays behind what the registry says", () =>
    Effect.gen(function*() {
      const { sentTo, tell } = yield* makeWorld
      const tenant = makeTenant("t")
      const replica = yield* makeReplica(tenant)
      const [r5, r6] = [{ name: "r5", node: "n5" }, { name: "r6", node: "n6" }]
      const ticks = (count: number) => Array.from({ length: count }, (): DispatcherInput => ({ _tag: "Tick" }))
      yield* tell({ _tag: "ReplicaStarted", replica, group: groupOf(tenant) }, topology(makeMembers(), tenant))
      yield* tell(...ticks(3 * Limits.laggard_ticks))
      assert.deepStrictEqual(sentTo, [])
      yield* tell(topology(makeMembers(), { ...tenant, epoch: 3, replicas: [r5, r6] }), ...ticks(2 * Limits.laggard_ticks))
      assert.deepStrictEqual(sentTo, ["n6", "n5"])
      yield* tell({ _tag: "GroupChanged", replica, group: makeConfiguration(3, ["r5::n5", "r6::n6"]) }, ...ticks(Limits.laggard_ticks))
      assert.deepStrictEqual(sentTo, ["n6", "n5"])
    }).pipe(Effect.scoped))

  it.effect("is nothing to tell of once its replica has stopped here", () =>
    Effect.gen(function*() {
      const { announcements, tell } = yield* makeWorld
      const tenant = makeTenant("t")
      const replica = yield* makeReplica(tenant)
      yield* tell(
        { _tag: "ReplicaStarted", replica, group: groupOf(tenant) },
        { _tag: "ReplicaStopped", replica },
        { _tag: "GroupChanged", replica, group: makeConfiguration(1, ["r1::n1"]) }
      )
      assert.strictEqual(Queue.sizeUnsafe(announcements), 1)
    }).pipe(Effect.scoped))
})

describe("what a graceful stop waits for", () => {
  /** Answers may be wanted on channel 1, of session 7. */
  const makeWaiting = Effect.gen(function*() {
    const { dispatcher, tell } = yield* makeWorld
    const connection = yield* makeConnection
    const tenant = makeTenant("t")
    const replica = yield* makeReplica(tenant)
    const started = { _tag: "ReplicaStarted" as const, replica, group: groupOf(tenant) }
    yield* tell(topology(makeMembers(), tenant), started, says(connection, attach(tenant)))
    /** Everything that was queued for the client has been written. */
    const inFlight = Effect.sync(() => {
      dequeued(connection, connection.outboxBytes)
      return dispatcher.inFlight
    })
    return { connection, inFlight, replica, tell, tenant }
  })

  it.effect("is every answer that a client waits for, once", () =>
    Effect.gen(function*() {
      const { connection, inFlight, replica, tell } = yield* makeWaiting
      const nonce = new Uint8Array(Limits.session_nonce_bytes)
      yield* tell(says(connection, write(1), write(2), read(1), read(1), {
        _tag: "Open", channel: 2, tenant: replica.tenant, nonce
      }))
      assert.strictEqual(yield* inFlight, 5)
      const requests = yield* requestsTo(replica)
      for (let left = requests.length; left > 0; left--) {
        yield* tell(replies(replica, requests.slice(left - 1, left), { session: 9 }))
        assert.strictEqual(yield* inFlight, left - 1)
      }
    }).pipe(Effect.scoped))

  it.effect("is not a second answer to a write that was sent twice", () =>
    Effect.gen(function*() {
      const { connection, inFlight, replica, tell } = yield* makeWaiting
      yield* tell(says(connection, write(1)), says(connection, write(1), write(2)))
      // The core answers whoever asked last.
      yield* tell(replies(replica, (yield* requestsTo(replica)).slice(1), {}))
      assert.strictEqual(yield* inFlight, 0)
    }).pipe(Effect.scoped))

  it.effect("is no answer to whoever asked for a write before somebody else did: a session that has moved", () =>
    Effect.gen(function*() {
      const { connection, inFlight, replica, tell, tenant } = yield* makeWaiting
      const moved = yield* makeClientConnection(2, client, { bytes: 0 })
      yield* tell(says(connection, write(1)), says(moved, attach(tenant), write(1)))
      assert.strictEqual(yield* inFlight, 1)
      yield* tell(replies(replica, (yield* requestsTo(replica)).slice(1), {}))
      dequeued(moved, moved.outboxBytes)
      assert.strictEqual(yield* inFlight, 0)
    }).pipe(Effect.scoped))

  it.effect("is no answer of a replica that has stopped, or on a channel that was closed", () =>
    Effect.gen(function*() {
      const { connection, inFlight, replica, tell, tenant } = yield* makeWaiting
      yield* tell(says(connection, write(1), read(1), attach(tenant, 2), write(2, 2)))
      assert.strictEqual(yield* inFlight, 3)
      yield* tell(says(connection, { _tag: "Close", channel: 2 }))
      assert.strictEqual(yield* inFlight, 2)
      yield* tell({ _tag: "ReplicaStopped", replica })
      assert.strictEqual(yield* inFlight, 0)
    }).pipe(Effect.scoped))
})

it.effect("a tenant that was withdrawn does not exist any more: nobody is told to ask again", () =>
  Effect.gen(function*() {
    const { tell } = yield* makeWorld
    const connection = yield* makeConnection
    const members = makeMembers()
    const [one, two] = [makeTenant("one"), makeTenant("two")]
    const withdrawn = [one, two].map((tenant): Tenants.Tenant => ({ ...tenant, withdrawn: true }))
    const replica = yield* makeReplica(one)
    const started = { _tag: "ReplicaStarted" as const, replica, group: groupOf(one) }
    yield* tell(topology(members, one, two), started, says(connection, attach(one)))
    yield* tell(topology(members, ...withdrawn), { _tag: "ReplicaStopped", replica })
    const gone = (tenant: Tenants.Tenant): Outcome =>
      ({ _tag: "NoTenant", message: `tenant ${JSON.stringify(tenant.id)} does not exist` })
    assert.deepStrictEqual(yield* heard(connection), [{ _tag: "Failed", channel: 1, outcome: gone(one) }])
    yield* tell(says(connection, attach(one), attach(two, 2)))
    assert.deepStrictEqual(yield* heard(connection), [
      { _tag: "Failed", channel: 1, outcome: gone(one) },
      { _tag: "Failed", channel: 2, outcome: gone(two) }
    ])
  }).pipe(Effect.scoped))
