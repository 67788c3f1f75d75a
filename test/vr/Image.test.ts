/**
 * A group that begins with the data of a snapshot: of another tenant, without its sessions, at its op.
 *
 * @module
 */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { ClientTable } from "../../src/vr/ClientTable.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import type { ClientRequest } from "../../src/vr/Replica.ts"
import { appendResult, get, readResult } from "../simulation/Register.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { partsOf } from "../wire/SnapshotOf.ts"
import { Group } from "./Group.ts"
import { One, timers, to, write } from "./One.ts"

let release = (): void => {}
beforeEach(() => {
  release = squeeze({ snapshot_log_bytes_min: 400, snapshot_part_bytes_max: 60 })
})
afterEach(() => release())

const register = (nonce: number): ClientRequest => ({ kind: "register", to, nonce: new Uint8Array(16).fill(nonce) })
const read: ClientRequest = { kind: "read", to, request: 0, operation: get("k") }

/** Of a tenant with a session and thirty appends. */
const parts = (() => {
  const old = One.start("R0", 1)
  old.ask(register(1))
  for (let request = 1; request <= 30; request++) old.ask(write(1, request, `old-${request}`))
  assert.strictEqual(old.replica.commit, 31)
  return partsOf(takeSnapshot({ ...old.replica, clients: new ClientTable() }))
})()
const image_op = 31

const begin = (...ids: ReadonlyArray<string>) => new Group(ids.map((id) => One.begin(id, parts)))
const all = ["R0", "R1", "R2"]

/** A session, and its first write. */
const writes = (group: Group, id: string, tag: string, nonce = 7) => {
  const session = group.ask(id, register(nonce))[0]!.session
  return { session, ...appendResult(group.ask(id, write(session, 1, tag))[0]!.result!) }
}

describe("a replica that begins with a snapshot", () => {
  it("is normal in view 0, at the op of the snapshot, and its log begins behind it", () => {
    for (const id of all) {
      const { replica } = One.begin(id, parts)
      assert.deepInclude(replica, { view: 0, logView: 0, commit: image_op, durable: image_op })
      assert.deepStrictEqual([replica.log.base, replica.log.op, replica.clients.size], [image_op, image_op, 0])
      assert.strictEqual(replica.state._tag, id === "R0" ? "Primary" : "Backup")
      assert.strictEqual(replica.snapshot?.op, image_op)
    }
  })

  it("serves reads and writes, whose ops and times go on above those of the snapshot; the old sessions are gone", () => {
    const group = begin(...all)
    const [before] = group.ask("R0", read)
    assert.deepInclude(readResult(before!.result!), { length: 30, last: "old-30", version: image_op })
    assert.strictEqual(group.ask("R0", write(1, 31, "of an old session"))[0]?.status, "no session")
    const { length, op, session } = writes(group, "R0", "new")
    assert.deepStrictEqual({ length, op, session }, { length: 31, op: image_op + 2, session: image_op + 1 })
    const [after] = group.ask("R0", read)
    assert.deepInclude(readResult(after!.result!), { length: 31, last: "new", version: image_op + 2 })
    group.pass(timers.heartbeat_ms)
    for (const { replica } of group.ones.values()) {
      assert.strictEqual(replica.commit, image_op + 2)
      assert.isAtLeast(replica.commitTime, 1_000_000)
    }
  })

  it("in a group of one", () => {
    const group = new Group([One.begin("R0", parts, 1)])
    assert.strictEqual(writes(group, "R0", "new").op, image_op + 2)
  })

  it("leaves a primary that dies before anything is written: the next view has the data", () => {
    const group = begin(...all)
    group.cut.add("R0")
    group.pass(20 * timers.view_change_ms)
    const next = group.primary?.replica.id
    assert.oneOf(next, ["R1", "R2"])
    assert.deepInclude(writes(group, next!, "new"), { length: 31, op: image_op + 2 })
    // The first one comes back, and hears what it missed.
    group.cut.delete("R0")
    group.pass(4 * timers.view_change_ms)
    assert.strictEqual(group.one("R0").replica.commit, image_op + 2)
    assert.strictEqual(group.one("R0").data.digest, group.one(next!).data.digest)
  })

  it("gives all to one that lags behind what left the log, and to one that lost its memory", () => {
    const group = begin(...all)
    group.cut.add("R2")
    const { session } = writes(group, "R0", "new")
    for (let request = 2; request <= 30; request++) group.ask("R0", write(session, request))
    assert.isAbove(group.one("R0").replica.log.base, image_op)
    group.cut.delete("R2")
    group.pass(2 * timers.view_change_ms)
    assert.strictEqual(group.one("R2").replica.commit, image_op + 31)
    // Nothing was ever written, and one of them has to recover: what it needs is in nobody's log.
    const fresh = new Group([One.begin("R0", parts), One.begin("R1", parts), One.restart("R2", 0)])
    fresh.pass(4 * timers.view_change_ms)
    const { replica } = fresh.one("R2")
    assert.deepStrictEqual([replica.state._tag, replica.commit, replica.log.base], ["Backup", image_op, image_op])
    assert.strictEqual(writes(fresh, "R0", "new").op, image_op + 2)
    fresh.pass(timers.heartbeat_ms)
    assert.strictEqual(fresh.one("R2").data.digest, fresh.one("R0").data.digest)
  })

  it("writes its next snapshots at the same ops with the same digests as the others", () => {
    const group = begin(...all)
    const { session } = writes(group, "R0", "new")
    for (let request = 2; request <= 30; request++) group.ask("R0", write(session, request))
    group.pass(timers.heartbeat_ms)
    const of = (wanted: string) => group.snapshots.flatMap(({ digest, id, op }) => id === wanted ? [{ digest, op }] : [])
    assert.isAbove(of("R0").length, 2)
    for (const id of all) assert.deepStrictEqual(of(id), of("R0"))
  })
})
