/**
 * The registry of tenants: the laws of the merge, and names that are created in two places at once.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"

const ids = [1, 2, 3, 4].map((seed) => uuid(seeded(seed))).sort()
const three = [{ name: "r1", node: "dev1" }, { name: "r2", node: "dev2" }, { name: "r3", node: "dev3" }]
const usual: Tenants.Create = { id: ids[0]!, name: "orders", replicas: three, durability: "disk", coordinator: "dev1" }

const created = (tenants: Tenants.Tenants, options: Partial<Tenants.Create> = {}): Tenants.Tenants => {
  const result = Tenants.create(tenants, { ...usual, ...options })
  if (!result.ok) throw new Error(result.reason)
  return Tenants.confirm(result.tenants, result.tenant.id)
}

const same = (a: Tenants.Tenants, b: Tenants.Tenants): void =>
  assert.deepStrictEqual(Tenants.toRecords(a), Tenants.toRecords(b))

/** Any registry, also such as no run of a cluster could make: few ids, epochs and contents, so that they meet. */
const anyTenant = fc.record({
  id: fc.constantFrom(...ids),
  name: fc.constantFrom("a", "b", null),
  epoch: fc.nat(2),
  replicas: fc.constantFrom(three, three.slice(1), three.slice(0, 1)),
  durability: fc.constantFrom("disk" as const, "memory" as const),
  stamp: fc.integer({ min: 1, max: 3 }),
  confirmed: fc.boolean(),
  withdrawn: fc.boolean(),
  coordinator: fc.constantFrom("dev1", "dev2")
})
const anyRegistry = fc.uniqueArray(anyTenant, { selector: (tenant) => tenant.id }).map((tenants): Tenants.Tenants =>
  new Map(tenants.map((tenant) => [tenant.id, tenant]))
)

describe("merging", () => {
  it("is commutative, associative and idempotent for any registries", () => {
    fc.assert(fc.property(anyRegistry, anyRegistry, anyRegistry, (a, b, c) => {
      same(Tenants.merge(a, b), Tenants.merge(b, a))
      same(Tenants.merge(Tenants.merge(a, b), c), Tenants.merge(a, Tenants.merge(b, c)))
      same(Tenants.merge(a, a), a)
      same(Tenants.merge(Tenants.merge(a, b), b), Tenants.merge(a, b))
    }), { numRuns: 1_000 })
  })

  it("gives the very same registry back if and only if there was nothing new", () => {
    fc.assert(fc.property(anyRegistry, anyRegistry, (a, b) => {
      const merged = Tenants.merge(a, b)
      assert.strictEqual(Tenants.merge(merged, b), merged)
      if (merged === a) same(Tenants.merge(b, a), a)
      else assert.notDeepEqual(Tenants.toRecords(merged), Tenants.toRecords(a))
    }))
  })

  it("loses nothing that has nothing to do with the rest", () => {
    fc.assert(fc.property(anyRegistry, anyRegistry, (a, b) => {
      for (const [id, tenant] of Tenants.merge(a, b)) {
        const both = [a.get(id), b.get(id)].filter((one) => one !== undefined)
        // A claim that is confirmed anywhere is no claim that was taken back; what is deleted stays so.
        const isDeleted = both.some((one) => one.confirmed && one.withdrawn)
        assert.strictEqual(tenant.confirmed, both.some((one) => one.confirmed))
        assert.strictEqual(tenant.withdrawn, isDeleted || (!tenant.confirmed && both.some((one) => one.withdrawn)))
        assert.strictEqual(tenant.epoch, Math.max(...both.map((one) => one.epoch)))
        assert.strictEqual(tenant.stamp, Math.max(...both.map((one) => one.stamp)))
        // A group and its epoch, a name and its stamp, are of one record each.
        assert.isTrue(both.some((one) => one.epoch === tenant.epoch && one.replicas === tenant.replicas))
        assert.isTrue(both.some((one) => one.stamp === tenant.stamp && one.name === tenant.name))
      }
    }))
  })

  it("moves a tenant to the end that comes to another name, and no other", () => {
    fc.assert(fc.property(anyRegistry, anyRegistry, (a, b) => {
      const merged = Tenants.merge(a, b)
      const stayed = [...a.keys()].filter((id) => merged.get(id)?.name === a.get(id)?.name)
      assert.deepStrictEqual([...merged.keys()].slice(0, stayed.length), stayed)
    }))
  })
})

describe("a tenant that changes", () => {
  const one = created(Tenants.noTenants)
  const five = [...three, { name: "r4", node: "dev4" }, { name: "a0", node: "dev5" }]

  it("adopts the group of a higher epoch, and no other", () => {
    const grown = Tenants.adopt(one, ids[0]!, 2, five)
    assert.deepStrictEqual(grown.get(ids[0]!), {
      ...one.get(ids[0]!)!, epoch: 2, replicas: [{ name: "a0", node: "dev5" }, ...three, { name: "r4", node: "dev4" }]
    })
    for (const epoch of [0, 1, 2]) assert.strictEqual(Tenants.adopt(grown, ids[0]!, epoch, three), grown)
    assert.strictEqual(Tenants.adopt(one, ids[1]!, 1, three), one)
    const gone = Tenants.remove(one, ids[0]!)
    assert.strictEqual(Tenants.adopt(gone, ids[0]!, 1, five), gone)
  })

  it("has another name with a stamp above all others", () => {
    const two = created(one, { id: ids[1]!, name: "bills" })
    const renamed = Tenants.rename(two, ids[0]!, "shop")
    assert.deepStrictEqual(renamed.get(ids[0]!), { ...one.get(ids[0]!)!, name: "shop", stamp: 3 })
    assert.strictEqual(Tenants.find(renamed, "shop")?.id, ids[0])
    assert.isUndefined(Tenants.find(renamed, "orders"))
    assert.deepStrictEqual([...renamed.keys()], [ids[1], ids[0]])
    assert.strictEqual(Tenants.rename(renamed, ids[0]!, "shop"), renamed)
    assert.strictEqual(Tenants.rename(renamed, ids[3]!, "x"), renamed)
    const gone = Tenants.remove(one, ids[0]!)
    assert.strictEqual(Tenants.rename(gone, ids[0]!, "shop"), gone)
  })

  it("keeps its new name and its new group, though nobody who changed the one knew of the other", () => {
    const [renamed, grown] = [Tenants.rename(one, ids[0]!, "shop"), Tenants.adopt(one, ids[0]!, 7, five)]
    for (const merged of [Tenants.merge(renamed, grown), Tenants.merge(grown, renamed)]) {
      assert.deepInclude(merged.get(ids[0]!), { name: "shop", stamp: 2, epoch: 7, confirmed: true })
    }
  })

  it("that is in use is not taken back by a creator which has forgotten that it confirmed it", () => {
    const claimed = Tenants.create(Tenants.noTenants, usual)
    if (!claimed.ok) throw new Error(claimed.reason)
    const forgetful = Tenants.withdrawUnfinished(claimed.tenants, usual.coordinator)
    assert.deepInclude(forgetful.get(ids[0]!), { confirmed: false, withdrawn: true })
    const used = Tenants.confirm(claimed.tenants, ids[0]!)
    for (const merged of [Tenants.merge(forgetful, used), Tenants.merge(used, forgetful)]) {
      assert.deepInclude(merged.get(ids[0]!), { confirmed: true, withdrawn: false })
      assert.deepInclude(Tenants.merge(merged, Tenants.remove(claimed.tenants, ids[0]!)).get(ids[0]!), { confirmed: true, withdrawn: true })
    }
  })

  it("stays withdrawn, whatever its replicas commit where that was not heard", () => {
    const grown = Tenants.adopt(one, ids[0]!, 7, five)
    for (const merged of [Tenants.merge(grown, Tenants.remove(one, ids[0]!)), Tenants.merge(Tenants.remove(one, ids[0]!), grown)]) {
      assert.deepInclude(merged.get(ids[0]!), { withdrawn: true, epoch: 7 })
      assert.isEmpty(Tenants.list(merged))
    }
  })

  it("claims its new name after those that were heard of before; but the name is its own once it may be used", () => {
    const claim = (tenants: Tenants.Tenants, id: string): Tenants.Tenants => {
      const result = Tenants.create(tenants, { ...usual, id, name: "shop" })
      if (!result.ok) throw new Error(result.reason)
      return result.tenants
    }
    // dev2 has reserved it for the tenant, dev3 creates another one, and here it is heard in this order.
    const reserved = claim(one, ids[1]!)
    const rival = claim(one, ids[2]!)
    const both = Tenants.merge(reserved, rival)
    assert.strictEqual(Tenants.firstOf(both, rival.get(ids[2]!)!)?.id, ids[1])
    const renamed = Tenants.remove(Tenants.rename(reserved, ids[0]!, "shop"), ids[1]!)
    const after = Tenants.merge(both, renamed)
    assert.deepStrictEqual([...after.keys()], [ids[1], ids[2], ids[0]])
    assert.strictEqual(Tenants.firstOf(after, rival.get(ids[2]!)!)?.id, ids[0])
    // Whoever has heard of a claim alone goes by that.
    assert.strictEqual(Tenants.firstOf(rival, rival.get(ids[2]!)!)?.id, ids[2])
  })
})

describe("creating", () => {
  it("gives a tenant in its first epoch, with its replicas sorted", () => {
    const result = Tenants.create(Tenants.noTenants, {
      id: ids[0]!,
      name: "orders",
      replicas: [{ name: "b", node: "n1" }, { name: "a-", node: "n2" }, { name: "a", node: "n3" }],
      durability: "memory",
      coordinator: "n1"
    })
    assert.isTrue(result.ok)
    if (!result.ok) return
    assert.deepStrictEqual(result.tenant, {
      id: ids[0]!,
      name: "orders",
      epoch: 0,
      replicas: [{ name: "a", node: "n3" }, { name: "a-", node: "n2" }, { name: "b", node: "n1" }],
      durability: "memory",
      stamp: 1,
      confirmed: false,
      withdrawn: false,
      coordinator: "n1"
    })
    const confirmed = Tenants.confirm(result.tenants, ids[0]!)
    assert.deepStrictEqual(Tenants.find(confirmed, "orders"), { ...result.tenant, confirmed: true })
    assert.deepStrictEqual(Tenants.find(confirmed, ids[0]!), { ...result.tenant, confirmed: true })
    assert.isUndefined(Tenants.find(confirmed, ids[1]!))
  })

  it("is a claim that nobody may use, until it is confirmed; but the name is taken", () => {
    const claimed = Tenants.create(Tenants.noTenants, { ...usual, durability: "memory" })
    if (!claimed.ok) throw new Error(claimed.reason)
    assert.isUndefined(Tenants.find(claimed.tenants, "orders"))
    assert.isUndefined(Tenants.find(claimed.tenants, ids[0]!))
    assert.isEmpty(Tenants.list(claimed.tenants))
    assert.strictEqual(Tenants.holderOf(claimed.tenants, "orders")?.id, ids[0])
    const taken = Tenants.create(claimed.tenants, { ...usual, id: ids[1]!, coordinator: "dev2" })
    assert.deepInclude(taken, { ok: false, code: "conflict" })
    assert.isUndefined(Tenants.holderOf(Tenants.withdrawUnfinished(claimed.tenants, "dev1"), "orders"))
    same(Tenants.withdrawUnfinished(claimed.tenants, "dev2"), claimed.tenants)
  })

  it("stays with its confirmed holder, though an older claim turns up that is none yet", () => {
    const claimed = Tenants.create(Tenants.noTenants, { ...usual, durability: "memory" })
    if (!claimed.ok) throw new Error(claimed.reason)
    const other = created(Tenants.noTenants, { id: ids[1]! })
    assert.strictEqual(Tenants.find(Tenants.merge(other, claimed.tenants), "orders")?.id, ids[1])
  })

  it.each<[string, Partial<Tenants.Create>, string]>([
    ["no replica", { replicas: [] }, "a tenant has 1 to 7 replicas, got 0"],
    [
      "eight replicas",
      { replicas: Array.from({ length: 8 }, (_, n) => ({ name: `r${n}`, node: `n${n}` })) },
      "a tenant has 1 to 7 replicas, got 8"
    ],
    [
      "one replica name on two nodes",
      { replicas: [{ name: "r1", node: "a" }, { name: "r1", node: "b" }] },
      `replica names are distinct within a tenant, "r1" is there twice`
    ],
    [
      "two replicas on one node",
      { replicas: [{ name: "r1", node: "a" }, { name: "r2", node: "a" }] },
      `a node holds one replica of a tenant at most, "a" is there twice`
    ],
    ["a bad name", { name: "a b" }, `a name has only letters, digits, ".", "_" and "-"; "a b" has " "`],
    ["a bad replica name", { replicas: [{ name: "", node: "a" }] }, "replica name: a name must not be empty"],
    ["a bad node name", { replicas: [{ name: "a", node: "" }] }, "node name: a name must not be empty"],
    ["a bad id", { id: "1" }, "a tenant needs a new UUID as its id"]
  ])("refuses %s", (_, wrong, reason) => {
    const result = Tenants.create(Tenants.noTenants, {
      ...usual,
      ...wrong
    })
    assert.deepStrictEqual(result, { ok: false, code: "usage", reason })
  })

  it("refuses a name that is taken, and takes it once its holder is withdrawn", () => {
    const one = created(Tenants.noTenants)
    const again = { ...usual, id: ids[1]!, coordinator: "dev2" }
    assert.deepStrictEqual(Tenants.create(one, again), {
      ok: false,
      code: "conflict",
      reason: `the tenant name "orders" is already taken by tenant ${ids[0]}, created through dev1`
    })
    const free = Tenants.remove(one, ids[0]!)
    assert.isUndefined(Tenants.find(free, "orders"))
    assert.isUndefined(Tenants.find(free, ids[0]!))
    const result = Tenants.create(free, again)
    assert.isTrue(result.ok && result.tenant.stamp === 2)
  })

  it("takes any number of tenants without a name, up to the bound", () => {
    const random = seeded(5)
    const one = created(Tenants.noTenants, { name: null }).get(ids[0]!)!
    const crowd = Array.from({ length: Limits.tenants_max }, () => ({ ...one, id: uuid(random) }))
    const tenants: Tenants.Tenants = new Map(crowd.map((tenant) => [tenant.id, tenant]))
    const full = { ...usual, id: ids[1]!, name: null }
    assert.isNull(Tenants.sizeProblem(tenants))
    assert.deepStrictEqual(Tenants.create(tenants, full), {
      ok: false,
      code: "denied",
      reason: `a cluster has at most ${Limits.tenants_max} tenants, got ${Limits.tenants_max + 1}`
    })
    assert.isTrue(Tenants.create(Tenants.remove(tenants, crowd[0]!.id), full).ok)
  })

  it("lists those with a name first", () => {
    let tenants = created(Tenants.noTenants, { id: ids[0]!, name: null })
    tenants = created(tenants, { id: ids[1]!, name: "b" })
    tenants = created(tenants, { id: ids[2]!, name: "a" })
    tenants = Tenants.remove(created(tenants, { id: ids[3]!, name: "c" }), ids[3]!)
    assert.deepStrictEqual(Tenants.list(tenants).map((one) => one.id), [ids[2], ids[1], ids[0]])
  })
})

describe("one name created in several places at once", () => {
  const event = fc.oneof(
    fc.record({ _tag: fc.constant("create"), at: fc.nat(3), name: fc.constantFrom("a", "b") }),
    fc.record({ _tag: fc.constant("gossip"), at: fc.nat(3), to: fc.nat(3) }),
    fc.record({ _tag: fc.constant("settle"), at: fc.nat(3) })
  )
  /** A coordinator withdraws what it created and what lost its name, as far as it knows. */
  const settle = (tenants: Tenants.Tenants, coordinator: string): Tenants.Tenants =>
    Tenants.nameConflicts(tenants)
      .flatMap((conflict) => conflict.losers)
      .filter((loser) => loser.coordinator === coordinator)
      .reduce((rest, loser) => Tenants.remove(rest, loser.id), tenants)

  it("ends with one agreed holder at all nodes, whatever the order of merges", () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 40, size: "max" }), fc.nat(1_000), (events, seed) => {
      const random = seeded(seed)
      const nodes: Array<Tenants.Tenants> = ids.map(() => Tenants.noTenants)
      const all: Array<Tenants.Tenant> = []
      for (const one of events) {
        const known = nodes[one.at]!
        if (one._tag === "create") {
          const coordinator = `dev${one.at}`
          const result = Tenants.create(known, { ...usual, id: uuid(random), name: one.name, coordinator })
          assert.strictEqual(result.ok, Tenants.holderOf(known, one.name) === undefined)
          if (!result.ok) continue
          nodes[one.at] = result.tenants
          all.push(result.tenant)
        } else if (one._tag === "gossip") nodes[one.to] = Tenants.merge(nodes[one.to]!, known)
        else nodes[one.at] = settle(known, `dev${one.at}`)
      }
      const forward = nodes.reduce(Tenants.merge)
      const backward = nodes.toReversed().reduce((a, b) => Tenants.merge(b, a))
      same(forward, backward)
      const settled = ids.reduce((tenants, _, index) => settle(tenants, `dev${index}`), forward)
      assert.deepStrictEqual(Tenants.nameConflicts(settled), [])
      for (const name of ["a", "b"]) {
        // Whoever settled early, with half the news, has not withdrawn the one that all agree on in the end.
        const [winner] = all
          .filter((tenant) => tenant.name === name)
          .sort((a, b) => a.stamp - b.stamp || (a.id < b.id ? -1 : 1))
        assert.strictEqual(Tenants.holderOf(forward, name)?.id, winner?.id)
        assert.strictEqual(Tenants.holderOf(settled, name)?.id, winner?.id)
      }
    }), { numRuns: 500 })
  })

  it("prefers the one that was created first, where one knew of the other", () => {
    const first = created(Tenants.noTenants, { id: ids[3]!, name: "a", coordinator: "dev1" })
    const second = created(created(Tenants.noTenants, { id: ids[1]!, name: null }), { id: ids[0]!, name: "a" })
    const merged = Tenants.merge(second, first)
    assert.deepStrictEqual(Tenants.nameConflicts(merged), [
      { name: "a", winner: first.get(ids[3]!)!, losers: [second.get(ids[0]!)!] }
    ])
    assert.strictEqual(Tenants.find(merged, "a")?.id, ids[3])
    assert.strictEqual(Tenants.find(merged, ids[0]!)?.id, ids[0])
  })
})

describe("records", () => {
  it("are read back as the same registry", () => {
    fc.assert(fc.property(anyRegistry, (tenants) => {
      const back = Tenants.fromRecords(Tenants.toRecords(tenants))
      assert.isTrue(back.ok)
      if (back.ok) same(back.value, tenants)
    }))
  })

  it("are refused when they break a rule", () => {
    const fine = created(Tenants.noTenants).get(ids[0]!)!
    const reason = (...records: ReadonlyArray<Tenants.Tenant>) => {
      const result = Tenants.fromRecords(records)
      return result.ok ? null : result.reason
    }
    assert.isNull(reason(fine))
    assert.strictEqual(reason(fine, fine), `tenant ${ids[0]} is there twice`)
    assert.strictEqual(reason({ ...fine, id: "x" }), "a tenant id is a UUID")
    assert.strictEqual(reason({ ...fine, epoch: -1 }), `tenant ${ids[0]}: an epoch is an integer from 0 to ${Limits.epoch_max}`)
    assert.isNotNull(reason({ ...fine, epoch: Limits.epoch_max + 1 }))
    assert.strictEqual(reason({ ...fine, stamp: 0.5 }), `tenant ${ids[0]}: a stamp is an integer from 1 to ${Limits.counter_max}`)
    assert.isNotNull(reason({ ...fine, stamp: Limits.counter_max + 1 }))
    assert.strictEqual(reason({ ...fine, coordinator: "" }), `tenant ${ids[0]}: a name must not be empty`)
    assert.strictEqual(reason({ ...fine, replicas: [] }), `tenant ${ids[0]}: a tenant has 1 to 7 replicas, got 0`)
  })

  it("come out with their replicas sorted, however they were sent", () => {
    const fine = created(Tenants.noTenants).get(ids[0]!)!
    const back = Tenants.fromRecords([{ ...fine, replicas: three.toReversed() }])
    assert.deepStrictEqual(back.ok && back.value.get(ids[0]!), fine)
  })
})
