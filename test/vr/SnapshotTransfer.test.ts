/**
 * One replica that sends a snapshot, or takes one: what it keeps, and what it does not take.
 *
 * @module
 */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import type { Message, OpNumber, View } from "../../src/vr/Message.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { partsOf } from "../wire/SnapshotOf.ts"
import { entries, heard, One, only, to, write } from "./One.ts"

let release = (): void => {}
/** Many parts, and none that is due by itself. */
beforeEach(() => {
  release = squeeze({ snapshot_part_bytes_max: 40 })
})
afterEach(() => release())

type Part = Extract<Message, { readonly _tag: "SnapshotPart" }>

/** A snapshot of `op`, by somebody who is in `view`. */
const parts = (view: View, op: OpNumber): ReadonlyArray<Part> => {
  const one = One.start("R1")
  one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, op), commit: op })
  const reader = takeSnapshot(one.replica).read()
  const all: Array<Part> = []
  for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) {
    all.push({ _tag: "SnapshotPart", view, op, index: all.length, size: 0, bytes })
  }
  return all
}

const lags: Message = { _tag: "Commit", view: 0, op: 9, commit: 9, round: 0, lease_ms: 0 }

describe("who takes a snapshot", () => {
  it("takes none, as a new primary, that goes beyond the vote that it chose", () => {
    const one = One.start("R1")
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: false })
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 10, entries: [], commit: 9 })
    for (const part of parts(2, 12)) one.receive("R2", part)
    assert.deepStrictEqual([one.replica.commit, one.replica.state._tag], [0, "ViewChange"])
  })

  it("takes none, in recovery, of a later view than it was told of", () => {
    const one = One.restart("R1", 0)
    const nonce = only("Recovery", one.pass(20))[0]!.nonce
    for (const from of ["R0", "R2"]) one.receive(from, { _tag: "RecoveryResponse", nonce, view: 0, op: 1, commit: 1 })
    for (const part of parts(1, 9)) one.receive("R0", part)
    assert.strictEqual(one.replica.commit, 0)
  })

  it("does not fall behind its time", () => {
    const one = One.start("R1")
    one.receive("R0", lags)
    for (const part of parts(0, 9)) one.receive("R0", part)
    assert.isAtLeast(one.replica.lastTime, 9)
  })

  it("keeps a whole one, which waits for the log behind it, when the view changes", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 12), commit: 1 })
    one.receive("R2", { _tag: "Commit", view: 2, op: 20, commit: 20, round: 0, lease_ms: 0 })
    for (const part of parts(2, 9)) one.receive("R2", part)
    assert.strictEqual(one.replica.commit, 1)
    one.receive("R0", { _tag: "StartViewChange", view: 3, probing: false })
    const { sends } = one.receive("R0", { _tag: "Commit", view: 3, op: 20, commit: 20, round: 0, lease_ms: 0 })
    assert.deepStrictEqual(only("GetState", sends).map(({ after }) => after), [9])
  })

  it("makes one whole write of several that are installed in one turn, with cuts and heads", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 12), commit: 1 })
    const hear = (message: Message) => heard("R2", message)
    const out = one.turn(
      hear({ _tag: "StartView", view: 2, first: 2, entries: entries(2, 3, 2), commit: 1 }),
      hear({ _tag: "Commit", view: 2, op: 9, commit: 3, round: 0, lease_ms: 0 }),
      ...parts(2, 9).map(hear),
      hear({ _tag: "NewState", view: 2, first: 10, entries: entries(10, 11, 2), op: 11, commit: 9 }),
      hear({ _tag: "Commit", view: 2, op: 20, commit: 9, round: 0, lease_ms: 0 }),
      ...parts(2, 15).map(hear),
      hear({ _tag: "NewState", view: 2, first: 16, entries: entries(16, 20, 2), op: 20, commit: 15 }),
      hear({ _tag: "StartView", view: 5, first: 16, entries: entries(16, 17, 5), commit: 15 })
    )
    assert.deepStrictEqual([out.install?.op, out.truncate_to, out.head], [15, null, { epoch: 0, view: 5, log_view: 5 }])
    assert.deepStrictEqual(out.entries.map(({ op, view }) => [op, view]), [[16, 5], [17, 5]])
    const { commit, durable, log } = one.replica
    assert.deepStrictEqual([log.base, log.op, commit, durable], [15, 17, 15, 17])
  })
})

describe("who sends a snapshot", () => {
  it("sends none that goes beyond the vote that was chosen", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 12), commit: 12 })
    for (const op of [5, 10]) one.turn({ _tag: "Snapshotted", op, digest: 0 })
    assert.isEmpty(only("SnapshotPart", one.receive("R2", { _tag: "GetCommitted", view: 1, after: 0, last: 9 }).sends))
  })

  /** Has committed 40 ops, and written two snapshots. */
  const primary = () => {
    const one = One.start("R0")
    const commits = (op: OpNumber): void => {
      one.ask(op === 1 ? { kind: "register", to, nonce: new Uint8Array(16) } : write(1, op - 1))
      one.receive("R1", { _tag: "PrepareOk", view: 0, op })
    }
    for (let op = 1; op <= 40; op++) commits(op)
    for (const op of [10, 20]) one.turn({ _tag: "Snapshotted", op, digest: 0 })
    return { one, commits }
  }

  it("keeps the log behind it while its receiver fetches that, however long it takes", () => {
    const { commits, one } = primary()
    assert.strictEqual(only("SnapshotPart", one.receive("R2", { _tag: "GetState", view: 0, after: 0 }).sends)[0]!.op, 40)
    for (let op = 41; op < 161; op++) {
      commits(op)
      one.receive("R2", { _tag: "GetState", view: 0, after: 40 + Math.floor((op - 40) / 4) })
      one.pass(100)
    }
    for (const op of [100, 140]) one.turn({ _tag: "Snapshotted", op, digest: 0 })
    const { early, sends } = one.receive("R2", { _tag: "GetState", view: 0, after: 70 })
    assert.deepStrictEqual([only("SnapshotPart", sends).length, only("NewState", early).length], [0, 1])
  })

  it("releases it once its receiver asks for what follows, and begins another one if it is asked for that again", () => {
    const { commits, one } = primary()
    const [{ op } = assert.fail("a snapshot is offered")] =
      only("SnapshotPart", one.receive("R2", { _tag: "GetState", view: 0, after: 0 }).sends)
    assert.strictEqual(one.data.pins(), 1)
    one.receive("R2", { _tag: "GetState", view: 0, after: op })
    assert.strictEqual(one.data.pins(), 0)
    commits(op + 1)
    const again = only("SnapshotPart", one.receive("R2", { _tag: "GetSnapshot", op, index: 1 }).sends)
    assert.deepStrictEqual([again.map(({ index, op }) => [op, index]), one.data.pins()], [[[op + 1, 0]], 1])
  })

  it("writes a part over the one before, unless a copy of that may still be under way", () => {
    release()
    release = squeeze({ snapshot_part_bytes_max: 120 })
    const { one } = primary()
    const ask = (index: number): Uint8Array => {
      const { sends } = one.receive("R2", { _tag: "GetSnapshot", op: 40, index })
      return only("SnapshotPart", sends)[0]!.bytes
    }
    one.receive("R2", { _tag: "GetState", view: 0, after: 0 })
    const all = partsOf(takeSnapshot(one.replica))
    // Behind header and sessions comes the data.
    const first = all.findIndex(([kind]) => kind === 3)
    for (let index = 1; index < first; index++) ask(index)
    const data = ask(first)
    assert.deepStrictEqual(data, all[first])
    assert.strictEqual(ask(first + 1).buffer, data.buffer)
    assert.notDeepEqual(data, all[first])
    const repeated = ask(first + 1)
    const next = ask(first + 2)
    assert.deepStrictEqual([repeated, next], [all[first + 1], all[first + 2]])
    // One was passed over: perhaps it has not left yet.
    const further = ask(first + 4)
    assert.deepStrictEqual([next, further], [all[first + 2], all[first + 4]])
  })

  it("does not keep one state, and the log from there, for a receiver that refuses it for ever", () => {
    const { commits, one } = primary()
    for (let second = 0, op = 40; second < 3_600; second++) {
      if (second % 10 === 0) {
        commits(++op)
        one.turn({ _tag: "Snapshotted", op: op - 5, digest: 0 })
      }
      one.receive("R2", { _tag: "GetState", view: 0, after: 0 })
      one.receive("R1", { _tag: "CommitOk", view: 0, op, round: 0, promised: false })
      one.pass(1_000, 500)
    }
    assert.isAbove(one.replica.outgoing.get("R2")!.snapshot.op, 300)
    assert.isAbove(one.replica.log.base, 300)
  })
})

describe("a long log", () => {
  it("keeps a part of what lies before a snapshot that is written, for those that lag a little", (test) => {
    test.onTestFinished(squeeze({ log_unpacked_max: 1, log_piece_bytes: 400, snapshot_log_bytes_min: 2_000, snapshot_log_kept: 1 / 4 }))
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 900), commit: 900 })
    Object.assign(one.data, { size: () => 16_000 })
    one.turn({ _tag: "Snapshotted", op: 300, digest: 0 })
    const [entry] = entries(1, 1)
    const kept = (op: number): number => (op - one.replica.log.base) * (48 + entry!.operation.length)
    assert.isAbove(kept(300), 4_000)
    assert.isBelow(kept(300), 4_500)
    Object.assign(one.data, { size: () => 100 })
    one.turn({ _tag: "Snapshotted", op: 600, digest: 0 })
    assert.isAbove(kept(600), 1_000)
    assert.isBelow(kept(600), 1_500)
    one.turn({ _tag: "Snapshotted", op: 605, digest: 0 })
    assert.strictEqual(one.replica.log.base, 600, "never more than from the one before")
  })

  it("is shortened in pieces, a turn at a time", () => {
    const one = One.start("R1")
    const many = entries(1, 40_000)
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: many, commit: 40_000 })
    one.turn({ _tag: "Snapshotted", op: 39_000, digest: 0 })
    one.turn({ _tag: "Snapshotted", op: 40_000, digest: 0 })
    const bases = [one.replica.log.base]
    for (let i = 0; i < 3; i++) {
      one.pass(20)
      bases.push(one.replica.log.base)
    }
    assert.deepStrictEqual(bases, [16_384, 32_768, 39_000, 39_000])
  })
})
