/**
 * `v2r2-admin inspect snapshot`: what snapshots hold, and what is wrong with them, without a node.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SnapshotLine } from "../../src/cli/admin/SnapshotLines.ts"
import { concat } from "../../src/base/Bytes.ts"
import { SnapshotEncoder } from "../../src/wire/SnapshotFile.ts"
import { fileOf, partsOf, snapshotOf } from "../wire/SnapshotOf.ts"
import { change, emptyFolder, filled, madeNewer, offline, replicaFile, snapshotFile, stateOf, tenant } from "./DataFolder.ts"
import type { Situation } from "./Terminal.ts"

const scenario = <A, E>(name: string, test: (folder: string) => Effect.Effect<A, E, Scope.Scope>) =>
  it.effect(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* filled(folder, [5, 8])
      yield* test(folder)
    })))

const snapshots = (folder: string) => replicaFile(folder, "r1@dev1.snapshots")

const inspect = (folder: string, args: ReadonlyArray<string>, situation?: Situation) =>
  Effect.gen(function*() {
    const before = stateOf(folder)
    const ran = yield* offline(["inspect", "snapshot", ...args], situation)
    assert.deepStrictEqual(stateOf(folder), before)
    const short = (text: string) => text.replaceAll(snapshots(folder), "SNAPSHOTS").replaceAll(folder, "DATA")
    return { ...ran, stdout: short(ran.stdout), stderr: short(ran.stderr) }
  })

const linesOf = (stdout: string) =>
  stdout.trimEnd().split("\n").map((line) => Schema.decodeUnknownSync(SnapshotLine)(JSON.parse(line)))
const verdicts = (stdout: string) =>
  linesOf(stdout).flatMap((line) => line.line === "snapshot" ? [[line.verdict, line.problem]] : [])

describe("inspect snapshot", () => {
  scenario("shows what each of a folder holds", (folder) =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* inspect(folder, [snapshots(folder)], { terminal: true })
      assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
      const lines = stdout.split("\n")
      assert.lengthOf(lines, 15)
      assert.deepStrictEqual(lines.slice(7, 13), [
        "SNAPSHOTS/0000000000000008.snapshot  whole",
        `  tenant  ${tenant}`,
        "  op      8",
        "  time    2023-11-14T22:13:20.123Z",
        "  group   epoch 2: r1::dev1,r2::dev2,r3::dev3",
        "  holds   6 elements, 2 sessions"
      ])
      assert.match(lines[13]!, /^ {2}parts {3}4, \d+ B, digest [0-9a-f]{8}$/)
    }))

  scenario("lists the elements of one, as they come", (folder) =>
    Effect.gen(function*() {
      const { stdout } = yield* inspect(folder, [snapshotFile(folder, 5), "--elements"], { terminal: true })
      assert.deepStrictEqual(stdout.split("\n").slice(0, 5), [
        "PATH  TYPE  VERSION  SIZE",
        "/e0   blob  3        10",
        "/e1   blob  4        10",
        "/e2   blob  5        10",
        "SNAPSHOTS/0000000000000005.snapshot  whole"
      ])
      const piped = yield* inspect(folder, [snapshots(folder), "--elements"])
      assert.deepStrictEqual(piped.stdout.trimEnd().split("\n").map((line) => line.split("\t").slice(0, 2).join(" ")), [
        "element /e0", "element /e1", "element /e2", "snapshot SNAPSHOTS/0000000000000005.snapshot",
        ...["/e0", "/e1", "/e2", "/e3", "/e4", "/e5"].map((path) => `element ${path}`),
        "snapshot SNAPSHOTS/0000000000000008.snapshot"
      ])
    }))

  scenario("names elements below directories by their paths, in parts of any length", (folder) =>
    Effect.gen(function*() {
      const many = snapshotOf(3_000, 100)
      writeFileSync(join(folder, "many.snapshot"), fileOf(many.op, partsOf(many)))
      const { exit, stdout } = yield* inspect(folder, [join(folder, "many.snapshot"), "--elements", "--json"])
      assert.strictEqual(exit, 0)
      const lines = linesOf(stdout)
      assert.lengthOf(lines, 3_001)
      assert.deepInclude(lines[0], { line: "element", path: "/e0", type: "blob", created_version: 3, version: 3, size: 100 })
      assert.deepInclude(lines.at(-1), { line: "snapshot", verdict: "whole", elements: 3_000, sessions: 2, op: 3_002, tenant })
    }))

  scenario("says where one is damaged, and goes on with the next", (folder) =>
    Effect.gen(function*() {
      change(snapshotFile(folder, 5), (bytes) => void (bytes[200]! ^= 1))
      const { exit, stdout } = yield* inspect(folder, [snapshots(folder), "--json"])
      assert.strictEqual(exit, 1)
      const [damaged, whole] = verdicts(stdout)
      assert.strictEqual(damaged![0], "damaged")
      assert.match(damaged![1]!, /^SNAPSHOTS\/0000000000000005\.snapshot, at byte \d+: part \d is not as it was written$/)
      assert.deepStrictEqual(whole, ["whole", null])
    }))

  scenario("does not count what nobody relies on, unless it was asked for by name", (folder) =>
    Effect.gen(function*() {
      copyFileSync(snapshotFile(folder, 5), join(snapshots(folder), "save.tmp"))
      change(join(snapshots(folder), "save.tmp"), (bytes) => bytes.slice(0, 150))
      renameSync(snapshotFile(folder, 5), `${snapshotFile(folder, 5)}.1.damaged`)
      change(`${snapshotFile(folder, 5)}.1.damaged`, (bytes) => void (bytes[20]! ^= 1))
      const { exit, stdout } = yield* inspect(folder, [snapshots(folder), "--json"])
      assert.strictEqual(exit, 0)
      assert.deepStrictEqual(verdicts(stdout).map(([verdict]) => verdict), ["set aside", "whole", "unfinished"])
      const one = yield* inspect(folder, [join(snapshots(folder), "save.tmp"), "--json"])
      assert.strictEqual(one.exit, 1)
      assert.match(verdicts(one.stdout)[0]![1]!, /save\.tmp, at byte \d+: it was cut: it ends behind part \d$/)
    }))

  type Way = readonly [string, (folder: string) => void, string, RegExp, number]
  const ways: ReadonlyArray<Way> = [
    ["a text", (folder) => writeFileSync(snapshotFile(folder, 8), "x".repeat(100)), "damaged", /at byte 0: its header is not as it/, 1],
    ["an empty file", (folder) => writeFileSync(snapshotFile(folder, 8), ""), "damaged", /it was cut: it ends behind part 0/, 1],
    ["one of another op", (folder) => copyFileSync(snapshotFile(folder, 5), snapshotFile(folder, 8)), "damaged", /it is of op 5$/, 1],
    ["a newer one", (folder) => madeNewer(snapshotFile(folder, 8), 64), "unreadable", /format version 2.*; start the program that/, 4],
    [
      "one whose parts are none",
      (folder) => writeFileSync(snapshotFile(folder, 8), fileOf(8, [Uint8Array.of(9, 9)])),
      "unreadable",
      /part 1 cannot be read: a part is out of order; start/,
      4
    ],
    [
      "one that says another op inside",
      (folder) => {
        const encoder = new SnapshotEncoder({ tenant, op: 8 })
        const parts = partsOf(snapshotOf(3)).flatMap((part) => encoder.part(part))
        writeFileSync(snapshotFile(folder, 8), concat([encoder.header, ...parts, encoder.end()]))
      },
      "unreadable",
      /it does not hold what it says/,
      4
    ]
  ]
  for (const [name, damage, verdict, says, exit] of ways) {
    scenario(`knows ${name}`, (folder) =>
      Effect.gen(function*() {
        damage(folder)
        const ran = yield* inspect(folder, [snapshotFile(folder, 8), "--json"])
        const [found] = verdicts(ran.stdout)
        assert.strictEqual(found![0], verdict)
        assert.match(found![1]!, says)
        assert.strictEqual(ran.exit, exit)
        assert.include((yield* inspect(folder, [snapshots(folder)], { terminal: true })).stdout, `${verdict}\n! SNAPSHOTS`)
      }))
  }

  scenario("has exit codes for what is not there", (folder) =>
    Effect.gen(function*() {
      assert.deepInclude(yield* inspect(folder, [join(folder, "none")]), { exit: 3, stdout: "" })
      const none = yield* inspect(folder, [folder])
      assert.deepInclude(none, { exit: 4, stdout: "" })
      assert.include(none.stderr, "there is no snapshot in DATA")
      assert.isAbove(readFileSync(snapshotFile(folder, 5)).length, 100)
    }))
})
