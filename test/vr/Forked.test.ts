/**
 * A replica of a group that was begun anew from another one, which held less than this one had committed.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import { type Entry, firstView } from "../../src/vr/Message.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { entries, entry, One, only } from "./One.ts"

const epoch = 1_000
const first = firstView(epoch)

/** Of the replica that went on alone. */
const beginning = (op: number, view: number): Entry =>
  ({ ...entry(op, view), kind: "reconfigure", operation: encodeNextGroup({ epoch, replicas: ["R2"], leaving: ["R0", "R1"] }) })

/** In view 3, with ops up to 9, of which 7 are committed. */
const behind = (): One => One.resume("R0", { view: 3, logView: 3, entries: [...entries(1, 4), ...entries(5, 9, 3)], commit: 7 })

/** It says why, and nothing else any more. */
const hasStopped = (one: One, why: RegExp): void => {
  assert.match(one.replica.forked ?? "", /^epoch 1000 of its group was begun without what is committed here, up to op 7: /)
  assert.match(one.replica.forked ?? "", why)
  assert.deepStrictEqual([one.replica.commit, one.replica.log.op, one.replica.configuration.epoch], [7, 9, 0])
  assert.isEmpty(one.pass(10_000))
  assert.isEmpty(one.receive("R1", { _tag: "GetState", view: 3, after: 0 }).sends)
}

describe("a replica of which more is committed than its group was begun anew with", () => {
  for (const [what, op, view, why] of [
    ["ended before", 6, 3, /it goes on from op 6$/],
    ["ended just there", 7, 3, /it goes on from op 7$/],
    ["is of an earlier view", 12, 2, /it goes on from op 12$/]
  ] as const) {
    it(`stops once it hears so: the log that was chosen ${what}`, () => {
      const one = behind()
      assert.isEmpty(one.receive("R2", { _tag: "StartEpoch", op, view }, epoch).sends)
      hasStopped(one, why)
    })
  }

  it("stops once it sees the log, if it was told by nothing else", () => {
    const one = behind()
    one.receive("R2", { _tag: "Commit", view: first, op: 12, commit: 12, round: 0, lease_ms: 0 }, epoch)
    const log = [...entries(8, 11, 2), beginning(12, 2)]
    one.receive("R2", { _tag: "NewState", view: first, first: 8, entries: log, op: 12, commit: 12 }, epoch)
    hasStopped(one, /its log is another one$/)
  })

  it("stops if that log goes on where its own does, and does not say how the epoch began", () => {
    const one = behind()
    one.receive("R2", { _tag: "Commit", view: first, op: 12, commit: 12, round: 0, lease_ms: 0 }, epoch)
    one.receive("R2", { _tag: "NewState", view: first, first: 8, entries: entries(8, 12, first), op: 12, commit: 12 }, epoch)
    hasStopped(one, /it goes on from an earlier op$/)
  })

  it("stops at the first part of a snapshot that says so", () => {
    const log = [...entries(1, 5), beginning(6, 3), ...entries(7, 12, first)]
    const source = One.resume("R2", { view: 0, logView: 0, entries: log, commit: 12 })
    const one = behind()
    one.receive("R2", { _tag: "Commit", view: first, op: 12, commit: 12, round: 0, lease_ms: 0 }, epoch)
    const bytes = takeSnapshot(source.replica).read().next()!
    assert.isEmpty(one.receive("R2", { _tag: "SnapshotPart", view: first, op: 12, index: 0, size: 1, bytes }, epoch).sends)
    hasStopped(one, /it goes on from op 6$/)
  })
})

/** Told of an epoch that began behind these, which follow what is committed here. */
const follow = (one: One, rest: ReadonlyArray<Entry>, of = epoch): void => {
  const { op, view } = rest.at(-1)!
  const { sends } = one.receive("R2", { _tag: "StartEpoch", op, view }, of)
  assert.deepStrictEqual(only("GetState", sends).map(({ after }) => after), [7])
  one.receive("R2", { _tag: "NewState", view: firstView(of), first: 8, entries: rest, op, commit: op }, of)
}

describe("a replica of which no more is committed", () => {
  it("leaves, if its log is a part of what was chosen", () => {
    const one = behind()
    follow(one, [...entries(8, 10, 3), beginning(11, 3)])
    assert.deepStrictEqual([one.replica.forked, one.replica.state._tag, one.replica.commit], [null, "Leaving", 11])
  })

  for (const [what, rest] of [
    ["goes on", [entry(8, 3), beginning(9, 3)]],
    ["is another one", [...entries(8, 9, 4), beginning(10, 4)]]
  ] as const) {
    it(`stops, and gives nothing up, if its log ${what}: it may have been acknowledged`, () => {
      const one = behind()
      follow(one, rest)
      assert.match(one.replica.forked ?? "", /^epoch 1000 of its group was begun without what its log holds from op [89] on, up to op 9/)
      assert.deepStrictEqual([one.replica.commit, one.replica.log.get(9)], [7, entry(9, 3)])
    })
  }

  it("gives that up for an epoch that was begun by its group: it was not committed", () => {
    const one = behind()
    follow(one, [entry(8, 4), { ...beginning(9, 4), operation: encodeNextGroup({ epoch: 1, replicas: ["R2"], leaving: ["R0", "R1"] }) }], 1)
    assert.deepStrictEqual([one.replica.forked, one.replica.state._tag, one.replica.commit], [null, "Leaving", 9])
  })
})
