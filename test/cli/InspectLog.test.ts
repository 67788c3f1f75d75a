/**
 * `v2r2-admin inspect log`: what a log holds, and what is wrong with it, without a node.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LogLine } from "../../src/cli/admin/LogLines.ts"
import { preamble_bytes } from "../../src/storage/log/Segment.ts"
import { head, write } from "../contracts/Journal.ts"
import {
  change, emptyFolder, filled, madeNewer, offline, replicaFile, script, segment, stateOf, tenant, withJournal
} from "./DataFolder.ts"
import type { Situation } from "./Terminal.ts"

const scenario = <A, E>(name: string, test: (folder: string) => Effect.Effect<A, E, Scope.Scope>) =>
  it.effect(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* filled(folder)
      yield* test(folder)
    })))

const log = (folder: string) => replicaFile(folder, "r1@dev1.log")

/** Runs it, and sees that nothing on the disk is another. */
const inspect = (folder: string, args: ReadonlyArray<string>, situation?: Situation) =>
  Effect.gen(function*() {
    const before = stateOf(folder)
    const ran = yield* offline(["inspect", "log", ...args], situation)
    assert.deepStrictEqual(stateOf(folder), before)
    return { ...ran, stdout: ran.stdout.replaceAll(log(folder), "LOG"), stderr: ran.stderr.replaceAll(log(folder), "LOG") }
  })

const linesOf = (stdout: string) =>
  stdout.trimEnd().split("\n").map((line) => Schema.decodeUnknownSync(LogLine)(JSON.parse(line)))
const messages = (stdout: string) => linesOf(stdout).flatMap((line) => "message" in line ? [`${line.line}: ${line.message}`] : [])

describe("inspect log, of a log that is whole,", () => {
  scenario("shows files and writes in a table on a terminal", (folder) =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* inspect(folder, [log(folder)], { terminal: true })
      assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
      const [, id] = /of log ([0-9a-f]{16}),/.exec(stdout) ?? []
      assert.deepStrictEqual(stdout.split("\n"), [
        `tenant ${tenant}  replica r1::dev1`,
        `LOG/00000001.log  file 1 of log ${id}, 4.1 KB: from write 1, behind op 0; 4.1 KB and write 3 were durable`,
        "WRITE   OFFSET    BYTES    OPS          COMMIT  VIEW        CUT  SNAPSHOT  GROUP",
        "1       1024      128                   0       0/0, fresh                 r1::dev1,r2::dev2,r3::dev3",
        "2       1152      256      1-2          0       0/1                        r1::dev1,r2::dev2,r3::dev3",
        "3       1408      2048     3-4          2",
        `LOG/00000002.log  file 2 of log ${id}, 3.1 KB: from write 4, behind op 4`,
        "4       1024      1152     5            4       0/1                        r1::dev1,r2::dev2,r3::dev3",
        `LOG/00000003.log  file 3 of log ${id}, 4.1 KB: from write 5, behind op 5`,
        "5       1024      2112     6-7          5       0/1                        r1::dev1,r2::dev2,r3::dev3",
        `LOG/00000004.log  file 4 of log ${id}, 4.1 KB: from write 6, behind op 7`,
        "6       1024      2112     7-8          6       0/3         6              r1::dev1,r2::dev2,r3::dev3",
        "7       3136      192      9            8",
        "8       3328      128      10           9",
        "9       3456      128      11           10",
        "whole: 4 files of 15 KB, 9 writes, up to op 11, committed up to 10",
        ""
      ])
    }))

  scenario("lists entries with what they do, between two ops", (folder) =>
    Effect.gen(function*() {
      const { stdout } = yield* inspect(folder, [log(folder), "--entries", "--from", "9"], { terminal: true })
      const rows = stdout.split("\n").map((line) => line.replace(/ {2,}/g, "  ").trimEnd())
      const when = "2023-11-14T22:13:20.123Z"
      assert.include(rows, "  OP  VIEW  TIME  KIND  SESSION  REQUEST  ANSWERED  BYTES  OPERATION")
      assert.deepStrictEqual(rows.filter((row) => row.startsWith("  ")).slice(1), [
        `  9  0  ${when}  request  1  9  0  17  put /e1 5 B if its version is 4`,
        `  10  0  ${when}  request  1  10  0  14  delete /e2 recursive`,
        `  11  0  ${when}  request  1  11  0  1  cannot be read: an operation is a msgpack array`
      ])
      assert.notInclude(rows.join("\n"), "6-7")
      // Of a write with others, only what was asked for.
      const one = yield* inspect(folder, [log(folder), "--entries", "--from", "4", "--to", "4", "--json"])
      assert.deepStrictEqual(linesOf(one.stdout).flatMap((line) => line.line === "entry" ? [line.op] : []), [4])
    }))

  scenario("is one JSON value a line, each of the documented shape", (folder) =>
    Effect.gen(function*() {
      const { stdout } = yield* inspect(folder, [log(folder), "--entries", "--json"])
      const lines = linesOf(stdout)
      assert.deepStrictEqual(lines.map(({ line }) => line).join(" "), [
        "segment write write entry entry write entry entry",
        "segment write entry segment write entry entry",
        "segment write entry entry write entry write entry write entry end"
      ].join(" "))
      assert.deepInclude(lines[0], { line: "segment", number: 1, tenant, replica: "r1::dev1", first_write: 1, op_before: 0 })
      const writes = lines.flatMap((line) => line.line === "write" ? [line] : [])
      assert.deepStrictEqual(writes.map(({ cut, head }) => ({ head, cut })), script.map(({ head, truncate_to }, index) => ({
        // Each file has the head.
        head: index === 3 || index === 4 ? script[1]!.head : head,
        cut: truncate_to
      })))
      const operations = lines.flatMap((line) => line.line === "entry" ? [line.operation] : [])
      assert.deepStrictEqual(operations.slice(0, 3), [
        { type: "register" }, { type: "register" }, { type: "create", path: "/e0", element: "blob", data_bytes: 900, parents: false }
      ])
      assert.deepStrictEqual(lines.at(-1), {
        line: "end", segments: 4, writes: 9, entries: 12, op: 11, commit: 10, bytes: 15_360, problems: 0
      })
    }))

  scenario("shows the group that each head names, and that the replica has left", (folder) =>
    Effect.gen(function*() {
      const next = head(3, 3, { epoch: 1, replicas: ["r2::dev2", "r3::dev3"], left: true })
      yield* withJournal(folder, (journal) => journal.write(write({ head: next, commit: 10 })))
      const { stdout } = yield* inspect(folder, [log(folder), "--json"])
      const heads = linesOf(stdout).flatMap((line) => line.line === "write" && line.head !== null ? [line.head] : [])
      assert.deepStrictEqual(heads.at(-2)?.replicas, head(3).replicas)
      assert.deepStrictEqual(heads.at(-1), next)
      const shown = yield* inspect(folder, [log(folder)], { terminal: true })
      assert.match(shown.stdout, /\n10 .* 1\/3, left {2,}r2::dev2,r3::dev3\n/)
    }))

  scenario("is tabs between fields when it is piped, and stops with its reader", (folder) =>
    Effect.gen(function*() {
      const { stdout } = yield* inspect(folder, [log(folder), "--from", "7", "--to", "8"])
      assert.deepStrictEqual(stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]), [
        "segment", "write", "segment", "write", "end"
      ])
      assert.include(stdout, "write\t4\t6\t1024\t2112\t7\t2\t6\t0/3\t6\t\tr1::dev1,r2::dev2,r3::dev3\n")
      const broken = yield* inspect(folder, [log(folder)], { stdoutBreaks: { after: 0, code: "EPIPE" } })
      assert.deepInclude(broken, { exit: 0, stderr: "" })
    }))

  scenario("is also a single file, under any name, and a folder under any name", (folder) =>
    Effect.gen(function*() {
      const copy = join(folder, "copy")
      copyFileSync(segment(folder, 2), copy)
      const { exit, stdout } = yield* inspect(folder, [copy])
      assert.strictEqual(exit, 0)
      assert.include(stdout, "\nend\t1\t1\t1\t5\t4\t3072\t0\n")
      const aside = `${log(folder)}.1.damaged`
      renameSync(log(folder), aside)
      assert.strictEqual((yield* inspect(folder, [aside])).exit, 0)
      // In a folder, the name has to be right.
      mkdirSync(log(folder))
      copyFileSync(copy, segment(folder, 3))
      assert.strictEqual((yield* inspect(folder, [log(folder)])).exit, 1)
      assert.strictEqual((yield* inspect(folder, [segment(folder, 3)])).exit, 0)
    }))
})

describe("inspect log, of a log that is not,", () => {
  scenario("says that a write was cut short, which is no damage", (folder) =>
    Effect.gen(function*() {
      change(segment(folder, 4), (bytes) => void bytes.fill(0, 3456 + 64))
      const { exit, stdout } = yield* inspect(folder, [log(folder), "--json"])
      assert.strictEqual(exit, 0)
      assert.deepStrictEqual(messages(stdout), [
        "note: LOG/00000004.log: a write that was cut short by a crash (60 bytes behind op 10) is dropped; it was never acknowledged"
      ])
      // Were it not the last file, it would be damage.
      change(segment(folder, 2), (bytes) => void bytes.fill(0, 1024 + 64))
      for (const path of [log(folder), segment(folder, 2)]) {
        const ran = yield* inspect(folder, [path, "--json"])
        assert.strictEqual(ran.exit, 1)
        const says = "LOG/00000002.log, at byte 1024: a write is not as it was written, and another file follows"
        assert.include(messages(ran.stdout)[0], says)
      }
    }))

  scenario("says where it is damaged, and goes on with the next file", (folder) =>
    Effect.gen(function*() {
      change(segment(folder, 1), (bytes) => void (bytes[preamble_bytes + 140]! ^= 1))
      const { exit, stdout } = yield* inspect(folder, [log(folder)], { terminal: true })
      assert.strictEqual(exit, 1)
      const says = "! LOG/00000001.log, at byte 1152: a write is not as it was written, and write 3 follows at byte 1408\n"
      // Where it is, and at the end.
      assert.lengthOf(stdout.split(says), 3)
      assert.isTrue(stdout.endsWith(says))
      assert.include(stdout, "\n9       3456")
      assert.include(stdout, "\n1 problem: 4 files of 15 KB, 7 writes,")
    }))

  type Damage = (folder: string) => void
  const ways: ReadonlyArray<readonly [string, Damage, says: ReadonlyArray<string>, exit: number, hidden: ReadonlyArray<number>]> = [
    ["a file is missing", (folder) => rmSync(segment(folder, 2)), ["LOG/00000002.log is missing"], 1, [4]],
    [
      "a file stands in the place of another",
      (folder) => copyFileSync(segment(folder, 3), segment(folder, 2)),
      ["LOG/00000002.log: it is file 3 of its log, where file 2 has to be"],
      1,
      [4]
    ],
    [
      "a file was cut",
      (folder) => change(segment(folder, 2), (bytes) => bytes.slice(0, 3000)),
      ["LOG/00000002.log: it has been cut: it has 3000 bytes, no multiple of 1024"],
      1,
      [4]
    ],
    [
      "a file is no segment",
      (folder) => writeFileSync(segment(folder, 1), "a text"),
      ["LOG/00000001.log: its header is missing"],
      1,
      [1, 2, 3]
    ],
    [
      "a file is of a newer version",
      (folder) => madeNewer(segment(folder, 3), 512),
      [
        "LOG/00000003.log: it has format version 4; this program knows version 3; start the program that wrote it, or a newer one"
      ],
      4,
      [5]
    ]
  ]
  for (const [name, damage, says, exit, hidden] of ways) {
    scenario(`says that ${name}`, (folder) =>
      Effect.gen(function*() {
        damage(folder)
        const ran = yield* inspect(folder, [log(folder), "--json"])
        assert.deepStrictEqual(messages(ran.stdout), says.map((message) => `problem: ${message}`))
        assert.strictEqual(ran.exit, exit)
        // What follows is shown, if it can be read at all.
        const shown = linesOf(ran.stdout).flatMap((line) => line.line === "write" ? [line.write] : [])
        assert.deepStrictEqual(shown, [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((one) => !hidden.includes(one)))
      }))
  }

  scenario("has help without an address, with a line for each kind of JSON", () =>
    Effect.gen(function*() {
      const { stdout } = yield* offline(["inspect", "log", "--help"])
      assert.include(stdout, "\n  v2r2-admin inspect log [flags] <path>\n")
      assert.include(stdout, "\n  v2r2-admin inspect log r1@dev1.log\n")
      assert.include(stdout, `\n  {"line": "note", "message": string}\n  {"line": "problem", "message": string}\n`)
      const group = yield* offline(["inspect", "--help"])
      assert.include(group.stdout, "\n  v2r2-admin inspect <command>\n")
    }))

  scenario("has exit codes for what is no log, and for a command line without sense", (folder) =>
    Effect.gen(function*() {
      const none = yield* inspect(folder, [join(folder, "none")])
      assert.deepInclude(none, { exit: 3, stdout: "" })
      assert.include(none.stderr, "there is none")
      mkdirSync(join(folder, "empty"))
      const empty = yield* inspect(folder, [join(folder, "empty")])
      assert.deepInclude(empty, { exit: 4, stdout: "" })
      assert.include(empty.stderr, "give the .log folder of a replica, or one of its files")
      const range = yield* inspect(folder, [log(folder), "--from", "5", "--to", "4"])
      assert.deepInclude(range, { exit: 2, stdout: "" })
      assert.include(range.stderr, "--from 5 is behind --to 4")
    }))
})
