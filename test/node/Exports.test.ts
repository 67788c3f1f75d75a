/**
 * Snapshots that admins read from a node: consistent while writes go on, bounded, and let go when nobody asks for them.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import { Limits } from "../../src/base/Limits.ts"
import { decodeResult, encodeOperation } from "../../src/store/Operation.ts"
import type { AdminError, Ok } from "../../src/wire/AdminProtocol.ts"
import { SnapshotEncoder } from "../../src/wire/SnapshotFile.ts"
import { type ImageFacts, SnapshotImage } from "../../src/wire/SnapshotImage.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"
import { makeExports } from "../../src/node/Exports.ts"
import type { DispatcherInput } from "../../src/node/Queues.ts"
import { partsGiven } from "../contracts/Snapshots.ts"
import { bytes, run, story, text, type TestNode, type World } from "./World.ts"

const refusal = (effect: Effect.Effect<unknown, AdminError>) =>
  Effect.map(Effect.flip(effect), ({ code, message }) => `${code}: ${message}`)

/** Of node n1, and no other. */
const tenantOnNode = Effect.sync(() => {
  const replicas = [{ name: "r1", node: "n1" }]
  const created = Tenants.create(Tenants.noTenants, { id: uuid(seeded(1)), name: "t", replicas, durability: "memory", coordinator: "n1" })
  return created.ok ? created.tenant : assert.fail(created.reason)
})

type Opened = Ok<"snapshot.open">

/** All of it, as a file is read; after each part, others have a turn. */
const readAll = (world: World, node: TestNode, { op, snapshot, tenant }: Opened) =>
  Effect.gen(function*() {
    const image = new SnapshotImage()
    const encoder = new SnapshotEncoder({ tenant, op })
    image.push(encoder.header)
    for (let index = 0;; index++) {
      const { bytes } = yield* world.ask(node, "snapshot.part", { snapshot, index })
      if (bytes === null) break
      for (const piece of encoder.part(bytes)) image.push(piece)
      yield* Effect.sleep(5)
    }
    yield* world.ask(node, "snapshot.close", { snapshot })
    image.push(encoder.end())
    const facts = image.finish()
    assert.isNull(image.fault)
    return { facts: facts as ImageFacts, store: image.store }
  })

const valueIn = (store: SnapshotImage["store"], path: string) => {
  const result = decodeResult(store.query(encodeOperation({ _tag: "Get", path })))
  return result._tag === "Value" ? { data: text(result.data), version: result.version } : null
}

interface Written {
  readonly path: string
  readonly data: string
  readonly version: number
}

/** Several clients that overwrite a few elements, one write after the other, until they are interrupted; all that was done. */
const writers = (world: World, nodes: ReadonlyArray<TestNode>, tenant: string, done: Array<Written>) =>
  Effect.forEach(["a", "b", "c"], (who) =>
    Effect.gen(function*() {
      const client = yield* world.client(nodes)
      const session = yield* client.tenant(tenant)
      for (let count = 0; count < 150; count++) {
        const path = `/${who}${count % 7}`
        const data = `${who}-${count}-${"x".repeat(30_000)}`
        const { version } = yield* count < 7 ? session.create(path, bytes(data)) : session.put(path, bytes(data))
        done.push({ path, data, version })
      }
    }).pipe(Effect.scoped), { concurrency: "unbounded", discard: true })

/** What the writes up to that op make. */
const stateAt = (done: ReadonlyArray<Written>, op: number) => {
  const state = new Map<string, { readonly data: string; readonly version: number }>()
  for (const { data, path, version } of done.toSorted((a, b) => a.version - b.version)) {
    if (version <= op) state.set(path, { data, version })
  }
  return state
}

describe("a snapshot that is read while writes go on", () => {
  it.effect("has every write up to its op, and none of those after it; and all that was acknowledged before", () =>
    Effect.forEach([1, 2, 3, 4, 5], (seed) => run((world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        yield* world.tenant("t", nodes)
        for (const node of nodes) node.write_ms = 6
        const done: Array<Written> = []
        const writing = yield* Effect.forkChild(writers(world, nodes, "t", done))
        let parts = 0
        const taken: Array<{ readonly acknowledged: number; readonly op: number; readonly store: SnapshotImage["store"] }> = []
        while (writing.pollUnsafe() === undefined) {
          const acknowledged = done.length
          const from = taken.length % 2 === 0 ? "primary" as const : "any" as const
          const node = from === "primary" ? nodes[0]! : nodes[1 + taken.length % 2]!
          const opened = yield* world.ask(node, "snapshot.open", { tenant: "t", from })
          const { facts, store } = yield* readAll(world, node, opened)
          assert.deepStrictEqual([facts.header.op, facts.elements], [opened.op, opened.elements])
          parts = Math.max(parts, facts.parts)
          taken.push({ acknowledged: from === "primary" ? acknowledged : 0, op: opened.op, store })
        }
        yield* Fiber.join(writing)
        assert.isAbove(taken.length, 4)
        assert.isAbove(parts, 4)
        for (const { acknowledged, op, store } of taken) {
          assert.isAtMost(Math.max(0, ...done.slice(0, acknowledged).map(({ version }) => version)), op)
          const expected = stateAt(done, op)
          assert.strictEqual(store.stats().elements, expected.size)
          for (const [path, value] of expected) assert.deepStrictEqual(valueIn(store, path), value, `${path} at op ${op}`)
        }
      }), seed), { discard: true }), 60_000)
})

describe("what a node gives of snapshots", () => {
  story("of its own replica only, and as that of the primary only from there", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      const id = yield* world.tenant("t", [one!, two!, three!])
      const open = (node: TestNode, from: "primary" | "any") => world.ask(node, "snapshot.open", { tenant: "t", from })
      assert.deepInclude(yield* open(one!, "primary"), { tenant: id, name: "t", replica: "r1::n1", elements: 0 })
      assert.deepInclude(yield* open(two!, "any"), { tenant: id, replica: "r2::n2" })
      assert.strictEqual(yield* refusal(open(two!, "primary")), "unavailable: replica r2::n2 is not the primary of tenant t")
      assert.strictEqual(yield* refusal(open(four!, "any")), "unavailable: tenant t has no replica on node n4")
      assert.strictEqual(
        yield* refusal(world.ask(one!, "snapshot.open", { tenant: "nobody", from: "any" })),
        `not_found: tenant "nobody" does not exist`
      )
      // Without the others it is the primary no longer.
      yield* world.stop(two!)
      yield* world.stop(three!)
      yield* world.until("n1 has noticed", Effect.match(open(one!, "primary"), {
        onFailure: ({ message }) => message === "replica r1::n1 is not the primary of tenant t",
        onSuccess: () => false
      }))
    }))

  story("a part again, the next one, and no other", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      yield* world.tenant("t", [node!])
      const { snapshot } = yield* world.ask(node!, "snapshot.open", { tenant: "t", from: "primary" })
      const part = (index: number) => Effect.map(world.ask(node!, "snapshot.part", { snapshot, index }), ({ bytes }) => bytes)
      assert.strictEqual(yield* refusal(part(1)), "usage: part 1 does not follow part -1")
      const first = yield* part(0)
      assert.deepStrictEqual(yield* part(0), first)
      const second = yield* part(1)
      assert.notDeepEqual(second, first)
      assert.deepStrictEqual(yield* part(1), second)
      assert.strictEqual(yield* refusal(part(0)), "usage: part 0 does not follow part 1")
      assert.isNotNull(yield* part(2))
      assert.isNull(yield* part(3))
      assert.isNull(yield* part(3))
      assert.strictEqual(yield* refusal(part(4)), "usage: part 4 does not follow part 3")
      yield* world.ask(node!, "snapshot.close", { snapshot })
      yield* world.ask(node!, "snapshot.close", { snapshot })
      assert.match(yield* refusal(part(3)), /^not_found: node n1 has no snapshot /)
    }))

  it.effect("released when they are closed, idle, or refused", () =>
    Effect.gen(function*() {
      const asked = yield* Queue.unbounded<DispatcherInput>()
      const exports = yield* makeExports({ node: "n1", dispatcher: asked })
      const open = exports.open(yield* tenantOnNode, "primary")
      const released: Array<number> = []
      let op = 0
      const answer = Effect.map(Queue.take(asked), (input) => {
        if (input._tag !== "Ask" || input.question._tag !== "TakeSnapshot") return
        const taken = ++op
        const snapshot = { op: taken, size: 0, read: () => partsGiven(() => null), release: () => void released.push(taken) }
        input.question.answer({ snapshot, elements: 0, isPrimary: taken > 1 })
      })
      yield* Effect.forkScoped(Effect.forever(answer))
      yield* Effect.flip(open)
      const opened = yield* Effect.forEach(Array.from({ length: Limits.exports_max }), () => open)
      assert.deepStrictEqual(released, [1])
      const first = opened.map((_, index) => index + 2)
      yield* Effect.flip(open)
      const refused = op
      yield* exports.close(opened[0]!.snapshot)
      yield* exports.close(opened[0]!.snapshot)
      assert.deepStrictEqual(released, [1, refused, first[0]])
      yield* TestClock.adjust(Limits.export_idle_ms + 1)
      assert.deepStrictEqual(released, [1, refused, ...first])
    }).pipe(Effect.scoped))

  it.effect("released when whoever asked is gone before the replica answers, or just then", () =>
    Effect.gen(function*() {
      const asked = yield* Queue.unbounded<DispatcherInput>()
      const exports = yield* makeExports({ node: "n1", dispatcher: asked })
      const open = exports.open(yield* tenantOnNode, "any")
      let released = 0
      const snapshot = { op: 1, size: 0, read: () => partsGiven(() => null), release: () => void released++ }
      const answer = Effect.map(Queue.take(asked), (input) => {
        if (input._tag !== "Ask" || input.question._tag !== "TakeSnapshot") return assert.fail("another question")
        return input.question.answer({ snapshot, elements: 0, isPrimary: true })
      })
      const late = yield* Effect.forkChild(Effect.flip(open))
      yield* TestClock.adjust(60_000)
      yield* Fiber.join(late)
      yield* answer
      assert.strictEqual(released, 1)
      const gone = yield* Effect.forkChild(open)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(gone)
      yield* answer
      assert.strictEqual(released, 2)
      const leaves = yield* Effect.forkChild(open)
      yield* Effect.yieldNow
      yield* answer
      leaves.interruptUnsafe()
      const exit = yield* Fiber.await(leaves)
      assert.strictEqual(released, Exit.isSuccess(exit) ? 2 : 3)
    }).pipe(Effect.scoped))

  story("so many at the same time, and each as long as it is asked for", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      yield* world.tenant("t", [node!])
      const open = world.ask(node!, "snapshot.open", { tenant: "t", from: "primary" })
      const opened = yield* Effect.forEach(Array.from({ length: Limits.exports_max }), () => open)
      assert.match(yield* refusal(open), /^unavailable: 4 snapshots are being read from node n1 already; .* after 30 s$/)
      const [kept, closed, ...left] = opened
      yield* world.ask(node!, "snapshot.close", { snapshot: closed!.snapshot })
      const another = yield* open
      const part = ({ snapshot }: Opened, index: number) => world.ask(node!, "snapshot.part", { snapshot, index })
      yield* Effect.sleep(Limits.export_idle_ms - 1_000)
      yield* part(kept!, 0)
      yield* Effect.sleep(2_000)
      for (const one of [...left, another]) assert.match(yield* refusal(part(one, 0)), /^not_found: /)
      yield* part(kept!, 1)
      assert.isTrue(node!.logged(/snapshot .*, which nobody has asked for of late, is let go/))
      yield* Effect.sleep(Limits.export_idle_ms + 1_000)
      assert.match(yield* refusal(part(kept!, 2)), /^not_found: .* not asked for in time, or the node was restarted$/)
    }), { timeout: 60_000 })
})
