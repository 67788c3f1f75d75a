/**
 * The node's store on a real disk: the contract, loss of power at every step, and damage.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NodeStore, type NodeStoreError } from "../../src/storage/NodeStore.ts"
import * as NodeStoreLive from "../../src/storage/NodeStoreLive.ts"
import { nodeStoreContract, owner, someMembers, someTenants } from "../contracts/NodeStore.ts"
import { makeTestDisk, type TestDisk } from "./TestDisk.ts"

nodeStoreContract(
  "on a disk",
  Effect.map(makeTestDisk, (disk) => ({
    store: (who, lease_ms) => Layer.provide(NodeStoreLive.layer(disk.folder, who, lease_ms), disk.layer),
    breakDisk: () => disk.failAt(0)
  }))
)

const opened = <A, E>(disk: TestDisk, body: (store: NodeStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(
    Effect.flatMap(NodeStore, body),
    Layer.provide(NodeStoreLive.layer(disk.folder, owner, 0), disk.layer),
    { local: true }
  )

const kept = (disk: TestDisk) => opened(disk, (store) => Effect.succeed(store.kept))

/** The power went, so the process that held the lock is gone; its id may be in use again. */
const powerLoss = (disk: TestDisk, unkind: boolean): void => {
  disk.powerLoss(unkind)
  const lock = join(disk.folder, "lock")
  if (existsSync(lock)) writeFileSync(lock, JSON.stringify({ pid: process.pid, started: "another boot", token: "t" }))
}

describe("loss of power", () => {
  it.effect("at any step of a save leaves the old content or the new one, and the new one if the save returned", () =>
    Effect.gen(function*() {
      for (const unkind of [false, true]) {
        for (let step = 0, cut = true; cut; step++) {
          const disk = yield* makeTestDisk
          yield* opened(disk, (store) => store.saveTenants(someTenants("old")))
          const saved = yield* opened(disk, (store) =>
            Effect.gen(function*() {
              disk.failAt(step)
              const exit = yield* Effect.exit(store.saveTenants(someTenants("new")))
              powerLoss(disk, unkind)
              return Exit.isSuccess(exit)
            }))
          const [tenant] = (yield* kept(disk)).tenants.values()
          assert.include(saved ? ["new"] : ["old", "new"], tenant?.name, `step ${step}`)
          cut = !saved
        }
      }
    }))

  it.effect("at any step of the very first start leaves a folder that starts", () =>
    Effect.gen(function*() {
      for (const unkind of [false, true]) {
        for (let step = 0, cut = true; cut; step++) {
          const disk = yield* makeTestDisk
          disk.failAt(step)
          const exit = yield* Effect.exit(opened(disk, (store) => Effect.succeed(store.identity)))
          powerLoss(disk, unkind)
          const identity = yield* opened(disk, (store) => Effect.succeed(store.identity))
          if (Exit.isSuccess(exit)) assert.deepStrictEqual(identity, exit.value, `step ${step}`)
          cut = Exit.isFailure(exit)
        }
      }
    }))

  it.effect("leaves no litter behind a save that failed and one that did not", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (store) =>
        Effect.gen(function*() {
          disk.failAt(3)
          yield* Effect.exit(store.saveMembers(someMembers(2_000)))
          disk.failAt(null)
          yield* store.saveMembers(someMembers(3_000))
        }))
      assert.deepStrictEqual(readdirSync(disk.folder).sort(), ["identity.json", "members.json", "tenants.json"])
    }))
})

describe("damage", () => {
  it.effect("of what it has promised: says when that may be removed", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      const store = Layer.provide(NodeStoreLive.layer(disk.folder, owner, 300), disk.layer)
      yield* Effect.provide(Effect.asVoid(NodeStore), store, { local: true })
      writeFileSync(join(disk.folder, "lease.json"), "")
      const { kind, message } = yield* Effect.flip(kept(disk))
      assert.strictEqual(kind, "damaged")
      assert.match(message, /lease\.json is damaged: it is not valid JSON; if this node has been down .* remove that file$/)
    }))

  const broken = (change: (folder: string) => void) =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (store) => store.saveTenants(someTenants("a")))
      change(disk.folder)
      const error: NodeStoreError = yield* Effect.flip(kept(disk))
      assert.strictEqual(error.kind, "damaged")
      assert.notInclude(error.message, "\n")
      assert.include(error.message, `put back a good copy, or move ${disk.folder} away to start as a new node`)
      return error.message.replaceAll(disk.folder, "DATA").split(";")[0]
    })
  const edit = (name: string, change: (text: string) => string) => (folder: string) =>
    writeFileSync(join(folder, name), change(readFileSync(join(folder, name), "utf8")))

  it.effect.each<[string, (folder: string) => void, string]>([
    [
      "a changed letter",
      edit("tenants.json", (text) => text.replace(`"a"`, `"b"`)),
      "DATA/tenants.json is damaged: its checksum does not match its content"
    ],
    [
      "half a file",
      edit("members.json", (text) => text.slice(0, 20)),
      "DATA/members.json is damaged: it is not valid JSON"
    ],
    ["an empty file", edit("identity.json", () => ""), "DATA/identity.json is damaged: it is not valid JSON"],
    [
      "another file",
      edit("members.json", () => "{}"),
      "DATA/members.json is damaged: it is not a file that v2r2 wrote"
    ],
    [
      "a mixed-up file",
      (folder) => edit("members.json", () => readFileSync(join(folder, "tenants.json"), "utf8"))(folder),
      `DATA/members.json is damaged: it holds "v2r2 tenants", expected "v2r2 members"`
    ],
    [
      "a file of a later version",
      edit("tenants.json", (text) => text.replace(`"version": 1`, `"version": 2`)),
      "DATA/tenants.json is damaged: it has format version 2"
    ],
    ["a lost file", (folder) => rmSync(join(folder, "tenants.json")), "DATA/tenants.json is damaged: it is missing"],
    [
      "a lost identity: that is no first start",
      (folder) => rmSync(join(folder, "identity.json")),
      "DATA/identity.json is damaged: it is missing, though other files show that there was a node"
    ]
  ])("%s is refused", ([, change, message]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* broken(change), message)
    }))

  it.effect("is not in white space", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (store) => store.saveTenants(someTenants("a")))
      edit("tenants.json", (text) => JSON.stringify(JSON.parse(text)))(disk.folder)
      assert.strictEqual((yield* kept(disk)).tenants.size, 1)
    }))

  it.effect("is not a folder that cannot be: that is said in one line", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      mkdirSync(join(disk.folder, ".."), { recursive: true })
      writeFileSync(disk.folder, "a file where the folder should be")
      const error = yield* Effect.flip(kept(disk))
      assert.deepStrictEqual([error.kind, error.message.split(";")[0]], [
        "unwritable",
        `${disk.folder} cannot be read and written: not a directory`
      ])
    }))
})

it.effect("needs nothing but the platform's file system", () =>
  Effect.gen(function*() {
    const disk = yield* makeTestDisk
    const real = Layer.provide(NodeStoreLive.layer(disk.folder, owner, 0), NodeFileSystem.layer)
    yield* Effect.provide(Effect.flatMap(NodeStore, (store) => store.saveMembers(someMembers(2_000))), real)
    assert.deepStrictEqual(readdirSync(disk.folder).sort(), ["identity.json", "members.json", "tenants.json"])
  }))
