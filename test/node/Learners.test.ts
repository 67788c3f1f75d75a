/**
 * Those that are to join a group: what is asked of them, and of the primary, while a change is taken back or they are forgotten.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { askChange, withdrawChange } from "../../src/node/Changing.ts"
import { makeGroupCalls } from "../../src/node/GroupCalls.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { answerQuestion } from "../../src/node/Questions.ts"
import { makeDispatcherInbox } from "../../src/node/Queues.ts"
import { makeReplicas } from "../../src/node/Replicas.ts"
import { describeSilent, type ReplicaData } from "../../src/node/Status.ts"
import { Journals } from "../../src/storage/Journal.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { makeStore } from "../../src/store/Store.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import type { Input } from "../../src/vr/Replica.ts"
import type { ChangeReport } from "../../src/wire/Changes.ts"
import { entry, One } from "../vr/One.ts"
import { someTenant } from "./SomeTenant.ts"
import { configOf } from "./TestNode.ts"

const tenant = { ...someTenant, replicas: someTenant.replicas.slice(0, 1) }

const data: ReplicaData = { tenant: tenant.id, node: "n3", durability: "disk", doubt: null, store: makeStore() }

/** Its only replica, and what that one says: first of a change that is under way, then that it has come about. */
const primary = [{ ...describeSilent(tenant, "r1::n1", "busy", ""), state: "primary" as const, detail: null }]
const report = { former: [], refusal: null, stage: "none", next: null, learners: [], commit: 1, elements: 0, bytes: 0 } as const
const before: ChangeReport = { ...report, epoch: 0, replicas: ["r1::n1"], stage: "catching up", next: ["r1::n1", "r2::n2"] }
const after: ChangeReport = { ...report, epoch: 1, replicas: ["r1::n1", "r2::n2"] }

describe("a change that is taken back", () => {
  it.effect("and has come about since it was looked at: that is said, and nobody is forgotten", () =>
    Effect.gen(function*() {
      const reports = [before, after]
      const asked: Array<string> = []
      const calls = makeGroupCalls((node, method) => Effect.sync(() => {
        asked.push(`${method} at ${node}`)
        return method === "change" ? reports.shift() : true
      }))
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2"] }
      const { reason, withdrawn } = yield* withdrawChange({ calls, replicas: Effect.succeed(primary) }, tenant, args)
      assert.isFalse(withdrawn)
      assert.include(reason, "the group has changed")
      assert.deepStrictEqual(asked, ["change at n1", "change at n1"])
    }))
})

describe("one that is to join", () => {
  it.effect("is not begun anew once the change is in the log, though it is not heard: what it has said may count", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const inLog: ChangeReport = { ...before, stage: "in the log", learners: [{ id: "r2::n2", op: 0, heard: false }] }
      const calls = makeGroupCalls((node, method) => Effect.sync(() => {
        asked.push(`${method} at ${node}`)
        return method === "change" ? inLog : null
      }))
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2"] }
      const { done, stage, waits } = yield* askChange({ calls, replicas: Effect.succeed(primary) }, tenant, args)
      assert.deepStrictEqual([done, stage], [false, "in the log"])
      assert.match(waits ?? "", /r2::n2 is not heard/)
      assert.deepStrictEqual(asked, ["change at n1"])
    }))

  it.effect("is written and started, also if whoever asked is gone in the middle of it", () =>
    Effect.gen(function*() {
      const disk = makeMemoryDisk()
      const journals = Context.get(yield* Layer.build(Journals.layerMemory(disk)), Journals)
      const slow = Journals.of({
        ...journals,
        journal: (...of) => Effect.map(journals.journal(...of), (journal) => ({
          ...journal, write: (write) => Effect.andThen(Effect.sleep(100), journal.write(write))
        }))
      })
      const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
      const dispatcher = yield* makeDispatcherInbox
      const replicas = yield* Effect.provideService(makeReplicas({
        node: "n2", dispatcher, flushes: { underWay: 0 }, settings: { current: configOf("n2") }, metrics,
        leases: { lease_ms: 0, hold_ms: 0 }, adopt: () => Effect.void
      }), Journals, slow)
      const asking = yield* Effect.forkChild(replicas.enlist(tenant, "r2::n2"))
      yield* TestClock.adjust(50)
      const ending = yield* Effect.forkChild(Fiber.interrupt(asking))
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(ending)
      assert.isTrue(disk.journals.has(`${tenant.id}::r2::n2`))
      assert.isTrue(replicas.local().has(tenant.id))
    }).pipe(Effect.scoped))

  it("is not forgotten once it has the change in its log, which may count already", () => {
    const one = One.learner("R3")
    const forget = (id = "R3", begun: number | null = null): Input | "end" | null =>
      answerQuestion({ _tag: "Forget", id, begun, answer: () => {} }, one.replica, data, one.now)
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 1 })
    assert.strictEqual(forget(), "end")
    // Another one of that tenant, that was to be there before.
    assert.isNull(forget("R4"))
    const operation = encodeNextGroup({ epoch: 1, replicas: ["R0", "R1", "R3"], leaving: ["R2"] })
    one.receive("R0", { _tag: "Prepare", view: 0, first: 2, entries: [{ ...entry(2), kind: "reconfigure", operation }], commit: 1 })
    assert.strictEqual(one.replica.log.op, 2)
    assert.isNull(forget())
  })
  it("or was left behind goes by the epoch that has begun without it: never a member of that group, or of a later one", () => {
    const forgotten = (one: One, begun: number | null): boolean => {
      const { id } = one.replica
      return answerQuestion({ _tag: "Forget", id, begun, answer: () => {} }, one.replica, data, one.now) === "end"
    }
    const member = One.start("R1")
    assert.deepStrictEqual([null, 0, 1].map((begun) => forgotten(member, begun)), [false, false, true])
    const operation = encodeNextGroup({ epoch: 1, replicas: ["R0", "R1"], leaving: ["R2"] })
    const change = { ...entry(1), kind: "reconfigure" as const, operation }
    for (const [id, ...expected] of [["R1", false, false, true], ["R2", false, true, true]] as const) {
      const one = One.start(id)
      one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: [change], commit: 1 })
      assert.strictEqual(one.replica.configuration.epoch, 1)
      assert.deepStrictEqual([null, 1, 2].map((begun) => forgotten(one, begun)), expected)
    }
  })
})
