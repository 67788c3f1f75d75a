/**
 * Changes of a small group whose members hear each other at once.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { type Entry, type Epoch, firstView, type OpNumber, type ReplicaId, type View } from "../../src/vr/Message.ts"
import { Limits } from "../../src/base/Limits.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { partsOf } from "../wire/SnapshotOf.ts"
import { Group } from "./Group.ts"
import { entries, One, only, to, write } from "./One.ts"

const register = { kind: "register", to, nonce: new Uint8Array(16) } as const

const groupOf = (size: number, learners: ReadonlyArray<ReplicaId>): Group =>
  new Group([
    ...Array.from({ length: size }, (_, index) => One.start(`R${index}`, size)),
    ...learners.map((id) => One.learner(id, size))
  ])

/** Asks whoever leads, for as long as it takes. */
const become = (group: Group, replicas: ReadonlyArray<ReplicaId>): void => {
  for (let i = 0; i < 100; i++) {
    const { primary } = group
    if (primary !== undefined) group.tell(primary.replica.id, { _tag: "Reconfigure", replicas })
    group.pass(100)
    const members = replicas.filter((id) => !group.cut.has(id)).map((id) => group.one(id).replica)
    if (members.every(({ configuration }) => configuration.replicas.join() === [...replicas].sort().join())) return
  }
  assert.fail("the group has not changed")
}

const statesOf = (group: Group): Record<ReplicaId, string> =>
  Object.fromEntries([...group.ones].map(([id, { replica }]) => [id, replica.state._tag]))

describe("a group", () => {
  for (const [size, next] of [
    [1, ["R0", "R1"]], [1, ["R1"]], [1, ["R0", "R1", "R2"]], [2, ["R0"]], [3, ["R0"]], [3, ["R3"]], [3, ["R1", "R2", "R3"]],
    [3, ["R0", "R1", "R2", "R3"]], [3, ["R3", "R4", "R5"]], [4, ["R0", "R1"]], [5, ["R4", "R5", "R6"]],
    [3, ["R0", "R1", "R2", "R3", "R4", "R5", "R6"]]
  ] as const) {
    it(`of ${size} becomes ${next.join(", ")}, and goes on`, () => {
      const learners = next.filter((id) => Number(id.slice(1)) >= size)
      const group = groupOf(size, learners)
      group.ask("R0", register)
      for (let request = 1; request <= 20; request++) group.ask("R0", write(1, request))
      become(group, next)
      group.pass(2_000)
      const { primary } = group
      assert.isDefined(primary)
      const { id } = primary!.replica
      assert.include(next, id)
      const replies = group.ask(id, write(1, 21), write(1, 20))
      group.pass(200)
      assert.isTrue(replies.every(({ status }) => status === "ok"), JSON.stringify(replies))
      for (const member of next) {
        const { commit, configuration } = group.one(member).replica
        assert.deepStrictEqual([commit, configuration.epoch], [23, 1])
      }
      for (const [other, state] of Object.entries(statesOf(group))) {
        if ((next as ReadonlyArray<string>).includes(other)) assert.include(["Primary", "Backup"], state)
        else assert.deepInclude(group.one(other).replica.state, { _tag: "Leaving", isRetired: true })
      }
    })
  }
})

/** The last operation of the epoch before `epoch`. */
const change = (
  op: OpNumber, view: View, epoch: Epoch, replicas: ReadonlyArray<ReplicaId>, leaving: ReadonlyArray<ReplicaId> = []
): Entry => ({
  op, view, time: op, kind: "reconfigure", session: 0, request: 0, answered: 0, operation: encodeNextGroup({ epoch, replicas, leaving })
})

const first = firstView(1)
const state = ({ replica }: One): string => replica.state._tag

describe("a replica that has lost its memory, and hears of a later epoch", () => {
  it("does not take what was never committed in its own along", () => {
    const one = One.restart("R0", 0, 5)
    const [{ nonce } = assert.fail("it asks")] = only("Recovery", one.pass(40))
    for (const from of ["R1", "R2", "R3"]) one.receive(from, { _tag: "RecoveryResponse", nonce, view: 1, op: 10, commit: 3 })
    one.receive("R1", { _tag: "NewState", view: 1, first: 1, entries: entries(1, 6, 1), op: 10, commit: 3 })
    // The others have left for view 2, and committed something else as 4 to 7, and the change.
    const { sends } = one.receive("R2", { _tag: "StartEpoch", op: 8, view: 2 }, 1)
    assert.deepStrictEqual(only("GetState", sends).map(({ after }) => after), [3])
    const rest = [...entries(4, 7, 2), change(8, 2, 1, ["R0", "R2", "R3", "R4", "R5"])]
    one.receive("R2", { _tag: "NewState", view: first, first: 4, entries: rest, op: 8, commit: 8 }, 1)
    assert.deepStrictEqual([one.replica.commit, one.replica.log.get(4).view], [8, 2])
  })

  it("and its promises too, does not take itself for one that was never there", () => {
    const one = One.restart("R0", null, 3)
    one.pass(40)
    assert.isEmpty(only("GetState", one.receive("R2", { _tag: "StartEpoch", op: 8, view: 2 }, 1).sends))
  })

  // It may have led that epoch, or answered there, and whoever answers now may count that a moment later.
  it("and its promises too, waits for a change that is in the log to be committed, if it is to stay, whoever answers it", () => {
    const others = ["R1", "R2", "R3", "R4"]
    const recovers = (group: ReadonlyArray<ReplicaId>): string => {
      const one = One.restart("R0", null, 5)
      const [{ nonce } = assert.fail("it asks")] = only("Recovery", one.pass(40))
      for (const from of others) one.receive(from, { _tag: "RecoveryResponse", nonce, view: 1, op: 6, commit: 5 })
      one.receive("R1", { _tag: "NewState", view: 1, first: 1, entries: [...entries(1, 5), change(6, 1, 1, group)], op: 6, commit: 5 })
      return state(one)
    }
    assert.deepStrictEqual([recovers(["R0", "R1", "R2", "R3"]), recovers(others)], ["Recovery", "Backup"])
  })
})

describe("an epoch that has begun", () => {
  /** Of `group`, in epoch 1, which began with op 6 of view 1; it has committed up to op 10. */
  const source = (group: ReadonlyArray<ReplicaId>, view: View): One => {
    const log = [...entries(1, 5), change(6, 1, 1, group), ...entries(7, 10, view)]
    return One.resume("R1", { view, logView: view, entries: log, commit: 10 })
  }

  /** With the snapshot of that one, and nothing else. */
  const bySnapshot = (id: ReplicaId, from: One): One => {
    const one = One.learner(id)
    const { view } = from.replica
    one.receive("R1", { _tag: "Commit", view, op: 10, commit: 10, round: 0, lease_ms: 0 }, 1)
    for (const [index, bytes] of partsOf(takeSnapshot(from.replica)).entries()) {
      one.receive("R1", { _tag: "SnapshotPart", view, op: 10, index, size: 1, bytes }, 1)
    }
    return one
  }

  it("is known by its last operation before, also by one that came with a snapshot", () => {
    const one = bySnapshot("R3", source(["R1", "R2", "R3"], first))
    assert.deepStrictEqual(one.replica.epochStart, { epoch: 1, replicas: ["R1", "R2", "R3"], leaving: [], op: 6, view: 1 })
    const { sends } = one.receive("R0", { _tag: "StartViewChange", view: 1, probing: true }, 0)
    assert.deepStrictEqual(only("StartEpoch", sends).map(({ op, view }) => [op, view]), [[6, 1]])
  })

  it("is not another one whose change stands at the same op", () => {
    const own = [...entries(1, 9), change(10, 0, 1, ["R0", "R4", "R5"])]
    const one = One.resume("R0", { view: 0, logView: 0, entries: own, commit: 5 })
    one.receive("R3", { _tag: "StartEpoch", op: 10, view: 1 }, 1)
    one.receive("R3", { _tag: "StartEpoch", op: 6, view: 1 }, 1)
    assert.deepStrictEqual([one.replica.commit, one.replica.configuration.epoch], [5, 0])
  })

  it("is not given as a whole by one that has only what came later", () => {
    const one = bySnapshot("R3", source(["R1", "R2", "R3"], first + 1))
    const { sends } = one.receive("R0", { _tag: "GetState", view: first, after: 5 }, 0)
    assert.isEmpty(only("NewState", sends))
  })

  it("is joined in a view with the whole log of that only, not with a snapshot from the middle", () => {
    const one = bySnapshot("R3", source(["R1", "R2", "R3"], first + 1))
    assert.deepStrictEqual([state(one), one.replica.commit, one.replica.view, one.replica.logView], ["StateTransfer", 10, first + 1, first])
  })

  it("is taken part in no earlier than what is held of it, on the way to a later one too", () => {
    const one = One.start("R0")
    one.receive("R5", { _tag: "StartEpoch", op: 20, view: first + 2 }, 2)
    const from = source(["R0", "R1", "R2"], first + 1)
    for (const [index, bytes] of partsOf(takeSnapshot(from.replica)).entries()) {
      one.receive("R5", { _tag: "SnapshotPart", view: first + 1, op: 10, index, size: 1, bytes }, 1)
    }
    assert.deepStrictEqual([state(one), one.replica.configuration.epoch, one.replica.view], ["StateTransfer", 1, first + 1])
  })

  it("is waited for by one that has lost its log, in the views that it had written", () => {
    const one = One.learner("R3", 3, 1, 1)
    assert.deepStrictEqual([one.replica.view, one.replica.logView, state(one)], [1, 1, "Backup"])
    one.receive("R1", { _tag: "Commit", view: 1, op: 5, commit: 5, round: 0, lease_ms: 0 })
    one.receive("R1", { _tag: "NewState", view: 1, first: 1, entries: entries(1, 5), op: 5, commit: 5 })
    assert.deepStrictEqual([one.replica.commit, state(one)], [5, "Backup"])
    const { head } = one.receive("R2", { _tag: "Commit", view: 2, op: 9, commit: 9, round: 0, lease_ms: 0 })
    assert.isAtLeast(head?.log_view ?? 1, 1)
    assert.strictEqual(one.replica.logView, 1)
  })

  it("comes in a snapshot that ends the one before, whatever lies behind that in the own log", () => {
    const log = [...entries(1, 5), change(6, 1, 1, ["R0", "R1", "R2"])]
    const from = One.resume("R1", { view: first, logView: first, entries: log, commit: 6 })
    const one = One.resume("R0", { view: 0, logView: 0, entries: entries(1, 8), commit: 3 })
    one.receive("R1", { _tag: "StartEpoch", op: 6, view: 1 }, 1)
    for (const [index, bytes] of partsOf(takeSnapshot(from.replica)).entries()) {
      one.receive("R1", { _tag: "SnapshotPart", view: first, op: 6, index, size: 1, bytes }, 1)
    }
    one.receive("R1", { _tag: "NewState", view: first, first: 7, entries: [], op: 6, commit: 6 }, 1)
    const { commit, configuration, forked, log: { op } } = one.replica
    assert.deepStrictEqual([forked, configuration.epoch, commit, op], [null, 1, 6, 6])
  })

  it("leaves one that was in it, and has jumped over it", () => {
    const log = [...entries(1, 5), change(6, 1, 1, ["R1", "R3"]), change(7, first, 2, ["R1", "R2"], ["R3"])]
    const from = One.resume("R1", { view: firstView(2), logView: firstView(2), entries: log, commit: 7 })
    const one = One.learner("R3")
    one.receive("R1", { _tag: "Commit", view: firstView(2), op: 7, commit: 7, round: 0, lease_ms: 0 }, 2)
    for (const [index, bytes] of partsOf(takeSnapshot(from.replica)).entries()) {
      one.receive("R1", { _tag: "SnapshotPart", view: firstView(2), op: 7, index, size: 1, bytes }, 2)
    }
    assert.strictEqual(state(one), "Leaving")
  })
})

describe("a change that is asked for", () => {
  const asked = (one: One): ReadonlyArray<ReplicaId> | undefined =>
    one.replica.state._tag === "Primary" ? one.replica.state.change?.next.replicas : undefined

  it("is not heeded if it names no group, or one that has left before", () => {
    const one = One.start("R0", 1)
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1"] })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 0 })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.turn({ _tag: "Reconfigure", replicas: ["R0"] })
    one.receive("R1", { _tag: "PrepareOk", view: first, op: 2 }, 1)
    assert.strictEqual(one.replica.configuration.epoch, 2)
    for (const replicas of [[], ["R0", "R0"], ["R0", "R1"], Array.from({ length: 8 }, (_, i) => `S${i}`)]) {
      const { events } = one.turn({ _tag: "Reconfigure", replicas })
      assert.lengthOf(events, 1)
      assert.isUndefined(asked(one))
    }
  })

  it("does not name one of the first group again, either", () => {
    const one = One.start("R0", 2)
    one.turn({ _tag: "Reconfigure", replicas: ["R0"] })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    assert.strictEqual(one.replica.configuration.epoch, 1)
    assert.lengthOf(one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1"] }).events, 1)
    assert.isUndefined(asked(one))
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R2"] })
    assert.deepStrictEqual(asked(one), ["R0", "R2"])
  })

  it("is forgotten once nobody asks for it any more, and not before", () => {
    const one = One.start("R0", 3)
    const ask = () => one.turn({ _tag: "Reconfigure", replicas: ["R0", "R3"] })
    const pass = (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        one.pass(100)
        one.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 0, promised: false })
      }
    }
    ask()
    for (let i = 0; i < 3; i++) {
      pass(Limits.change_asked_ms - 1_000)
      assert.deepStrictEqual(asked(one), ["R0", "R3"])
      ask()
    }
    pass(Limits.change_asked_ms + 1_000)
    assert.isUndefined(asked(one))
  })

  it("is put into the log under load, whatever is under way", () => {
    const restore = squeeze({ learner_lag_ops_max: 10 })
    const one = One.start("R0", 3)
    one.ask(register)
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1", "R3"] })
    one.ask(...Array.from({ length: 100 }, (_, i) => write(1, i + 1)))
    one.receive("R3", { _tag: "PrepareOk", view: 0, op: 1 })
    restore()
    assert.strictEqual(one.replica.log.get(one.replica.log.op).kind, "reconfigure")
  })

  it("waits for those that join as long as they are not heard, and for a quorum of the next group", () => {
    const one = One.start("R0", 3)
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R3", "R4"] })
    one.receive("R3", { _tag: "PrepareOk", view: 0, op: 0 })
    for (let i = 0; i < 30; i++) {
      one.pass(100)
      one.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 0, promised: false })
    }
    // R3 was heard long ago.
    one.receive("R4", { _tag: "PrepareOk", view: 0, op: 0 })
    assert.deepStrictEqual([asked(one), one.replica.log.op], [["R0", "R3", "R4"], 0])
    one.receive("R3", { _tag: "PrepareOk", view: 0, op: 0 })
    assert.strictEqual(one.replica.log.op, 1)
  })

  it("needs the next group too when the only replica has restarted with it in its log", () => {
    const log = [...entries(1, 3), change(4, 0, 1, ["R0", "R1", "R2"])]
    const one = One.resume("R0", { view: 0, logView: 0, entries: log, commit: 3 }, 1)
    one.ask(write(1, 9))
    one.pass(40)
    assert.deepStrictEqual([one.replica.commit, one.replica.configuration.epoch], [3, 0])
  })

  it("turns away whoever reads when it is committed", () => {
    const one = One.start("R0", 2)
    one.ask(register)
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.turn({ _tag: "Reconfigure", replicas: ["R0"] })
    one.ask({ kind: "read", to, request: 7, operation: new Uint8Array(1) })
    const { replies } = one.receive("R1", { _tag: "PrepareOk", view: 0, op: 2 })
    assert.deepStrictEqual(replies.map(({ kind, request, status }) => [kind, request, status]), [["read", 7, "not primary"]])
    assert.strictEqual(one.replica.configuration.epoch, 1)
  })
})
