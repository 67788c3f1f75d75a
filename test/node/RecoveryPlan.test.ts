/**
 * From which replica a tenant goes on that has lost a quorum for good, what is given up for that, and what is written.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import {
  type GivenUp, type Plan, planRecovery, recoveryWrite, type Refusal, type Survivor, survivorOf
} from "../../src/node/Recovering.ts"
import type { ReplicaHead, Stored } from "../../src/storage/Journal.ts"
import { afterWrite, nothingHeld, nothingStored } from "../../src/storage/JournalModel.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import { type Entry, firstView } from "../../src/vr/Message.ts"
import { decodeNextGroup, encodeNextGroup } from "../../src/vr/NextGroup.ts"
import { head, tenant as id } from "../contracts/Journal.ts"
import { entries } from "../vr/One.ts"

const named = (nodes: ReadonlyArray<number>) => nodes.map((n) => ({ name: `r${n}`, node: `dev${n}` }))

const tenantOf = (change: Partial<Tenant> = {}): Tenant => ({
  id, name: "orders", epoch: 0, replicas: named([1, 2, 3]), durability: "disk", stamp: 1, confirmed: true, withdrawn: false,
  coordinator: "dev1", ...change
})
const tenant = tenantOf()

/** Of r<n>::dev<n>. */
const left = (n: number, its: ReplicaHead | null, log: ReadonlyArray<Entry> = [], more: Partial<Stored> = {}): Survivor =>
  survivorOf(tenant, { folder: `/${n}`, node: `dev${n}`, replica: `r${n}::dev${n}`, bytes: 0 }, {
    ...nothingStored, head: its, entries: log, ...more
  })

const planned = (survivors: ReadonlyArray<Survivor>, of = tenant): Plan => {
  const plan = planRecovery(of, survivors)
  return "code" in plan ? assert.fail(plan.message) : plan
}

const refused = (survivors: ReadonlyArray<Survivor>, of = tenant): Refusal => {
  const plan = planRecovery(of, survivors)
  return "code" in plan ? plan : assert.fail("it is planned")
}

const five = ["r1::dev1", "r2::dev2", "r3::dev3", "r4::dev4", "r5::dev5"]
const ofFive = (view: number, log_view = view) => head(view, log_view, { replicas: five })
const tenantOfFive = tenantOf({ replicas: named([1, 2, 3, 4, 5]) })

describe("a replica to go on from is", () => {
  it("the only one", () => {
    const { absent, chosen, epoch, given_up } = planned([left(2, head(4), entries(1, 9, 4))])
    assert.deepStrictEqual([chosen.replica, epoch, absent, given_up], ["r2::dev2", 1_001, ["r1::dev1", "r3::dev3"], []])
  })

  it("that of the latest log view, be it as short as it may; not of the latest promise", () => {
    const survivors = [left(1, ofFive(8, 4), entries(1, 99, 4)), left(2, ofFive(6), entries(1, 9, 6))]
    assert.strictEqual(planned(survivors, tenantOfFive).chosen.replica, "r2::dev2")
  })

  it("of these, that with the longest log", () => {
    const survivors = [left(1, ofFive(4), entries(1, 8, 4)), left(2, ofFive(6, 4), entries(1, 9, 4))]
    assert.strictEqual(planned(survivors, tenantOfFive).chosen.replica, "r2::dev2")
  })

  it("none whose log is in doubt, or that is to join", () => {
    const { code, message } = refused([
      left(1, head(9), entries(1, 99), { doubt: "a write is not as it was written" }),
      left(7, head(9), entries(1, 99))
    ])
    assert.strictEqual(code, "no_survivor")
    assert.match(message, /r1::dev1: its log is damaged: a write .*; r7::dev7: it was to join, and never was in a group/)
  })

  it("one that has left, or was in an earlier group, only if nobody else is there", () => {
    const view = firstView(1)
    const next = { epoch: 1, replicas: ["r4::dev4", "r5::dev5"] }
    const leaver = left(1, head(view, view, { ...next, left: true }), entries(1, 20))
    const behind = left(2, head(4), entries(1, 19))
    const plan = planned([leaver, behind], tenantOf({ epoch: 1, replicas: named([4, 5]) }))
    assert.deepInclude(plan, { isOutside: true, known: 1, absent: ["r4::dev4", "r5::dev5"] })
    assert.strictEqual(plan.chosen, leaver)
    assert.isAbove(plan.epoch, 1_001)
    const member = left(4, head(view, view, next), entries(1, 5))
    const { chosen, isOutside } = planned([leaver, behind, member])
    assert.deepStrictEqual([isOutside, chosen.replica], [false, "r4::dev4"])
  })

  it("in the newest group, by what any of them has promised, or its node has heard", () => {
    const later = { epoch: 1, replicas: ["r1::dev1", "r4::dev4", "r5::dev5"] }
    const view = firstView(1)
    const damaged = left(1, head(view, view, later), [], { doubt: "damaged" })
    assert.isTrue(planned([damaged, left(2, head(4), entries(1, 9))]).isOutside)
    const known = tenantOf({ epoch: 1, replicas: named([1, 4, 5]) })
    assert.isTrue(planned([left(2, head(4), entries(1, 9))], known).isOutside)
    // One that has not come there yet is all that is left of it.
    const plan = planned([left(1, head(4), entries(1, 9))], known)
    assert.deepInclude(plan, { known: 1, epoch: 1_001, absent: ["r4::dev4", "r5::dev5"] })
    const { leaving } = decodeNextGroup(recoveryWrite(plan, 5).entries[0]!.operation)
    assert.sameMembers([...leaving], ["r2::dev2", "r3::dev3", "r4::dev4", "r5::dev5"])
  })
})

describe("a tenant that needs no help", () => {
  it("has a quorum that is whole", () => {
    const survivors = [left(1, head(4), entries(1, 9)), left(2, head(4), entries(1, 8))]
    assert.match(refused(survivors).message, /^r1::dev1, r2::dev2 are enough of .*: they serve by themselves$/)
    const damaged = left(2, head(4), [], { doubt: "damaged" })
    assert.strictEqual(planned([survivors[0]!, damaged]).chosen.replica, "r1::dev1")
  })

  it("is one that was begun anew already", () => {
    const view = firstView(1_001)
    assert.strictEqual(refused([left(2, head(view, view, { epoch: 1_001, replicas: ["r2::dev2"] }), entries(1, 9))]).code, "serves")
  })

  it("is none whose log ends with a change to a group of which no quorum is left", () => {
    const replicas = ["r1::dev1", "r8::dev8", "r9::dev9"]
    const operation = encodeNextGroup({ epoch: 1, replicas, leaving: ["r2::dev2", "r3::dev3"] })
    const log: ReadonlyArray<Entry> = [...entries(1, 9), { ...entries(10, 10)[0]!, kind: "reconfigure", operation }]
    const plan = planned([1, 2, 3].map((n) => left(n, head(0), log, { commit: 9 })))
    const [last] = recoveryWrite(plan, 5).entries
    assert.sameMembers([...decodeNextGroup(last!.operation).leaving], ["r2::dev2", "r3::dev3", "r8::dev8", "r9::dev9"])
  })
})

describe("what is given up", () => {
  const chosen = left(1, ofFive(6), [...entries(1, 5), ...entries(6, 9, 6)], { commit: 5 })
  const of = (other: Survivor): ReadonlyArray<GivenUp> => planned([chosen, other], tenantOfFive).given_up

  it("is nothing of a log that is a part of the chosen one", () => {
    assert.isEmpty(of(left(2, ofFive(6), [...entries(1, 5), ...entries(6, 7, 6)], { commit: 3 })))
    assert.isEmpty(of(left(2, ofFive(4), entries(1, 5), { commit: 5 })))
  })

  it("is what goes on otherwise, from the first op that is of another view", () => {
    const other = left(2, ofFive(4), [...entries(1, 5), ...entries(6, 12, 4)], { commit: 5 })
    assert.deepStrictEqual(of(other), [{ replica: "r2::dev2", from: 6, count: 7, committed: 0 }])
  })

  it("is also what one has in its log that cannot be chosen, as it is none of the group", () => {
    const other = left(7, ofFive(6), [...entries(1, 5), ...entries(6, 11, 6)], { commit: 10 })
    assert.deepStrictEqual(of(other), [{ replica: "r7::dev7", from: 10, count: 2, committed: 1 }])
  })

  it("is seen where both have a log, and where one begins behind the other", () => {
    const behind = left(7, ofFive(6), entries(21, 25, 6), { base: 20, snapshot: 22, commit: 22 })
    assert.deepStrictEqual(of(behind), [{ replica: "r7::dev7", from: 10, count: 16, committed: 13 }])
  })
})

it("one write begins the tenant anew, and is one that a journal takes", () => {
  const log = entries(1, 9, 4)
  const its = head(7, 4)
  const { commit, entries: written, head: next, ...rest } = recoveryWrite(planned([left(2, its, log, { commit: 3 })]), 77)
  const view = firstView(1_001)
  assert.deepStrictEqual(next, { epoch: 1_001, view, log_view: view, fresh: false, whole: true, replicas: ["r2::dev2"], left: false })
  assert.deepStrictEqual(rest, { snapshot: null, truncate_to: null })
  const [{ operation, ...entry } = assert.fail("an entry")] = written
  assert.deepStrictEqual(entry, { op: 10, view: 4, time: 77, kind: "reconfigure", session: 0, request: 0, answered: 0 })
  assert.deepStrictEqual(decodeNextGroup(operation), { epoch: 1_001, replicas: ["r2::dev2"], leaving: ["r1::dev1", "r3::dev3"] })
  const held = afterWrite({ ...nothingHeld, head: its, entries: log, commit: 3 }, { ...rest, commit, entries: written, head: next }, "disk")
  assert.deepInclude(held, { commit: 10, head: next })
})
