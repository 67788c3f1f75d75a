/**
 * Which group a wish comes to.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { parseReplicas, replicaId } from "../../src/base/Names.ts"
import { nextGroup, type Places } from "../../src/node/Choosing.ts"
import type { ChangeWish } from "../../src/wire/Changes.ts"

const group = (text: string) => {
  const parsed = parseReplicas(text)
  return parsed.ok ? parsed.value : assert.fail(parsed.reason)
}
const present = group("r1::n1,r2::n2,r3::n3")
const places: Places = {
  candidates: ["n1", "n5", "n4", "n2"],
  problem: (node) => /^n[1-5]$/.test(node) ? null : { code: "not_found", message: `no ${node}` }
}

const next = (wish: Omit<ChangeWish, "tenant">, former: ReadonlyArray<string> = [], from = present) => {
  const result = nextGroup({ tenant: "t", ...wish }, from, former, places)
  return result.ok ? result.value.map(replicaId).join() : `${result.code}: ${result.reason}`
}
const add = (...nodes: ReadonlyArray<string>) => nodes.map((node) => ({ name: null, node }))

describe("the next group", () => {
  it("is what was there, without who goes, with who comes", () => {
    assert.strictEqual(next({ add: add("n4", "n5") }), "r1::n1,r2::n2,r3::n3,r4::n4,r5::n5")
    assert.strictEqual(next({ remove: group("r2::n2") }), "r1::n1,r3::n3")
    assert.strictEqual(next({ remove: group("r2::n2"), add: [{ name: "x", node: "n4" }] }), "r1::n1,r3::n3,x::n4")
    assert.strictEqual(next({ to: group("r9::n5,r1::n1") }), "r1::n1,r9::n5")
  })

  it("has names that were never used", () => {
    assert.strictEqual(next({ add: add("n4") }, ["r7::n5", "other::n5"]), "r1::n1,r2::n2,r3::n3,r8::n4")
    assert.strictEqual(next({ add: [{ name: "r4", node: "n4" }, ...add("n5")] }), "r1::n1,r2::n2,r3::n3,r4::n4,r5::n5")
    assert.match(next({ to: group("r1::n1,r4::n4") }, ["r4::n4"]), /^conflict: r4::n4 has left this group before/)
    assert.strictEqual(next({ to: group("r1::n1,r4::n4") }, ["r4::n5"]), "r1::n1,r4::n4")
  })

  it("off a node, moves to the node with the fewest that has none of it, or does without", () => {
    assert.strictEqual(next({ off: "n1" }), "r2::n2,r3::n3,r4::n5")
    const all = group("r1::n1,r2::n2,r4::n4,r5::n5")
    assert.strictEqual(next({ off: "n1" }, [], all), "r2::n2,r4::n4,r5::n5")
    assert.strictEqual(next({ off: "n1" }, [], group("r1::n1")), "r2::n5")
    assert.match(next({ off: "n5" }), /^not_found: node n5 has no replica/)
  })

  it("is refused, with the reason", () => {
    assert.match(next({ add: add("n3") }), /^usage: a node holds one replica of a tenant at most/)
    assert.match(next({ remove: group("r3::n3"), add: add("n3") }), /^conflict: node n3 has replica r3::n3 of this tenant: remove that/)
    assert.strictEqual(next({ add: add("n9") }), "not_found: no n9")
    assert.match(next({ remove: group("r9::n9") }), /^not_found: r9::n9 is not in the group: it is r1::n1, r2::n2, r3::n3$/)
    assert.match(next({ to: group("r3::n3,r2::n2,r1::n1") }), /^conflict: that is the group as it is/)
    assert.match(next({ remove: present }), /^conflict: a tenant cannot lose its only replica/)
    assert.match(next({ to: group("r1::n1,r1::n4") }), /^usage: replica names are distinct/)
  })
})
