/**
 * What is held on a disk, by the names of files and folders, and what is left of a replica that was discarded.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { seeded } from "../../src/base/Random.ts"
import { Journals } from "../../src/storage/Journal.ts"
import * as JournalsLive from "../../src/storage/JournalsLive.ts"
import { entries, head, own, tenant, write } from "../contracts/Journal.ts"
import { range, snapshotOf } from "../contracts/Snapshots.ts"
import { small } from "./Scripts.ts"
import { makeTestDisk } from "./TestDisk.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const scenario = (name: string, test: (folder: string) => Effect.Effect<void, unknown, Journals>) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const { folder } = yield* makeTestDisk
      yield* Effect.provide(test(folder), Layer.provide(JournalsLive.layer(folder), NodeFileSystem.layer))
    }))

const put = (...path: ReadonlyArray<string>): void => {
  const file = join(...path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, "")
}

/** A log, two snapshots and a head file; where files are small, spares too. */
const filled = Effect.gen(function*() {
  const journal = yield* (yield* Journals).journal(...own, "disk")
  yield* journal.open
  yield* journal.write(write({ head: head(1), entries: entries(1, 9), commit: 9 }))
  for (const op of range(10, 13)) {
    const long = { ...entries(op, 1)[0]!, operation: new Uint8Array(4000) }
    yield* journal.write(write({ entries: [long], commit: op - 1 }))
  }
  for (const op of [11, 12]) yield* journal.save(snapshotOf(op))
})

const discarded = Effect.flatMap(Journals, (journals) => journals.discard(...own))
const held = Effect.flatMap(Journals, (journals) => journals.held)

describe("what is held", () => {
  scenario("is known by a head file, a log folder or a snapshots folder alone, also an empty one", (folder) =>
    Effect.gen(function*() {
      put(folder, "tenants", tenant, "r3@dev1.head.json")
      mkdirSync(join(folder, "tenants", tenant, "r1@dev1.log"))
      mkdirSync(join(folder, "tenants", tenant, "r2@dev1.snapshots"))
      assert.deepStrictEqual((yield* held).map(({ replica }) => replica), ["r1::dev1", "r2::dev1", "r3::dev1"])
    }))

  scenario("is nothing that was set aside, was not finished, or is none of ours", (folder) =>
    Effect.gen(function*() {
      const others = [
        "r1@dev1.log.1.damaged", "r1@dev1.head.json.1.damaged", "r1@dev1.snapshots.2.damaged", "r1@dev1.head.json.tmp",
        "r1.log", "@dev1.log", "r1@.log", "r1@dev1@dev2.log", "r 1@dev1.log", "r1@dev1.logs", "r1@dev1"
      ]
      for (const name of others) put(folder, "tenants", tenant, name)
      for (const name of ["orders", tenant.toUpperCase(), "lost+found"]) put(folder, "tenants", name, "r1@dev1.head.json")
      put(folder, "tenants", "README")
      assert.deepStrictEqual(yield* held, [])
      put(folder, "tenants", tenant, "r1@dev1.log.head.json")
      assert.deepStrictEqual(yield* held, [{ tenant, replica: "r1::dev1.log" }])
    }))
})

describe("a replica that is discarded", () => {
  scenario("leaves no folder behind", (folder) =>
    Effect.gen(function*() {
      yield* filled
      assert.lengthOf(readdirSync(join(folder, "tenants", tenant)), 3)
      yield* discarded
      assert.deepStrictEqual(readdirSync(join(folder, "tenants")), [])
    }))

  scenario("leaves the folder of the tenant where another one is at home, or about to be", (folder) =>
    Effect.gen(function*() {
      yield* filled
      const next = yield* (yield* Journals).journal(tenant, "r4::dev1", "memory")
      yield* next.open
      yield* discarded
      assert.deepStrictEqual(readdirSync(join(folder, "tenants", tenant)), [])
      yield* next.write(write({ head: head(1) }))
      yield* discarded
      assert.deepStrictEqual(yield* held, [{ tenant, replica: "r4::dev1" }])
    }))

  scenario("leaves what was set aside, also among its snapshots, under names that are nobody's", (folder) =>
    Effect.gen(function*() {
      const home = join(folder, "tenants", tenant)
      yield* filled
      put(home, "r1@dev1.log.1.damaged", "00000001.log")
      put(home, "r1@dev1.head.json.1.damaged")
      yield* discarded
      assert.deepStrictEqual(readdirSync(home).sort(), ["r1@dev1.head.json.1.damaged", "r1@dev1.log.1.damaged"])
      yield* filled
      put(home, "r1@dev1.snapshots", "0000000000000004.snapshot.1.damaged")
      yield* discarded
      assert.deepStrictEqual(yield* held, [])
      assert.deepStrictEqual(readdirSync(join(home, "r1@dev1.snapshots.2.damaged")), ["0000000000000004.snapshot.1.damaged"])
      assert.isTrue(existsSync(join(home, "r1@dev1.log.1.damaged", "00000001.log")))
      assert.lengthOf(readdirSync(home), 3)
    }))

  it.effect("in part, by a failure or a loss of power at any step, is discarded by the next one", () =>
    Effect.gen(function*() {
      for (const power of [false, true]) {
        for (let step = 0, failed = true; failed; step++) {
          const disk = new TestLogDisk(seeded(step))
          const life = <A, E>(body: Effect.Effect<A, E, Journals>) =>
            Effect.provide(body, JournalsLive.layerOn(disk, "/data", small), { local: true })
          yield* life(filled)
          assert.lengthOf(disk.names.filter((name) => name.endsWith(".spare")), 2)
          disk.failAt(step)
          failed = Exit.isFailure(yield* Effect.exit(life(discarded)))
          if (power) disk.losePower()
          else disk.repair()
          // Whatever is left, it is told of; and what the replica had promised is not half there.
          const left = yield* life(held)
          assert.strictEqual(left.length, disk.names.length > 0 ? 1 : 0, `step ${step}`)
          if (!failed) assert.deepStrictEqual(left, [], `step ${step}`)
          yield* life(discarded)
          assert.deepStrictEqual([yield* life(held), disk.names], [[], []], `step ${step}`)
          disk.losePower()
          assert.deepStrictEqual(disk.names, [], `step ${step}`)
        }
      }
    }))
})
