/**
 * How a replica begins, by what its journal holds and what the registry says.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../src/node/Beginning.ts"
import type { Durability, ReplicaHead, Stored } from "../../src/storage/Journal.ts"
import { nothingStored } from "../../src/storage/JournalModel.ts"
import { someTenant } from "./SomeTenant.ts"

const id = "r4::n4"
const tenant = someTenant
const head = (change: Partial<ReplicaHead> = {}): ReplicaHead =>
  ({ epoch: 0, view: 3, log_view: 3, fresh: false, whole: true, replicas: ["r1::n1", "r2::n2"], left: false, ...change })

/** What becomes of r4::n4, in short. */
const begins = (stored: Partial<Stored>, durability: Durability = "disk", group = tenant.replicas): string => {
  const beginning = decide({ ...tenant, durability, replicas: group }, id, { ...nothingStored, ...stored }, null)
  if (beginning._tag === "Recovery" || beginning._tag === "Learner") {
    return `${beginning._tag} ${beginning.promised}${beginning.doubt === null ? "" : " in doubt"}`
  }
  return beginning._tag
}

const member = ["r1::n1", id]
const named = [{ name: "r1", node: "n1" }, { name: "r4", node: "n4" }]

describe("a replica that is to join a group", () => {
  it("follows from nothing when it is new, when it has lost its log, and in memory; else from its log", () => {
    assert.strictEqual(begins({ head: head({ fresh: true, view: 0, log_view: 0 }) }), "Learner 0")
    assert.strictEqual(begins({ head: head(), doubt: "damaged" }), "Learner 3 in doubt")
    assert.strictEqual(begins({ head: head({ whole: false }) }), "Learner 3 in doubt")
    assert.strictEqual(begins({ head: head() }, "memory"), "Learner 3")
    assert.strictEqual(begins({ head: head() }), "Restart")
  })

  it("is a member once its own head says so, whatever the registry says, and is never taken for one before", () => {
    assert.strictEqual(begins({ head: head({ epoch: 1, replicas: member }) }, "memory"), "Recovery 3")
    assert.strictEqual(begins({ head: head({ epoch: 1, replicas: member }), doubt: "damaged" }), "Recovery 3 in doubt")
    assert.strictEqual(begins({ head: head() }, "memory", named), "Learner 3")
  })
})

describe("a replica that has left", () => {
  const left = head({ epoch: 1, left: true })
  it("gives what it has, and has no use for what is damaged", () => {
    assert.strictEqual(begins({ head: left }), "Restart")
    assert.strictEqual(begins({ head: left }, "memory"), "Restart")
    assert.strictEqual(begins({ head: left, doubt: "damaged" }), "Restart")
  })
})

describe("a replica without a head", () => {
  it("has lost its disk, if the group has it, and is the rest of one that was removed, if not", () => {
    assert.strictEqual(begins({}, "disk", named), "Recovery null in doubt")
    assert.strictEqual(begins({}, "memory", named), "Recovery null")
    assert.strictEqual(begins({}), "Leftover")
    assert.strictEqual(begins({ doubt: "damaged" }), "Recovery null in doubt", "what is damaged is set aside, not removed")
  })
})

describe("a replica that has lost what it had promised", () => {
  it("has lost it for as long as it has not recovered, however often it starts, and whatever group it is in by then", () => {
    const lost = head({ fresh: true, whole: false, view: 0, log_view: 0 })
    assert.strictEqual(begins({ head: { ...lost, replicas: member } }, "disk", named), "Recovery null in doubt")
    assert.strictEqual(begins({ head: lost }, "disk", named), "Recovery null in doubt")
    assert.strictEqual(begins({ head: lost, doubt: "damaged" }, "disk", named), "Recovery null in doubt")
    assert.strictEqual(begins({ head: lost }), "Leftover", "nobody needs it, where the group goes on without it")
  })
})

describe("a replica that is alone", () => {
  it("does not start without what it has acknowledged, by its own head and not by the registry", () => {
    assert.strictEqual(begins({ head: head({ replicas: [id] }), doubt: "damaged" }, "disk", named), "Irreparable")
    assert.strictEqual(begins({ head: head({ replicas: member }), doubt: "damaged" }, "disk", named.slice(1)), "Recovery 3 in doubt")
  })
})
