/**
 * Checking a folder says what a start does with it, whatever became of the files: the next start is the judge.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Random, seeded } from "../../src/base/Random.ts"
import { begin, describeBeginning } from "../../src/node/Beginning.ts"
import { checkData, surveyData } from "../../src/node/DataCheckLive.ts"
import { Journals } from "../../src/storage/Journal.ts"
import * as JournalsLive from "../../src/storage/JournalsLive.ts"
import { makeLogDisk } from "../../src/storage/LogDiskLive.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import { header_bytes } from "../../src/wire/SnapshotFile.ts"
import {
  asNode, asOwner, change, emptyFolder, filled, layout, replicaFile, segment, stateOf, tenantOf, withJournal
} from "../cli/DataFolder.ts"
import { head, write } from "../contracts/Journal.ts"
import { drawChange } from "../storage/Damages.ts"

const check = (folder: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const before = stateOf(folder)
    const report = yield* checkData(fs, folder, yield* surveyData(fs, folder), () => Effect.void)
    assert.deepStrictEqual(stateOf(folder), before, "nothing is changed")
    return report
  })

/** What a start of the node does with the replica, in fact: how it begins, what it had found, and what it logs. */
const start = (folder: string, tenant: Tenant) =>
  Effect.gen(function*() {
    const disk = makeLogDisk(yield* FileSystem.FileSystem)
    return yield* Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(tenant.id, "r1::dev1", tenant.durability)
      const opened = yield* journal.open
      return { opened, ...(yield* begin(tenant, "r1::dev1", journal, null)) }
    }).pipe(Effect.result, Effect.provide(JournalsLive.layerOn(disk, folder, layout)))
  })

/** The log's come last: most things happen there. */
const filesBelow = (folder: string): ReadonlyArray<string> => {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)).sort()
  const files = paths.filter((path) => statSync(path).isFile())
  const isLog = (path: string) => path.endsWith(".log")
  return [...files.filter((path) => !isLog(path)), ...files.filter(isLog)]
}

/** Damages one or two of the replica's files. */
const damaged = (random: Random, folder: string): string => {
  const files = {
    names: filesBelow(replicaFile(folder)),
    content: (path: string) => new Uint8Array(readFileSync(path)),
    change: (path: string, bytes: Uint8Array | null) => bytes === null ? rmSync(path) : writeFileSync(path, bytes)
  }
  const said = drawChange(random, files)
  const names = filesBelow(replicaFile(folder))
  return random.next() < 0.7 || names.length === 0 ? said : `${said}, ${drawChange(random, { ...files, names })}`
}

/** Compares the two, and says what both found. */
const compared = (folder: string, tenant: Tenant, said: string) =>
  Effect.gen(function*() {
    const { notes, problems, replicas, verdict } = yield* check(folder)
    const [one] = replicas
    const started = yield* start(folder, tenant)
    const messages = problems.map(({ message }) => message).join("\n")
    if (Result.isFailure(started)) {
      const { message, _tag } = started.failure
      assert.deepInclude(one, { reason: message, next: "does not start", verdict: _tag === "Irreparable" ? "doubt" : "refused" }, said)
      assert.strictEqual(verdict, "damaged", said)
      return one!.verdict
    }
    const { beginning, opened } = started.success
    assert.strictEqual(one!.next, describeBeginning(beginning), said)
    assert.deepStrictEqual(one!.head, opened.head, said)
    assert.strictEqual(one!.snapshot, opened.snapshot, said)
    if (beginning._tag === "Recovery" && beginning.doubt !== null) {
      assert.deepInclude(one, { verdict: "doubt", reason: beginning.doubt, log: null }, said)
      assert.include(messages, beginning.doubt, said)
    } else {
      const { base, commit, entries } = opened
      const log = tenant.durability === "disk" ? { base, op: base + entries.length, commit } : null
      assert.deepStrictEqual(one!.log, log, said)
      const torn = opened.notes.some((note) => note.includes("cut short"))
      assert.strictEqual(one!.verdict, torn ? "torn" : "whole", said)
      // All that a start tells is told, and nothing else happens to the log.
      for (const note of [...opened.notes, ...opened.damage]) assert.include([...notes, messages].join("\n"), note, said)
    }
    return one!.verdict
  })

describe("a check of a folder", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<number>, Partial<Tenant>]> = [
    ["with snapshots", [5, 8], {}],
    ["without snapshots", [], {}],
    ["of a replica that is alone", [5], { replicas: [{ name: "r1", node: "dev1" }] }]
  ]
  for (const [index, [what, snapshots, group]] of cases.entries()) {
    it.effect(`${what}, says what the next start does, whatever became of it`, () =>
      Effect.scoped(Effect.gen(function*() {
        const root = yield* emptyFolder
        const tenant = tenantOf(group)
        const origin = join(root, "origin")
        mkdirSync(origin)
        yield* asNode(origin, tenant)
        yield* filled(origin, snapshots)
        const seen: Record<string, number> = { whole: 0, doubt: 0, refused: 0, torn: 0 }
        for (let seed = 1_000 * index; seed < 1_000 * index + 60; seed++) {
          const folder = join(root, String(seed))
          cpSync(origin, folder, { recursive: true })
          const said = `seed ${seed}: ${damaged(seeded(seed), folder)}`
          seen[yield* compared(folder, tenant, said)]! += 1
          rmSync(folder, { recursive: true })
        }
        assert.isAbove(Math.min(seen["whole"]!, seen["doubt"]!, seen["torn"]!), 1, JSON.stringify(seen))
      })).pipe(Effect.provide(NodeFileSystem.layer)), 60_000)
  }

  it.effect("of durability memory, says what the next start does, whatever became of it", () =>
    Effect.scoped(Effect.gen(function*() {
      const root = yield* emptyFolder
      const tenant = tenantOf({ durability: "memory" })
      const origin = join(root, "origin")
      mkdirSync(origin)
      yield* asNode(origin, tenant)
      yield* withJournal(origin, (journal) => journal.write(write({ head: head(7) })), { durability: "memory" })
      const seen = new Set<string>()
      for (let seed = 1; seed <= 40; seed++) {
        const folder = join(root, String(seed))
        cpSync(origin, folder, { recursive: true })
        seen.add(yield* compared(folder, tenant, `seed ${seed}: ${damaged(seeded(seed), folder)}`))
      }
      assert.sameMembers([...seen], ["whole", "refused"])
    })).pipe(Effect.provide(NodeFileSystem.layer)), 30_000)

  it.effect("knows what the node has promised, and says if that is damaged", () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* asOwner(folder, { name: "dev1", cluster: "test" }, [], 300)
      const { leftovers, verdict } = yield* check(folder)
      assert.deepStrictEqual([verdict, leftovers], ["whole", []])
      writeFileSync(join(folder, "lease.json"), "")
      const { problems } = yield* check(folder)
      assert.match(problems.map(({ message }) => message).join(), /lease\.json is damaged: .*; if this node has been down for two minutes/)
    })).pipe(Effect.provide(NodeFileSystem.layer)), 30_000)

  it.effect("reads every byte that a start reads, and tells how far it is", () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* asNode(folder, tenantOf())
      yield* filled(folder, [5, 8])
      change(segment(folder, 3), () => {})
      const fs = yield* FileSystem.FileSystem
      const seen = yield* surveyData(fs, folder)
      let read = 0
      yield* checkData(fs, folder, seen, (bytes) => Effect.sync(() => void (read += bytes)))
      const { bytes, spare_bytes } = seen.found.replicas[0]!
      assert.strictEqual(spare_bytes, 4096)
      // The headers of both snapshots are read before the one that serves.
      assert.strictEqual(read, bytes - spare_bytes + 2 * header_bytes)
    })).pipe(Effect.provide(NodeFileSystem.layer)))
})
