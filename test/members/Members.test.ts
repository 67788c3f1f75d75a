/**
 * Membership: the laws of the merge, and what nodes may do to the set.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Members from "../../src/members/Members.ts"

const ids = [1, 2, 3, 4].map((seed) => uuid(seeded(seed))).sort()

const member = (node: number, base = 2_000, name = `dev${node}`): Members.Member => ({
  id: ids[node]!,
  name,
  cluster: `10.0.0.${node}:${base}`,
  admin: `10.0.0.${node}:${base + 1}`,
  client: `10.0.0.${node}:${base + 2}`,
  peer: `10.0.0.${node}:${base + 3}`
})

const added = (members: Members.Members, ...more: ReadonlyArray<Members.Member>): Members.Members =>
  more.reduce((set, one) => {
    const result = Members.add(set, one)
    if (!result.ok) throw new Error(result.reason)
    return result.value
  }, members)

const same = (a: Members.Members, b: Members.Members): void =>
  assert.deepStrictEqual(Members.toRecords(a), Members.toRecords(b))

/** Any record, also such as no run of a cluster could make: few ids and tags, so that they meet. */
const record = fc.record({
  node: fc.nat(3),
  tag: fc.integer({ min: 1, max: 3 }),
  base: fc.option(fc.constantFrom(2_000, 3_000)),
  name: fc.constantFrom("a", "b"),
  drains: fc.nat(2),
  gone: fc.option(fc.record({ name: fc.constantFrom("a", "b"), why: fc.constantFrom("left" as const, "dead" as const) }), { freq: 1 })
}).map(({ node, tag, base, name, drains, gone }): Members.MemberRecord => ({
  id: ids[node]!,
  tag,
  member: base === null ? null : member(node, base, name),
  drains,
  gone
}))
const anySet = fc.uniqueArray(record, { selector: (one) => one.id }).map((records): Members.Members =>
  new Map(records.map((one) => [one.id, one]))
)

/** What may happen in a cluster of four nodes, each with a replica of the set. */
const event = fc.oneof(
  fc.record({ _tag: fc.constant("add"), at: fc.nat(3), base: fc.constantFrom(2_000, 3_000) }),
  fc.record({ _tag: fc.constant("remove"), at: fc.nat(3), node: fc.nat(3) }),
  fc.record({ _tag: fc.constant("gossip"), at: fc.nat(3), to: fc.nat(3) })
)

describe("merging", () => {
  it("is commutative, associative and idempotent for any sets", () => {
    fc.assert(fc.property(anySet, anySet, anySet, (a, b, c) => {
      same(Members.merge(a, b), Members.merge(b, a))
      same(Members.merge(Members.merge(a, b), c), Members.merge(a, Members.merge(b, c)))
      same(Members.merge(a, a), a)
      same(Members.merge(Members.merge(a, b), b), Members.merge(a, b))
    }), { numRuns: 1_000 })
  })

  it("gives the very same set back if and only if there was nothing new", () => {
    fc.assert(fc.property(anySet, anySet, (a, b) => {
      const merged = Members.merge(a, b)
      assert.strictEqual(Members.merge(merged, b), merged)
      if (merged === a) same(Members.merge(b, a), a)
      else assert.notDeepEqual(Members.toRecords(merged), Members.toRecords(a))
    }))
  })

  it("changes neither of the two", () => {
    fc.assert(fc.property(anySet, anySet, (a, b) => {
      const before = [Members.toRecords(a), Members.toRecords(b)]
      Members.merge(a, b)
      assert.deepStrictEqual([Members.toRecords(a), Members.toRecords(b)], before)
    }))
  })

  it("keeps what operators said, whatever the nodes say of themselves", () => {
    fc.assert(fc.property(anySet, anySet, (a, b) => {
      for (const [id, record] of Members.merge(a, b)) {
        const both = [a.get(id), b.get(id)].filter((one) => one !== undefined)
        assert.strictEqual(record.drains, Math.max(...both.map((one) => one.drains)))
        assert.strictEqual(record.gone !== null, both.some((one) => one.gone !== null))
        assert.strictEqual(record.tag, Math.max(...both.map((one) => one.tag)))
      }
    }))
  })

  it("brings all nodes to one set, with everyone whose last add nobody removed after seeing it", () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 40, size: "max" }), (events) => {
      const nodes: Array<Members.Members> = ids.map(() => Members.noMembers)
      // The textbook OR-Set beside ours: tags added, tags removed, as seen by each node.
      const seen = ids.map(() => ({ tags: new Set<string>(), removed: new Set<string>() }))
      for (const one of events) {
        if (one._tag === "add") {
          const before = nodes[one.at]!
          nodes[one.at] = added(before, member(one.at, one.base))
          const { tag } = nodes[one.at]!.get(ids[one.at]!)!
          if (nodes[one.at] === before) continue
          for (const other of seen[one.at]!.tags) if (other.startsWith(ids[one.at]!)) seen[one.at]!.removed.add(other)
          seen[one.at]!.tags.add(`${ids[one.at]} ${tag}`)
        } else if (one._tag === "remove") {
          nodes[one.at] = Members.remove(nodes[one.at]!, ids[one.node]!)
          for (const other of seen[one.at]!.tags) if (other.startsWith(ids[one.node]!)) seen[one.at]!.removed.add(other)
        } else {
          nodes[one.to] = Members.merge(nodes[one.to]!, nodes[one.at]!)
          for (const key of ["tags", "removed"] as const) {
            for (const tag of seen[one.at]![key]) seen[one.to]![key].add(tag)
          }
        }
        for (const [index, node] of nodes.entries()) {
          const model = seen[index]!
          const present = [...model.tags].filter((tag) => !model.removed.has(tag)).map((tag) => tag.split(" ")[0]!)
          assert.deepStrictEqual(Members.list(node).map((one) => one.id).sort(), present.sort())
        }
      }
      const forward = nodes.reduce(Members.merge)
      same(forward, nodes.toReversed().reduce(Members.merge))
    }), { numRuns: 500 })
  })
})

describe("adding", () => {
  it("is idempotent", () => {
    const once = added(Members.noMembers, member(0), member(1))
    assert.strictEqual(added(once, member(1)), once)
  })

  it("lets a node move: same id, new addresses", () => {
    const before = added(Members.noMembers, member(0), member(1))
    const after = added(before, member(1, 3_000))
    assert.deepStrictEqual(Members.list(after), [member(0), member(1, 3_000)])
    same(Members.merge(before, after), after)
  })

  it("refuses a name that another node holds, and says where that one is", () => {
    const result = Members.add(added(Members.noMembers, member(0)), member(1, 2_000, "dev0"))
    assert.deepStrictEqual(result, {
      ok: false,
      reason: `the node name "dev0" is already taken by another node, at cluster address 10.0.0.0:2000`
    })
  })

  it("frees the name of a removed node", () => {
    const set = Members.remove(added(Members.noMembers, member(0)), ids[0]!)
    assert.deepStrictEqual(Members.list(added(set, member(1, 2_000, "dev0"))), [member(1, 2_000, "dev0")])
  })

  it("refuses what is malformed", () => {
    const reason = (wrong: Partial<Members.Member>) => {
      const result = Members.add(Members.noMembers, { ...member(0), ...wrong })
      return result.ok ? null : result.reason
    }
    assert.strictEqual(reason({ id: "dev0" }), "a node id is a UUID")
    assert.strictEqual(reason({ name: "" }), "node name: a name must not be empty")
    assert.match(reason({ peer: "10.0.0.1" })!, /^peer address of dev0: expected host:port/)
  })

  it("refuses one node too many, but still lets the others move", () => {
    const random = seeded(7)
    const one = (n: number) => ({ ...member(0), name: `n${n}`, id: uuid(random) })
    const crowd = Array.from({ length: Limits.members_max }, (_, n) => one(n))
    const full = added(Members.noMembers, ...crowd)
    const refused = Members.add(full, member(0))
    assert.deepStrictEqual(refused, { ok: false, reason: `a cluster has at most ${Limits.members_max} nodes` })
    const moved = { ...crowd[3]!, peer: "10.9.9.9:1" }
    assert.deepStrictEqual(Members.findById(added(full, moved), moved.id), moved)
    assert.isNull(Members.sizeProblem(full))
    const two = Members.merge(full, added(Members.noMembers, member(0)))
    assert.strictEqual(Members.sizeProblem(two), `a cluster has at most ${Limits.members_max} nodes, got 65`)
  })
})

describe("removing", () => {
  it("is forgotten by nobody, whichever way the news travels", () => {
    const both = added(Members.noMembers, member(0), member(1))
    const less = Members.remove(both, ids[1]!)
    assert.deepStrictEqual(Members.list(Members.merge(both, less)), [member(0)])
    assert.deepStrictEqual(Members.list(Members.merge(less, both)), [member(0)])
    assert.strictEqual(Members.remove(less, ids[1]!), less)
    assert.strictEqual(Members.remove(less, ids[2]!), less)
  })

  it("does not take away an add that it did not see", () => {
    const both = added(Members.noMembers, member(0), member(1))
    const removed = Members.remove(both, ids[1]!)
    const moved = added(both, member(1, 3_000))
    assert.deepStrictEqual(Members.list(Members.merge(removed, moved)), [member(0), member(1, 3_000)])
  })

  it("lets the removed node come back by adding itself again", () => {
    const removed = Members.remove(added(Members.noMembers, member(0)), ids[0]!)
    const back = added(removed, member(0))
    assert.deepStrictEqual(Members.list(Members.merge(removed, back)), [member(0)])
  })
})

describe("a node that is gone", () => {
  const both = added(Members.noMembers, member(0), member(1))
  const less = Members.depart(both, ids[1]!, "left")

  it("never comes back under its id, whatever it says, and whichever way the news travels", () => {
    assert.deepStrictEqual(Members.list(less), [member(0)])
    assert.isUndefined(Members.find(less, "dev1"))
    assert.isUndefined(Members.findById(less, ids[1]!))
    assert.deepStrictEqual(Members.add(less, member(1)), { ok: false, reason: "node dev1 has left the cluster" })
    // It had announced itself anew where nobody had heard of it yet.
    const moved = added(both, member(1, 3_000))
    for (const merged of [Members.merge(less, moved), Members.merge(moved, less)]) {
      assert.deepStrictEqual(Members.list(merged), [member(0)])
      assert.deepStrictEqual(Members.departed(merged).map(({ gone, id }) => [id, gone]), [[ids[1], { name: "dev1", why: "left" }]])
    }
    assert.strictEqual(Members.depart(less, ids[1]!, "dead"), less)
    assert.strictEqual(Members.depart(less, ids[3]!, "dead"), less)
    const dead = Members.depart(both, ids[1]!, "dead")
    assert.deepStrictEqual(Members.add(dead, member(1)), { ok: false, reason: "node dev1 was removed from the cluster as dead" })
  })

  it("leaves its name to another one, and then is not told of any more", () => {
    const fresh = { ...member(2), name: "dev1" }
    const again = added(less, fresh)
    assert.deepStrictEqual(Members.list(again), [member(0), fresh])
    assert.deepStrictEqual(Members.conflicts(again), [])
    assert.deepStrictEqual(Members.departed(again), [])
    assert.strictEqual(Members.settle(again), again)
    // As two nodes of a name, but one of them is gone, though it has the lower id.
    assert.deepStrictEqual(Members.find(Members.merge(added(Members.noMembers, fresh), less), "dev1"), fresh)
  })

  it("does not count towards how many a cluster may have", () => {
    const random = seeded(7)
    const crowd = Array.from({ length: Limits.members_max }, (_, n) => ({ ...member(0), name: `n${n}`, id: uuid(random) }))
    const full = added(Members.noMembers, ...crowd)
    assert.isTrue(Members.add(Members.depart(full, crowd[5]!.id, "dead"), member(0)).ok)
  })
})

describe("draining", () => {
  const draining = (members: Members.Members, node = 1) => Members.isDraining(members.get(ids[node]!)!)
  const both = added(Members.noMembers, member(0), member(1))
  const marked = Members.setDraining(both, ids[1]!, true)

  it("is kept when the node announces itself anew, and ends when an operator says so", () => {
    assert.deepStrictEqual([draining(marked, 0), draining(marked)], [false, true])
    assert.isTrue(draining(added(marked, member(1, 3_000))))
    // Also where it did so before it heard of that.
    const moved = added(both, member(1, 3_000))
    for (const merged of [Members.merge(moved, marked), Members.merge(marked, moved)]) {
      assert.isTrue(draining(merged))
      assert.deepStrictEqual(Members.findById(merged, ids[1]!), member(1, 3_000))
    }
    const cancelled = Members.setDraining(marked, ids[1]!, false)
    assert.isFalse(draining(Members.merge(marked, cancelled)))
    assert.isTrue(draining(Members.merge(cancelled, Members.setDraining(cancelled, ids[1]!, true))))
  })

  it("is the same when said twice, and nothing for a node that is not known", () => {
    assert.strictEqual(Members.setDraining(marked, ids[1]!, true), marked)
    assert.strictEqual(Members.setDraining(both, ids[1]!, false), both)
    assert.strictEqual(Members.setDraining(both, ids[3]!, true), both)
    assert.isTrue(draining(Members.merge(marked, Members.setDraining(both, ids[1]!, true))))
  })
})

describe("two nodes of one name", () => {
  const low = added(Members.noMembers, member(1, 2_000, "dev"))
  const high = added(Members.noMembers, member(2, 2_000, "dev"), member(3))

  it("have one winner everywhere, and the conflict is reported", () => {
    for (const merged of [Members.merge(low, high), Members.merge(high, low)]) {
      assert.deepStrictEqual(Members.conflicts(merged), [
        { name: "dev", winner: member(1, 2_000, "dev"), losers: [member(2, 2_000, "dev")] }
      ])
      assert.deepStrictEqual(Members.find(merged, "dev"), member(1, 2_000, "dev"))
      assert.deepStrictEqual(Members.list(merged).map((one) => one.id), [ids[1], ids[3]])
      assert.deepStrictEqual(Members.findById(merged, ids[2]!), member(2, 2_000, "dev"))
    }
    assert.deepStrictEqual(Members.conflicts(high), [])
  })

  it("leave the winner free to move, and the loser not", () => {
    const merged = Members.merge(low, high)
    assert.deepStrictEqual(Members.find(added(merged, member(1, 3_000, "dev")), "dev"), member(1, 3_000, "dev"))
    assert.isFalse(Members.add(merged, member(2, 3_000, "dev")).ok)
  })
})

describe("records", () => {
  it("are read back as the same set", () => {
    fc.assert(fc.property(anySet, (set) => {
      const back = Members.fromRecords(Members.toRecords(set))
      assert.isTrue(back.ok)
      if (back.ok) same(back.value, set)
    }))
  })

  it("are refused when they break a rule", () => {
    const reason = (...records: ReadonlyArray<Members.MemberRecord>) => {
      const result = Members.fromRecords(records)
      return result.ok ? null : result.reason
    }
    const fine: Members.MemberRecord = { id: ids[0]!, tag: 1, member: member(0), drains: 0, gone: null }
    assert.isNull(reason(fine))
    assert.strictEqual(reason(fine, fine), `node id ${ids[0]} is there twice`)
    assert.strictEqual(reason({ ...fine, id: "x" }), "a node id is a UUID")
    assert.strictEqual(reason({ ...fine, tag: 0 }), `the tag of node ${ids[0]} is an integer from 1 to ${Limits.counter_max}`)
    const beyond = { ...fine, tag: Limits.counter_max + 1 }
    assert.strictEqual(reason(beyond), `the tag of node ${ids[0]} is an integer from 1 to ${Limits.counter_max}`)
    assert.strictEqual(reason({ ...fine, drains: -1 }), `the drains of node ${ids[0]} are an integer from 0 to ${Limits.counter_max}`)
    assert.strictEqual(
      reason({ ...fine, gone: { name: "", why: "left" } }), `name of node ${ids[0]}, which is gone: a name must not be empty`
    )
    assert.strictEqual(reason({ ...fine, member: member(1) }), `node ${ids[0]} has a member of another id`)
    assert.match(reason({ ...fine, member: { ...member(0), client: "?" } })!, /^client address of dev0: expected/)
  })
})
