/**
 * What every version of `NodeStore` must do. Each test gets an empty disk of its own.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { isUuid } from "../../src/base/Names.ts"
import { add, type Members, noMembers } from "../../src/members/Members.ts"
import { NodeStore, type NodeStoreError, type Owner } from "../../src/storage/NodeStore.ts"
import { create, noTenants, type Tenants } from "../../src/tenants/Tenants.ts"

export interface NodeStoreHarness {
  /** Building it opens the store on the test's disk. */
  readonly store: (owner: Owner, lease_ms: number) => Layer.Layer<NodeStore, NodeStoreError>
  /** From now on, every write fails. */
  readonly breakDisk: () => void
}

export const owner: Owner = { name: "dev1", cluster: "dev" }
const id = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"

export const someMembers = (port: number): Members => {
  const at = (offset: number): string => `10.0.0.1:${port + offset}`
  const set = add(noMembers, { id, name: "dev1", cluster: at(0), admin: at(1), client: at(2), peer: at(3) })
  if (!set.ok) throw new Error(set.reason)
  return set.value
}

export const someTenants = (name: string): Tenants => {
  const set = create(noTenants, { id, name, replicas: [{ name: "r1", node: "dev1" }], durability: "disk", coordinator: "dev1" })
  if (!set.ok) throw new Error(set.reason)
  return set.tenants
}

export const nodeStoreContract = (
  version: string,
  makeHarness: Effect.Effect<NodeStoreHarness, never, Scope>
): void => {
  /** One life of a node's process. */
  const life = <A, E>(
    harness: NodeStoreHarness,
    body: (store: NodeStore["Service"]) => Effect.Effect<A, E>,
    who = owner,
    lease_ms = 0
  ) => Effect.provide(Effect.flatMap(NodeStore, body), harness.store(who, lease_ms), { local: true })

  describe(`NodeStore, ${version}`, () => {
    it.effect("gives a node an identity once, and for ever", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const first = yield* life(harness, (store) => Effect.succeed(store.identity))
        assert.isTrue(isUuid(first.id))
        assert.deepStrictEqual({ name: first.name, cluster: first.cluster }, owner)
        assert.deepStrictEqual(yield* life(harness, (store) => Effect.succeed(store.identity)), first)
        const other = yield* life(yield* makeHarness, (store) => Effect.succeed(store.identity))
        assert.notStrictEqual(other.id, first.id)
      }))

    it.effect("begins with nothing, and finds again what was saved last", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const none = yield* life(harness, (store) => Effect.as(store.saveMembers(someMembers(2_000)), store.kept))
        assert.deepStrictEqual([none.members.size, none.tenants.size], [0, 0])
        const one = yield* life(harness, (store) =>
          store.saveTenants(someTenants("a")).pipe(
            Effect.andThen(store.saveTenants(someTenants("b"))),
            Effect.as(store.kept)
          ))
        assert.deepStrictEqual([...one.members], [...someMembers(2_000)])
        assert.strictEqual(one.tenants.size, 0)
        const both = yield* life(harness, (store) => Effect.succeed(store.kept))
        assert.deepStrictEqual([...both.members], [...someMembers(2_000)])
        assert.deepStrictEqual([...both.tenants], [...someTenants("b")])
      }))

    it.effect("takes saves that come at the same time", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const ports = Array.from({ length: 20 }, (_, n) => 2_000 + 10 * n)
        yield* life(harness, (store) =>
          Effect.gen(function*() {
            const together = { concurrency: "unbounded" } as const
            yield* Effect.forEach(ports, (port) => store.saveMembers(someMembers(port)), together)
            yield* Effect.forEach(ports, (port) => store.saveTenants(someTenants(`t${port}`)), together)
          }))
        const kept = yield* life(harness, (store) => Effect.succeed(store.kept))
        const clusters = ports.map((port) => `10.0.0.1:${port}`)
        assert.include(clusters, kept.members.get(id)?.member?.cluster)
        assert.include(ports.map((port) => `t${port}`), kept.tenants.get(id)?.name)
      }))

    it.effect("knows the longest lease that it was ever opened for", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const longest = (lease_ms: number) =>
          life(harness, ({ longest_lease_ms }) => Effect.succeed(longest_lease_ms), owner, lease_ms)
        assert.deepStrictEqual(yield* Effect.forEach([0, 300, 0, 200, 500, 400], longest), [0, 300, 300, 300, 500, 500])
      }))

    it.effect("refuses a node of another name or cluster, and says whose it is", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* life(harness, () => Effect.void)
        for (const who of [{ ...owner, name: "dev2" }, { ...owner, cluster: "prod" }]) {
          const error = yield* Effect.flip(life(harness, () => Effect.void, who))
          assert.strictEqual(error.kind, "foreign")
          const both = `belongs to node "dev1" of cluster "dev", not to node "${who.name}" of cluster "${who.cluster}"`
          assert.include(error.message, both)
        }
        yield* life(harness, () => Effect.void)
      }))

    it.effect("has one owner at a time", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const second = life(harness, () => Effect.void)
        const error = yield* life(harness, () => Effect.flip(second))
        assert.strictEqual(error.kind, "locked")
        assert.include(error.message, "in use by")
        yield* second
      }))

    it.effect("says when it cannot write, and still has what was there before", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const error = yield* life(harness, (store) =>
          Effect.gen(function*() {
            yield* store.saveMembers(someMembers(2_000))
            harness.breakDisk()
            return yield* Effect.flip(store.saveMembers(someMembers(3_000)))
          }))
        assert.strictEqual(error.kind, "unwritable")
        assert.include(error.message, "no space left on device")
        assert.notInclude(error.message, "\n")
      }))
  })
}
