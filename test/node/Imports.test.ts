/**
 * Tenants that begin with a snapshot: sent to the nodes, made by each of them, and there whole or not at all.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { crc32 } from "../../src/base/Checksum.ts"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import { connectFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import { type AdminError, type Args, type Durability, importing_ms } from "../../src/wire/AdminProtocol.ts"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { makeHello } from "../../src/wire/Hello.ts"
import { fileOf, partsOf, snapshotOf } from "../wire/SnapshotOf.ts"
import { bytes, story, text, type TestNode, type World } from "./World.ts"

const refusal = (effect: Effect.Effect<unknown, AdminError>) =>
  Effect.map(Effect.flip(effect), ({ code, message }) => `${code}: ${message}`)

const elements = 300
const snapshot = snapshotOf(elements, 4_000)
const file = fileOf(snapshot.op, partsOf(snapshot))
const chunk_bytes = 100_000
const chunks = Array.from({ length: Math.ceil(file.length / chunk_bytes) }, (_, index) =>
  file.slice(index * chunk_bytes, (index + 1) * chunk_bytes))

const random = seeded(1)
const id = () => uuid(random)

/** As the command line does it. */
const send = (world: World, nodes: ReadonlyArray<TestNode>, upload: string, pieces = chunks) =>
  Effect.forEach(nodes, (node) =>
    Effect.gen(function*() {
      const size = pieces.reduce((sum, { length }) => sum + length, 0)
      yield* world.ask(node, "upload.begin", { upload, bytes: size })
      for (const [index, piece] of pieces.entries()) yield* world.ask(node, "upload.part", { upload, index, bytes: piece })
      return yield* world.ask(node, "upload.end", { upload })
    }))

const create = (world: World, nodes: ReadonlyArray<TestNode>, name: string, upload: string, durability: Durability = "disk") =>
  world.ask(nodes[0]!, "vr.create", {
    name,
    durability,
    replicas: nodes.map((node, index) => ({ name: `r${index + 1}`, node: node.name })),
    upload: { id: upload, bytes: file.length }
  })

const restore = (world: World, nodes: ReadonlyArray<TestNode>, name: string, durability: Durability = "disk") =>
  Effect.gen(function*() {
    const upload = id()
    yield* send(world, nodes, upload)
    return yield* create(world, nodes, name, upload, durability)
  })

const serves = (world: World, nodes: ReadonlyArray<TestNode>, tenant: string) =>
  world.until(`${tenant} serves everywhere`, Effect.map(Effect.forEach(nodes, (node) => world.replica(node, tenant)), (replicas) =>
    replicas.some(({ state }) => state === "primary") && replicas.every(({ state }) => state === "primary" || state === "backup")))

/** What the snapshot has is there, and a write has a version above it. */
const goesOn = (world: World, nodes: ReadonlyArray<TestNode>, tenant: string, path: string) =>
  Effect.gen(function*() {
    const client = yield* world.client(nodes)
    const session = yield* client.tenant(tenant)
    for (const index of [0, 7, elements - 1]) {
      const { data, version } = yield* session.get(`/e${index}`)
      assert.deepStrictEqual([text(data), version], [String(index).padEnd(4_000, "."), index + 3])
    }
    const { version } = yield* session.create(path, bytes("new"))
    assert.isAbove(version, snapshot.op)
    return version
  }).pipe(Effect.scoped)

/** Nothing of it is on any disk, and nobody knows its name. */
const nothingIsLeft = (world: World, nodes: ReadonlyArray<TestNode>, name: string) =>
  Effect.gen(function*() {
    // A node that was amidst its preparation has to come to an end first.
    yield* world.until("nothing of it is left", Effect.sync(() =>
      nodes.every(({ disk }) => disk.uploads.size === 0 && disk.journals.size === 0)))
    yield* Effect.sleep(1_000)
    for (const node of nodes) {
      assert.deepStrictEqual([node.disk.uploads.size, node.disk.journals.size], [0, 0], node.name)
      assert.deepStrictEqual(yield* world.ask(node, "vr.tenants", {}), [])
    }
    assert.strictEqual((yield* world.ask(nodes[0]!, "vr.plan", { name })).replicas.length, Math.min(3, nodes.length))
  })

for (const durability of ["disk", "memory"] as const) {
  describe(`a tenant that begins with a snapshot, durability ${durability}`, () => {
    story("serves it, goes on above it, and has the same digest everywhere", (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const created = yield* restore(world, nodes, "again", durability)
        assert.deepInclude(created, { name: "again", epoch: 0, durability })
        yield* serves(world, nodes, "again")
        const replicas = yield* Effect.forEach(nodes, (node) => world.replica(node, "again"))
        assert.deepInclude(replicas[0], { op: snapshot.op, commit: snapshot.op, log_base: snapshot.op, elements, sessions: 0 })
        for (const { snapshot } of replicas) assert.deepStrictEqual(snapshot, replicas[0]!.snapshot)
        for (const node of nodes) assert.strictEqual(node.disk.uploads.size, 0)
        assert.strictEqual((yield* world.status(nodes[0]!)).verdict, "OK")
        yield* goesOn(world, nodes, "again", "/new")
      }))

    story("goes on after each node was restarted in turn", (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        yield* restore(world, nodes, "again", durability)
        yield* serves(world, nodes, "again")
        for (const node of nodes) {
          yield* world.stop(node)
          yield* world.start(node)
          yield* serves(world, nodes, "again")
        }
        yield* goesOn(world, nodes, "again", "/new")
      }), { timeout: 60_000 })

    story("of which one node crashes before its replica has started: it has the data, or gets them", (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const [one, two, three] = nodes
        const upload = id()
        yield* send(world, nodes, upload)
        const tenant: Tenant = {
          id: id(), name: "again", epoch: 0, durability, stamp: 1, confirmed: true, withdrawn: false, coordinator: "n1",
          replicas: nodes.map(({ name }, index) => ({ name: `r${index + 1}`, node: name }))
        }
        const digests = yield* Effect.forEach(nodes, (node) => callTo(world, node, "bootstrap", { tenant: [tenant], upload }))
        assert.deepStrictEqual(digests.map(({ _tag }) => _tag), ["Return", "Return", "Return"])
        yield* world.crash([three!])
        yield* world.start(three!)
        // By itself it is nothing in durability `memory`, for others may have gone on without it; but it is never empty.
        yield* callTo(world, three!, "publish", [tenant])
        yield* world.until("its replica runs", Effect.as(world.replica(three!, "again"), true))
        const { elements: found, state } = yield* world.replica(three!, "again")
        assert.deepStrictEqual([found, state], durability === "disk" ? [elements, "backup"] : [0, "recovery"])
        for (const node of [one!, two!]) yield* callTo(world, node, "publish", [tenant])
        yield* serves(world, nodes, "again")
        yield* goesOn(world, nodes, "again", "/new")
        yield* world.until("n3 has all of it", Effect.map(world.replica(three!, "again"), (replica) => replica.elements === elements + 1))
      }))
  })
}

/** As another node of the cluster asks it. */
const callTo = (world: World, node: TestNode, method: string, args: unknown) =>
  Effect.gen(function*() {
    const other = node.name === "n1" ? "n2" : "n1"
    const hello = makeHello("v2r2-cluster", { cluster: "test", node: other, limits: { frame_bytes_max: 1_000_000 } })
    const framed = yield* connectFramed(node.config.cluster_host, hello)
    yield* framed.send([encodeClusterMessage({ _tag: "Call", id: 1, method, args })])
    for (;;) {
      for (const payload of yield* framed.receive) {
        const message = decodeClusterMessage(payload)
        if (message._tag === "Return" || message._tag === "Failure") return message
      }
    }
  }).pipe(Effect.scoped, Effect.provideService(Network, world.networkOf("operator")), Effect.orDie)

describe("durability disk", () => {
  story("all nodes lose their power before anything is written, and after", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* restore(world, nodes, "again")
      for (const path of ["/first", "/second"]) {
        yield* world.crash(nodes)
        for (const node of nodes) yield* world.start(node)
        yield* serves(world, nodes, "again")
        yield* goesOn(world, nodes, "again", path)
      }
    }), { timeout: 60_000 })
})

describe("a creation from a snapshot that fails leaves nothing", () => {
  story("a name that is taken, replicas that make no sense: said before anything is sent", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("taken", nodes)
      const plan = (args: Args<"vr.plan">) => world.ask(nodes[1]!, "vr.plan", args)
      assert.match(yield* refusal(plan({ name: "taken" })), /^conflict: the tenant name "taken" is already taken by/)
      assert.match(yield* refusal(plan({ name: "a", replicas: [{ name: "r1", node: "n9" }] })), /^not_found: node n9 is not a member/)
      assert.match(yield* refusal(plan({ name: "a", replicas: [] })), /^usage: /)
      const { replicas } = yield* plan({ name: "a" })
      assert.deepStrictEqual((yield* world.ask(nodes[1]!, "vr.create", { name: "a" })).replicas, replicas)
      assert.deepStrictEqual((yield* world.ask(nodes[1]!, "vr.tenants", {})).map(({ name }) => name), ["a", "taken"])
    }))

  story("one node was sent another snapshot", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const other = snapshotOf(elements + 1, 10)
      const upload = id()
      yield* send(world, nodes.slice(0, 2), upload)
      yield* send(world, nodes.slice(2), upload, [fileOf(other.op, partsOf(other)).slice()])
      assert.match(
        yield* refusal(create(world, nodes, "again", upload)),
        /^internal: the tenant was not created: the nodes made different data of one snapshot, by their digests: node n1 made \d+, /
      )
      yield* nothingIsLeft(world, nodes, "again")
    }))

  for (const durability of ["disk", "memory"] as const) {
    story(`one node was sent nothing, or its disk is full; durability ${durability}`, (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const upload = id()
        yield* send(world, nodes.slice(0, 2), upload)
        assert.match(
          yield* refusal(create(world, nodes, "again", upload, durability)),
          /^unavailable: the tenant was not created: node n3: it has no whole upload /
        )
        yield* nothingIsLeft(world, nodes, "again")
        const another = id()
        yield* send(world, nodes, another)
        nodes[1]!.disk.failure = "no space left on device"
        assert.match(
          yield* refusal(create(world, nodes, "again", another, durability)),
          /^unavailable: the tenant was not created: node n2: no space left on device$/
        )
        nodes[1]!.disk.failure = null
        yield* nothingIsLeft(world, nodes, "again")
        yield* restore(world, nodes, "again", durability)
        yield* serves(world, nodes, "again")
      }))
  }

  story("a node that is too slow is waited for by size, and then given up; what it does after that is nothing", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const upload = id()
      yield* send(world, nodes, upload)
      for (const node of nodes) node.write_ms = 1
      nodes[2]!.write_ms = 1_000_000
      const begin = yield* Clock.currentTimeMillis
      assert.match(yield* refusal(create(world, nodes, "again", upload)), /^unavailable: the tenant was not created: node n3: /)
      assert.isAtLeast((yield* Clock.currentTimeMillis) - begin, importing_ms(file.length))
      assert.strictEqual(nodes[2]!.disk.journals.size, 0)
      yield* Effect.sleep(1_000_000)
      yield* nothingIsLeft(world, nodes, "again")
    }), { timeout: 120_000 })
})

describe("what is sent to a node", () => {
  story("comes in order, and the last part may come twice", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      const upload = id()
      const part = (index: number) => world.ask(node!, "upload.part", { upload, index, bytes: chunks[index]! })
      yield* world.ask(node!, "upload.begin", { upload, bytes: file.length })
      yield* part(0)
      yield* part(0)
      yield* part(1)
      yield* part(1)
      for (let index = 2; index < chunks.length; index++) yield* part(index)
      const { digest, op } = yield* world.ask(node!, "upload.end", { upload })
      assert.deepStrictEqual([op, digest], [snapshot.op, partsOf(snapshot).reduce((before, bytes) => crc32(bytes, before), 0)])
      yield* create(world, [node!], "again", upload)
      yield* serves(world, [node!], "again")
      yield* goesOn(world, [node!], "again", "/new")
    }))

  type Wrong = (world: World, node: TestNode, upload: string) => Effect.Effect<unknown, AdminError>
  const part = (world: World, node: TestNode, upload: string, index: number, bytes = chunks[index]!) =>
    world.ask(node, "upload.part", { upload, index, bytes })
  const no_snapshot = "usage: what was sent is no whole snapshot"
  const wrongs: ReadonlyArray<readonly [what: string, wrong: Wrong, says: string]> = [
    ["a gap", (world, node, upload) => part(world, node, upload, 1), "usage: part 1 does not follow part -1"],
    [
      "a flipped bit",
      (world, node, upload) => part(world, node, upload, 0, chunks[0]!.map((byte, at) => at === 70 ? byte ^ 1 : byte)),
      `${no_snapshot}: part 1 is not as it was written`
    ],
    ["too few bytes", (world, node, upload) => world.ask(node, "upload.end", { upload }), `${no_snapshot}: it was cut`],
    [
      "too many bytes",
      (world, node, upload) =>
        Effect.andThen(
          Effect.forEach(chunks.keys(), (index) => part(world, node, upload, index)),
          part(world, node, upload, chunks.length, Uint8Array.of(1))
        ),
      "usage: there is more than was announced"
    ],
    [
      "no id",
      (world, node) => world.ask(node, "upload.begin", { upload: "../../x", bytes: 1 }),
      "usage: an upload needs a new UUID as its id"
    ],
    [
      "more than there may be",
      (world, node) => world.ask(node, "upload.begin", { upload: id(), bytes: 2 ** 40 }),
      "denied: a snapshot has at most"
    ]
  ]
  for (const [what, wrong, says] of wrongs) {
    story(`is refused, and gone, if it has ${what}`, (world) =>
      Effect.gen(function*() {
        const [node] = yield* world.cluster(1)
        const upload = id()
        yield* world.ask(node!, "upload.begin", { upload, bytes: file.length })
        assert.include(yield* refusal(wrong(world, node!, upload)), says)
        if (what === "no id" || what === "more than there may be") return
        assert.match(yield* refusal(world.ask(node!, "upload.end", { upload })), /^not_found: node n1 has no upload /)
        assert.strictEqual(node!.disk.uploads.size, 0)
      }))
  }

  story("is let go when asked, when nobody goes on with it, and when the node starts; so many at the same time", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      const ids = Array.from({ length: Limits.imports_max }, id)
      const begin = (upload: string) => world.ask(node!, "upload.begin", { upload, bytes: file.length })
      for (const upload of ids) yield* begin(upload)
      assert.match(yield* refusal(begin(id())), /^unavailable: node n1 has 2 uploads already; .* after 60 s$/)
      yield* begin(ids[0]!)
      yield* world.ask(node!, "upload.drop", { upload: ids[0]! })
      yield* world.ask(node!, "upload.drop", { upload: ids[0]! })
      assert.deepStrictEqual([...node!.disk.uploads.keys()], ids.slice(1))
      yield* Effect.sleep(Limits.import_idle_ms + 1_000)
      assert.strictEqual(node!.disk.uploads.size, 0)
      yield* begin(ids[0]!)
      yield* world.crash([node!])
      assert.strictEqual(node!.disk.uploads.size, 1)
      yield* world.start(node!)
      assert.strictEqual(node!.disk.uploads.size, 0)
    }), { timeout: 60_000 })
})
