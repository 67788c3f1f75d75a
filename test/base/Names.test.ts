/**
 * Names, ids and the ways to write replicas: what is accepted, and that every refusal says why.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  isUuid,
  nameProblem,
  parseReplicaId,
  parseReplicaPath,
  parseReplicas,
  replicaId,
  tenantProblem,
  uuid
} from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"

const id = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"
const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/).filter((text) => nameProblem(text) === null)

describe("names", () => {
  it.each(["a", "dev1", "0", "A.b_c-d", "x".repeat(64), "3f2b8c1e"])("accepts %s", (text) => {
    assert.isNull(nameProblem(text))
  })

  it.each([
    ["", "a name must not be empty"],
    ["-a", `a name starts with a letter or digit, "-a" does not`],
    ["ärger", `a name starts with a letter or digit, "ärger" does not`],
    ["a b", `a name has only letters, digits, ".", "_" and "-"; "a b" has " "`],
    ["a::b", `a name has only letters, digits, ".", "_" and "-"; "a::b" has ":"`],
    ["a\n", `a name has only letters, digits, ".", "_" and "-"; "a\\n" has "\\n"`],
    ["a😀", `a name has only letters, digits, ".", "_" and "-"; "a😀" has "😀"`],
    ["x".repeat(65), `a name has at most 64 characters, "${"x".repeat(65)}" has 65`],
    [id, `a name must not look like an id (UUID), "${id}" does`],
    [id.toUpperCase(), `a name must not look like an id (UUID), "${id.toUpperCase()}" does`]
  ])("refuses %j", (text, reason) => {
    assert.strictEqual(nameProblem(text), reason)
  })

  it("shows only the beginning of a text that is very long", () => {
    assert.isBelow(nameProblem("!".repeat(1_000_000))!.length, 200)
  })

  it("takes a name or an id for a tenant", () => {
    assert.isNull(tenantProblem("orders"))
    assert.isNull(tenantProblem(id))
    assert.isString(tenantProblem(id.toUpperCase()))
  })
})

describe("ids", () => {
  it("makes lower-case UUIDs of version 4, the same ones from the same chance", () => {
    fc.assert(fc.property(fc.integer(), (seed) => {
      const random = seeded(seed)
      const first = uuid(random)
      assert.isTrue(isUuid(first), first)
      assert.notStrictEqual(uuid(random), first)
      assert.strictEqual(uuid(seeded(seed)), first)
    }))
  })

  it.each(["", "orders", id.toUpperCase(), id.slice(1), `${id}\n`, id.replace("-4", "-1"), id.replace("-8", "-c")])(
    "does not take %j for an id",
    (text) => assert.isFalse(isUuid(text))
  )
})

describe("replicas", () => {
  it("reads what it writes", () => {
    fc.assert(fc.property(name, name, name, (tenant, replica, node) => {
      const value = { name: replica, node }
      assert.deepStrictEqual(parseReplicaId(replicaId(value)), { ok: true, value })
      const path = parseReplicaPath(`${tenant}::${replicaId(value)}`)
      assert.deepStrictEqual(path, { ok: true, value: { tenant, ...value } })
    }))
  })

  it("reads a group in its order", () => {
    assert.deepStrictEqual(parseReplicas("r2::dev2, r1::dev1"), {
      ok: true,
      value: [{ name: "r2", node: "dev2" }, { name: "r1", node: "dev1" }]
    })
  })

  it.each([
    ["", `expected <replica>::<node>, such as r1::dev1, got ""`],
    ["r1", `expected <replica>::<node>, such as r1::dev1, got "r1"`],
    ["r1:dev1", `expected <replica>::<node>, such as r1::dev1, got "r1:dev1"`],
    ["r1::dev1,", `expected <replica>::<node>, such as r1::dev1, got ""`],
    ["r1::dev1::x", `expected <replica>::<node>, such as r1::dev1, got "r1::dev1::x"`],
    ["r1::dev1,r2::", "node: a name must not be empty"],
    ["r 1::dev1", `replica: a name has only letters, digits, ".", "_" and "-"; "r 1" has " "`]
  ])("refuses the group %j", (text, reason) => {
    assert.deepStrictEqual(parseReplicas(text), { ok: false, reason })
  })

  it.each([
    ["r1::dev1", `expected <tenant>::<replica>::<node>, such as orders::r1::dev1, got "r1::dev1"`],
    ["a::b::c::d", `expected <tenant>::<replica>::<node>, such as orders::r1::dev1, got "a::b::c::d"`],
    ["::r1::dev1", "tenant: a name must not be empty"]
  ])("refuses the path %j", (text, reason) => {
    assert.deepStrictEqual(parseReplicaPath(text), { ok: false, reason })
  })
})
