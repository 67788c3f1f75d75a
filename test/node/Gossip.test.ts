/**
 * What becomes of what two nodes know: always the union, whatever was decided while they did not hear each other.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Members from "../../src/members/Members.ts"
import { isOutcast, mergeStates, type State } from "../../src/node/Gossip.ts"
import { joinProblem } from "../../src/node/Join.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"

const random = seeded(1)

const member = (name: string, host = name): Members.Member => ({
  id: uuid(random), name, admin: `${host}:1`, client: `${host}:2`, cluster: `${host}:3`, peer: `${host}:4`
})

const membersOf = (...all: ReadonlyArray<Members.Member>): Members.Members =>
  new Map(all.map((one) => [one.id, { id: one.id, tag: 1, member: one, drains: 0, gone: null }]))

const merged = (ours: State, theirs: State, self: Members.Member): State => {
  const state = mergeStates(ours, theirs, self)
  if (typeof state === "string") throw new Error(state)
  return state
}

const restarted = (state: State): State => {
  const members = Members.fromRecords(Members.toRecords(state.members))
  const tenants = Tenants.fromRecords(Tenants.toRecords(state.tenants))
  if (!members.ok) throw new Error(members.reason)
  if (!tenants.ok) throw new Error(tenants.reason)
  return { members: members.value, tenants: tenants.value }
}

const same = (a: State, b: State): void => {
  assert.deepStrictEqual(Members.toRecords(a.members), Members.toRecords(b.members))
  assert.deepStrictEqual(Tenants.toRecords(a.tenants), Tenants.toRecords(b.tenants))
}

const [one, two, low, high] = [member("a"), member("b"), ...[member("x", "x1"), member("x", "x2")].sort((a, b) =>
  a.id < b.id ? -1 : 1)]

describe("merging what two nodes know", () => {
  it("takes in both of one name: the one stays, the other is told that it is out, and all nodes agree", () => {
    const atOne: State = { members: membersOf(one!, two!, low!), tenants: Tenants.noTenants }
    const atTwo: State = { members: membersOf(one!, two!, high!), tenants: Tenants.noTenants }
    const state = merged(atOne, atTwo, one!)
    same(state, merged(atTwo, atOne, two!))
    assert.deepStrictEqual(Members.conflicts(state.members), [])
    assert.strictEqual(Members.find(state.members, "x")?.id, low!.id)
    const loser = merged({ members: membersOf(high!, two!), tenants: Tenants.noTenants }, state, high!)
    assert.isTrue(isOutcast(loser, high!))
    assert.isFalse(isOutcast(merged(atOne, loser, low!), low!))
    // Also with what it has kept, and whoever hears it.
    assert.isTrue(isOutcast(merged(restarted(loser), atTwo, high!), high!))
    same(merged(state, loser, one!), state)
    // It does not count any more.
    assert.strictEqual(Members.list(state.members).length, 3)
  })

  it("takes in more nodes than a cluster may have, and reads them back", () => {
    const crowd = Array.from({ length: Limits.members_max }, (_, n) => member(`n${n}`))
    const [first, ...rest] = crowd
    const state = merged(
      { members: membersOf(first!, ...rest), tenants: Tenants.noTenants },
      { members: membersOf(first!, member("late")), tenants: Tenants.noTenants },
      first!
    )
    assert.strictEqual(Members.list(state.members).length, Limits.members_max + 1)
    same(merged(restarted(state), state, first!), state)
  })

  it("takes in more tenants than a cluster may have, and reads them back", () => {
    const tenant = (): Tenants.Tenant => ({
      id: uuid(random), name: null, epoch: 0, replicas: [{ name: "r1", node: "a" }], durability: "memory",
      stamp: 1, confirmed: true, withdrawn: false, coordinator: "a"
    })
    const tenantsOf = (count: number) => new Map(Array.from({ length: count }, tenant).map((each) => [each.id, each]))
    const members = membersOf(one!, two!)
    const state = merged({ members, tenants: tenantsOf(Limits.tenants_max) }, { members, tenants: tenantsOf(1) }, one!)
    assert.strictEqual(Tenants.list(state.tenants).length, Limits.tenants_max + 1)
    same(merged(restarted(state), state, one!), state)
  })

  it("refuses what no cluster can have come to", () => {
    const state = (count: number): State => ({
      members: membersOf(one!, ...Array.from({ length: count }, (_, n) => member(`n${n}`))),
      tenants: Tenants.noTenants
    })
    assert.strictEqual(
      mergeStates(state(0), state(Limits.members_known_max), one!),
      `a cluster remembers at most ${Limits.members_known_max} nodes, got ${Limits.members_known_max + 1}`
    )
  })
})

describe("joining two nodes that know this", () => {
  const state = (...members: ReadonlyArray<Members.Member>): State => ({
    members: membersOf(...members),
    tenants: Tenants.noTenants
  })
  const crowd = Array.from({ length: Limits.members_max }, (_, n) => member(`n${n}`))

  it("is refused where two nodes would have one name, or have had", () => {
    const reason = `the node name "x" is already taken by another node, at cluster address ${low!.cluster}`
    assert.strictEqual(joinProblem(state(one!, low!), state(high!), one!), reason)
    const lost = mergeStates(state(high!), state(low!), high!)
    assert.isTrue(typeof lost !== "string" && joinProblem(lost, state(one!), high!)?.startsWith(reason))
  })

  it("is refused where it would be too many, and possible again where they are too many already", () => {
    const late = member("late")
    assert.isNull(joinProblem(state(...crowd.slice(1)), state(late), crowd[1]!))
    assert.strictEqual(
      joinProblem(state(...crowd), state(late), crowd[0]!),
      `a cluster has at most ${Limits.members_max} nodes, got ${Limits.members_max + 1}`
    )
    assert.isNull(joinProblem(state(...crowd, late), state(late), crowd[0]!))
    assert.isNull(joinProblem(state(late), state(...crowd, late), late))
  })
})
