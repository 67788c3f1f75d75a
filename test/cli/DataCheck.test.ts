/**
 * `v2r2-admin data check`: what a node keeps, judged without a node and without changing anything.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CheckedData } from "../../src/cli/admin/CheckView.ts"
import { holdLock } from "../../src/storage/LockLive.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import {
  asNode, change, emptyFolder, filled, madeNewer, offline, replicaFile, segment, snapshotFile, stateOf, tenant, tenantOf, withJournal
} from "./DataFolder.ts"
import { replicaId } from "../../src/base/Names.ts"
import { head, write } from "../contracts/Journal.ts"
import type { Situation } from "./Terminal.ts"

const scenario = <A, E>(
  name: string,
  test: (folder: string) => Effect.Effect<A, E, Scope.Scope>,
  tenants: ReadonlyArray<Tenant> = [tenantOf()]
) =>
  it.effect(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* asNode(folder, ...tenants)
      yield* filled(folder, [5, 8], {}, tenants[0]!.replicas.map(replicaId))
      yield* test(folder)
    })))

/** Runs it, and sees that nothing on the disk is another. */
const check = (folder: string, args: ReadonlyArray<string> = [], situation?: Situation) =>
  Effect.gen(function*() {
    const before = stateOf(folder)
    const ran = yield* offline(["data", "check", folder, ...args], situation)
    assert.deepStrictEqual(stateOf(folder), before)
    const names = [[replicaFile(folder), "TENANT"], [`tenants/${tenant}`, "TENANT"], [folder, "DATA"], [tenant, "ID"]] as const
    const short = (text: string) => names.reduce((shorter, [long, name]) => shorter.replaceAll(long, name), text)
    return { ...ran, stdout: short(ran.stdout), stderr: short(ran.stderr) }
  })

const report = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.map(check(folder, ["--json", ...args]), ({ exit, stderr, stdout }) => {
    assert.strictEqual(stderr, "")
    return { exit, ...Schema.decodeUnknownSync(CheckedData)(JSON.parse(stdout)) }
  })

const replicaOf = (folder: string) => Effect.map(report(folder), (found) => ({ ...found, one: found.replicas[0]! }))

describe("data check, of a folder that is whole,", () => {
  scenario("says so first, then what there is", (folder) =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* check(folder, [], { terminal: true })
      assert.strictEqual(exit, 0)
      const [verdict, ...lines] = stdout.split("\n")
      assert.match(verdict!, /^DATA DATA {2}WHOLE {2}node dev1 of cluster test, 1 replica, [\d.]+ KB$/)
      assert.deepStrictEqual(lines.map((line) => line.replace(/ {2,}/g, "  ").replace(/[\d.]+ KB/, "SIZE")), [
        "TENANT  REPLICA  DURABILITY  VERDICT  VIEW  OPS  COMMIT  SNAPSHOT  SIZE  NEXT START",
        "orders  r1::dev1  disk  whole  0/3  6-11  10  8  SIZE  starts from its own snapshot of op 8, and its log",
        ""
      ])
      // The bar, once, and taken away.
      assert.match(stderr.replaceAll("\r\u001b[K", "<clear>"), /^<clear>check \[\.*#*\.*\] .*<clear>$/)
      assert.strictEqual((yield* check(folder, ["--quiet"], { terminal: true })).stderr, "")
    }))

  scenario("says so to a program", (folder) =>
    Effect.gen(function*() {
      const found = yield* report(folder)
      assert.deepInclude(found, { exit: 0, verdict: "whole", running_pid: null, tenants: 1, problems: [], notes: [], leftovers: [] })
      assert.deepInclude(found.node, { name: "dev1", cluster: "test" })
      const { bytes, next, ...one } = found.replicas[0]!
      assert.deepStrictEqual(one, {
        tenant: "ID", name: "orders", replica: "r1::dev1", durability: "disk", verdict: "whole", reason: null, head: head(3),
        log: { base: 5, op: 11, commit: 10 }, segments: 2, snapshot: 8
      })
      assert.isAbove(bytes, 4_000)
      assert.strictEqual(next, "starts from its own snapshot of op 8, and its log: view 3, op 11, committed up to 10")
      const plain = yield* check(folder)
      assert.deepStrictEqual(plain.stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]), ["data", "replica"])
    }))

  const cache = tenantOf({ id: "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b", name: "cache", durability: "memory" })
  const fresh = tenantOf({ id: "1b7c6f52-0f5f-4c55-9d5e-0c2f2f4c9d11", name: "fresh" })
  scenario("knows replicas that keep nothing but a head, and those that were never started", (folder) =>
    Effect.gen(function*() {
      yield* withJournal(folder, (journal) => journal.write(write({ head: head(7) })), { durability: "memory", id: cache.id })
      yield* withJournal(folder, (journal) => journal.write(write({ head: head(0, 0, { fresh: true }) })), { id: fresh.id })
      const { exit, replicas } = yield* report(folder)
      assert.strictEqual(exit, 0)
      assert.deepInclude(replicas[0], { name: "cache", verdict: "whole", next: "recovers from its group (promised view 7)", log: null })
      rmSync(join(folder, "tenants", cache.id, "r1@dev1.head.json"))
      const without = yield* report(folder)
      assert.deepInclude(without.replicas[0], { verdict: "whole", next: "recovers from its group (promised view unknown)", head: null })
      assert.match(without.notes[0]!, /r1@dev1\.head\.json is not there: this replica was never started here, or lost it$/)
      assert.deepInclude(replicas[1], { name: "fresh", verdict: "whole", next: "starts, new" })
    }), [tenantOf(), cache, fresh])

  scenario("says that a write was cut short, which is no damage", (folder) =>
    Effect.gen(function*() {
      change(segment(folder, 4), (bytes) => void bytes.fill(0, 3456 + 64))
      const { exit, notes, one, problems } = yield* replicaOf(folder)
      assert.deepStrictEqual({ exit, problems, verdict: one.verdict, op: one.log?.op }, { exit: 0, problems: [], verdict: "torn", op: 10 })
      assert.lengthOf(notes, 1)
      assert.match(notes[0]!, /cut short by a crash \(60 bytes behind op 10\) is dropped/)
      assert.include((yield* check(folder, [], { terminal: true })).stdout, "WHOLE  node dev1 of cluster test")
    }))
})

const log = (folder: string) => replicaFile(folder, "r1@dev1.log")
const headFile = (folder: string) => replicaFile(folder, "r1@dev1.head.json")

type Case = readonly [what: string, damage: (folder: string) => void, verdict: string, says: string, next: string]
const recovers = "recovers from its group (promised view 3)"
const cases: ReadonlyArray<Case> = [
  [
    "a flipped bit",
    (folder) => change(segment(folder, 3), (bytes) => void (bytes[1200]! ^= 1)),
    "doubt",
    "its log is damaged: TENANT/r1@dev1.log/00000003.log, at byte 1024: a write is not as it was written, and another file follows",
    recovers
  ],
  ["a lost log", (folder) => rmSync(log(folder), { recursive: true }), "doubt", "though there was a log", recovers],
  ["a lost head file", (folder) => rmSync(headFile(folder)), "doubt", "head.json is missing, though there", recovers],
  [
    "everything lost",
    (folder) => rmSync(replicaFile(folder), { recursive: true }),
    "doubt",
    "its journal is not there: the disk was lost, or files were removed",
    "recovers from its group (promised view unknown)"
  ],
  [
    "both snapshots damaged",
    (folder) => [5, 8].forEach((op) => change(snapshotFile(folder, op), (bytes) => void (bytes[100]! ^= 1))),
    "doubt",
    "no snapshot has what came before; TENANT/r1@dev1.snapshots/0000000000000008.snapshot is damaged: part 1 is not",
    recovers
  ],
  [
    "an empty head file",
    (folder) => writeFileSync(replicaFile(folder, "r1@dev1.head.json"), ""),
    "doubt",
    "r1@dev1.head.json is damaged: it is not valid JSON",
    recovers
  ],
  [
    "the head file of another replica",
    (folder) => copyFileSync(replicaFile(folder, "r2@dev2.head.json"), replicaFile(folder, "r1@dev1.head.json")),
    "refused",
    "the file belongs to ID::r2::dev2, not to ID::r1::dev1; put it back where it was",
    "does not start"
  ],
  [
    "the log of another replica",
    (folder) => {
      for (const name of readdirSync(replicaFile(folder, "r2@dev2.log"))) {
        copyFileSync(replicaFile(folder, "r2@dev2.log", name), replicaFile(folder, "r1@dev1.log", name))
      }
    },
    "refused",
    "the log belongs to ID::r2::dev2, not to ID::r1::dev1; put it back where it was",
    "does not start"
  ],
  [
    "a newer version",
    (folder) => madeNewer(segment(folder, 4), 512),
    "refused",
    "it has format version 4; this program knows version 3; start the program that wrote it, or a newer one",
    "does not start"
  ],
  [
    "a newer snapshot",
    (folder) => madeNewer(snapshotFile(folder, 8), 64),
    "refused",
    "it has format version 2; this program knows version 1; start the program that wrote it, or a newer one",
    "does not start"
  ]
]

describe("data check, of a replica", () => {
  for (const [what, damage, verdict, says, next] of cases) {
    scenario(`with ${what}, says what and what comes of it`, (folder) =>
      Effect.gen(function*() {
        yield* filled(folder, [], { replica: "r2::dev2" })
        damage(folder)
        const { exit, one, problems, verdict: all } = yield* replicaOf(folder)
        assert.deepStrictEqual({ exit, all, verdict: one.verdict, next: one.next }, { exit: 1, all: "damaged", verdict, next })
        assert.lengthOf(problems, 1)
        const { stdout } = yield* check(folder, [], { terminal: true })
        assert.match(stdout, /^DATA DATA {2}DAMAGED {2}.*\n! /)
        assert.include(stdout, says)
        assert.include(stdout, "\n  → ")
      }))
  }

  it.effect("without snapshots, and with a file missing, says which", () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* emptyFolder
      yield* asNode(folder, tenantOf())
      yield* filled(folder)
      rmSync(segment(folder, 2))
      const { exit, one } = yield* replicaOf(folder)
      assert.deepInclude(one, { verdict: "doubt", reason: "its log is damaged: TENANT/r1@dev1.log/00000002.log is missing", log: null })
      assert.strictEqual(exit, 1)
      // Without the first one, it begins behind what nobody has any more.
      rmSync(segment(folder, 1))
      assert.include((yield* replicaOf(folder)).one.reason, "begins behind op 5, and no snapshot has what came before")
    })))

  scenario("whose newer snapshot is damaged, says that the older one serves", (folder) =>
    Effect.gen(function*() {
      change(snapshotFile(folder, 8), (bytes) => void (bytes[100]! ^= 1))
      const { exit, one, problems } = yield* replicaOf(folder)
      assert.deepInclude(one, { verdict: "whole", snapshot: 5 })
      assert.strictEqual(exit, 1)
      assert.lengthOf(problems, 1)
      assert.include(problems[0]!.message, "is damaged: part 1 is not as it was written. It is set aside; that of op 5 serves")
    }))

  scenario("whose older snapshot is damaged, says that it is the spare one", (folder) =>
    Effect.gen(function*() {
      change(snapshotFile(folder, 5), (bytes) => void (bytes[100]! ^= 1))
      const { exit, one, problems } = yield* replicaOf(folder)
      assert.deepInclude(one, { verdict: "whole", snapshot: 8 })
      assert.strictEqual(exit, 1)
      assert.include(problems[0]!.message, "is damaged: part 1 is not as it was written. It is the spare one; that of op 8 serves")
    }))

  const alone = tenantOf({ replicas: [{ name: "r1", node: "dev1" }] })
  scenario("that is alone and damaged, says that it does not start, and why", (folder) =>
    Effect.gen(function*() {
      change(segment(folder, 4), (bytes) => void (bytes[1200]! ^= 1))
      const { one, problems } = yield* replicaOf(folder)
      assert.deepInclude(one, { verdict: "doubt", next: "does not start" })
      assert.include(problems[0]!.message, "there is no other to repair it from")
    }), [alone])

  scenario("that had begun to recover is in doubt until it has", (folder) =>
    Effect.gen(function*() {
      yield* withJournal(folder, (journal) => journal.write(write({ head: head(4, 4, { whole: false }), commit: 10 })))
      const { exit, one } = yield* replicaOf(folder)
      assert.deepInclude(one, { verdict: "doubt" })
      assert.include(one.reason, "the recovery from its group did not come to an end")
      assert.strictEqual(exit, 1)
    }))
})

describe("data check, of the files of a node,", () => {
  for (const name of ["identity.json", "members.json", "tenants.json"]) {
    scenario(`says that ${name} is damaged, and goes on`, (folder) =>
      Effect.gen(function*() {
        change(join(folder, name), (bytes) => bytes.map((byte) => byte === 49 ? 50 : byte))
        const { exit, one, problems } = yield* replicaOf(folder)
        assert.strictEqual(exit, 1)
        assert.lengthOf(problems, 1)
        assert.include(problems[0]!.message, `${name} is damaged: `)
        assert.include(problems[0]!.message, "put back a good copy")
        assert.deepInclude(one, { verdict: "whole", durability: "disk", next: "does not start, as its node does not" })
      }))
    scenario(`says that ${name} is missing`, (folder) =>
      Effect.gen(function*() {
        rmSync(join(folder, name))
        const { exit, problems } = yield* report(folder)
        assert.strictEqual(exit, 1)
        assert.include(problems.map(({ message }) => message).join(), `${name} is damaged: it is missing`)
      }))
  }

  scenario("says that all of them are missing", (folder) =>
    Effect.gen(function*() {
      for (const name of ["identity.json", "members.json", "tenants.json"]) rmSync(join(folder, name))
      const { exit, problems, replicas } = yield* report(folder)
      assert.strictEqual(exit, 1)
      assert.include(problems[0]!.message, "the next start makes a new node of this folder")
      assert.strictEqual(replicas[0]!.next, "does not start, as its node is a new one")
    }))

  scenario("has exit codes for folders that are none of a node", (folder) =>
    Effect.gen(function*() {
      assert.deepInclude(yield* offline(["data", "check", join(folder, "none")]), { exit: 3, stdout: "" })
      mkdirSync(join(folder, "empty"))
      const empty = yield* offline(["data", "check", join(folder, "empty")])
      assert.deepInclude(empty, { exit: 3, stdout: "" })
      assert.include(empty.stderr, "there is nothing of a node in")
      assert.deepInclude(yield* offline(["data", "check", join(folder, "lock")]), { exit: 3 })
      assert.deepInclude(yield* offline(["data", "check"]), { exit: 2, stdout: "" })
    }))

  scenario("refuses while a node is at work there, unless it is told to look", (folder) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      yield* holdLock(fs, folder)
      const { exit, stderr, stdout } = yield* check(folder)
      assert.deepStrictEqual({ exit, stdout }, { exit: 4, stdout: "" })
      assert.include(stderr, `process ${process.pid} is at work in DATA\n  stop it first, or look nevertheless with --while-running`)
      const looked = yield* check(folder, ["--while-running"], { terminal: true })
      assert.strictEqual(looked.exit, 0)
      assert.match(looked.stdout, /^DATA DATA {2}WHOLE/)
      assert.include(looked.stdout, `\n! process ${process.pid} is at work here: what is said may not hold any more`)
      assert.strictEqual((yield* report(folder, "--while-running")).running_pid, process.pid)
      const said = yield* offline(["inspect", "log", replicaFile(folder, "r1@dev1.log")])
      assert.include(said.stderr, `process ${process.pid} is at work on these files`)
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  const withdrawn = tenantOf({ id: "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b", withdrawn: true })
  const elsewhere = tenantOf({
    id: "2c8d7a63-1a6a-4d66-8e6f-1d3a3a5daa22",
    name: "elsewhere",
    replicas: [{ name: "r1", node: "dev2" }, { name: "r2", node: "dev3" }]
  })
  scenario("lists what is left over, and why", (folder) =>
    Effect.gen(function*() {
      yield* filled(folder, [], { id: withdrawn.id })
      yield* filled(folder, [], { id: "1b7c6f52-0f5f-4c55-9d5e-0c2f2f4c9d11" })
      yield* filled(folder, [], { replica: "r2::dev2" })
      yield* filled(folder, [], { replica: "r9::dev1" })
      mkdirSync(replicaFile(folder, "r1@dev1.log.1.damaged"))
      mkdirSync(join(folder, "uploads"))
      copyFileSync(segment(folder, 4), replicaFile(folder, "r1@dev1.log.1.damaged", "00000004.log"))
      for (const [path, bytes] of [
        ["notes.txt", 6], ["identity.json.tmp", 7], [`tenants/${tenant}/r1@dev1.snapshots/save.tmp`, 8],
        [`tenants/${tenant}/r1@dev1.log/00000005.log.tmp`, 9],
        // Of the log, and nothing to be told of.
        [`tenants/${tenant}/r1@dev1.log/00000001.spare`, 10],
        [`tenants/${tenant}/other`, 11], [`tenants/${tenant}/r1@dev1.log/x`, 12], ["tenants/x", 13],
        ["uploads/x.snapshot", 14]
      ] as const) writeFileSync(join(folder, path), "x".repeat(bytes))
      const { exit, leftovers, replicas } = yield* report(folder)
      assert.strictEqual(exit, 0)
      assert.lengthOf(replicas, 1)
      const found = leftovers.map(({ bytes, path, reason }) =>
        `${path}: ${bytes < 100 ? bytes : "SIZE"}, ${reason.split(/[:;]/)[0]}`)
      assert.sameMembers(found, [
        "identity.json.tmp: 7, a write that did not end",
        "notes.txt: 6, it is no file of a node",
        "tenants/x: 13, it is no file of a node",
        "uploads/x.snapshot: 14, somebody was sending it",
        "TENANT/other: 11, it is no file of a node",
        "TENANT/r1@dev1.log/x: 12, it is no file of a node",
        "TENANT/r1@dev1.log/00000005.log.tmp: 9, a write that did not end",
        "TENANT/r1@dev1.log.1.damaged: SIZE, it was set aside",
        "TENANT/r1@dev1.snapshots/save.tmp: 8, nobody needs it",
        `tenants/${withdrawn.id}/r1@dev1.*: SIZE, its tenant was withdrawn`,
        "tenants/1b7c6f52-0f5f-4c55-9d5e-0c2f2f4c9d11/r1@dev1.*: SIZE, its tenant is not known here",
        "TENANT/r2@dev2.*: SIZE, it is a replica of node dev2",
        "TENANT/r9@dev1.*: SIZE, this node has another replica of its tenant"
      ])
      assert.include((yield* check(folder, [], { terminal: true })).stdout, "LEFT OVER")
    }), [tenantOf(), withdrawn, elsewhere])
})
