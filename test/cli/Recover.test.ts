/**
 * `v2r2-admin recover`: a tenant goes on from what is left in the folders of some of its nodes.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { cpSync, rmSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { Recovered } from "../../src/cli/admin/RecoverView.ts"
import type { Stored } from "../../src/storage/Journal.ts"
import { holdLock } from "../../src/storage/LockLive.ts"
import { type Entry, firstView } from "../../src/vr/Message.ts"
import { decodeNextGroup } from "../../src/vr/NextGroup.ts"
import { entries, group, head, write } from "../contracts/Journal.ts"
import { asOwner, emptyFolder, filled, offline, replicaFile, stateOf, tenant, tenantOf, time, withJournal } from "./DataFolder.ts"
import type { Situation } from "./Terminal.ts"

const cache = tenantOf({ id: "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b", name: "cache", durability: "memory" })
const gone = tenantOf({ id: "1b7c6f52-0f5f-4c55-9d5e-0c2f2f4c9d11", name: "gone", withdrawn: true })

/** dev1, with what {@link filled} writes, and a snapshot; dev2, which has less; and dev4, without a replica. */
const scenario = <E>(name: string, test: (folders: Folders) => Effect.Effect<void, E>) =>
  it.effect(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const [one, two, four] = yield* Effect.all([emptyFolder, emptyFolder, emptyFolder])
      for (const [node, folder] of [["dev1", one], ["dev2", two], ["dev4", four]] as const) {
        yield* asOwner(folder, { name: node, cluster: "test" }, [tenantOf(), cache, gone])
      }
      yield* filled(one, [8])
      yield* withJournal(two, (journal) => journal.write(write({ head: head(3, 1), entries: entries(1, 12), commit: 4 })), {
        replica: "r2::dev2"
      })
      yield* test({ one, two, four })
    })))

interface Folders {
  readonly one: string
  readonly two: string
  readonly four: string
}

const recover = (folders: ReadonlyArray<string>, args: ReadonlyArray<string> = [], situation?: Situation, name = "orders") =>
  offline(["recover", name, ...folders, ...args], situation)

/** What is there, without the snapshot. */
const storedIn = (folder: string, replica: string): Effect.Effect<Stored> =>
  withJournal(folder, ({ open }) => open, { replica })

const epoch = 1_000
const first = firstView(epoch)

const isBegunAnew = (folder: string) =>
  Effect.gen(function*() {
    const stored = yield* storedIn(folder, "r1::dev1")
    assert.deepStrictEqual(stored.head, {
      epoch, view: first, log_view: first, fresh: false, whole: true, replicas: ["r1::dev1"], left: false
    })
    assert.deepInclude(stored, { commit: 12, doubt: null, snapshot: 8 })
    const { op, operation, time: at, view } = stored.entries.at(-1)! satisfies Entry
    assert.deepStrictEqual([op, view, at], [12, 3, time])
    assert.deepStrictEqual(decodeNextGroup(operation), { epoch, replicas: ["r1::dev1"], leaving: group.slice(1) })
  })

describe("recover", () => {
  scenario("on a terminal: shows what is left and what is lost, asks for the name, writes, and says what comes next", ({ one, two }) =>
    Effect.gen(function*() {
      const other = stateOf(two)
      // dev2 cannot be relied on, so the two are no quorum.
      truncateSync(replicaFile(two, "r2@dev2.log", "00000001.log"), 512)
      const damaged = stateOf(two)
      assert.notDeepEqual(damaged, other)
      const { exit, stderr, stdout } = yield* recover([one, two], [], { terminal: true, typing: ["orders"] })
      assert.strictEqual(exit, 0)
      // Behind the line that said that it reads.
      const text = stderr.slice(stderr.indexOf("NODE")).replaceAll(/ {2,}/g, "  ").replaceAll(/[\d.]+ KB/g, "SIZE")
      assert.match(text, /^NODE  REPLICA  VIEW  OPS  COMMIT  SIZE  GROUP  PROBLEM\ndev1  r1::dev1  0\/3  1-11  10  SIZE  r1::dev1,/)
      assert.match(text, /\ndev2  r2::dev2  0\/3, log 1  -  -  SIZE  r1::dev1,r2::dev2,r3::dev3  its log is damaged: /)
      assert.match(text, /\n! r1::dev1 is chosen: .* up to op 11, counts as committed from then on; up to op 10 that is known\.\n/)
      assert.match(text, /\n! Lost is whatever was acknowledged by a quorum without the survivors: what r3::dev3 held nobody /)
      assert.match(text, /\n! r3::dev3 must never come back with what they held\. .* --dead; .*: remove tenants\//)
      assert.match(stdout, /^tenant orders goes on from r1::dev1 in epoch 1000\. Next:\n {2}1\. start node dev1 /)
      assert.match(stdout, /\n {2}2\. start dev2 only then: .*, and go\n/)
      assert.match(stdout, /\n {2}3\. let the group grow again, under new ids: vr add orders <node>; .*--dead\n$/)
      yield* isBegunAnew(one)
      assert.deepStrictEqual(stateOf(two), damaged)
    }))

  scenario("for a program: with the name in a flag; once more, it says that nothing is left to do", ({ one }) =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* recover([one], ["--confirm", "orders", "--json"])
      assert.deepStrictEqual([exit, stderr], [0, ""])
      const { bytes, ...survivor } = (Schema.decodeUnknownSync(Recovered)(JSON.parse(stdout))).survivors[0]!
      assert.isAbove(bytes, 0)
      assert.deepStrictEqual(survivor, {
        folder: one, node: "dev1", replica: "r1::dev1", head: head(3), problem: null, log: { base: 0, op: 11, commit: 10, snapshot: 8 }
      })
      assert.deepInclude(JSON.parse(stdout), { chosen: "r1::dev1", epoch, op: 11, written: true, absent: group.slice(1), given_up: [] })
      yield* isBegunAnew(one)
      const again = yield* recover([one], ["--confirm", "orders"])
      assert.strictEqual(again.exit, 4)
      assert.match(again.stderr, /r1::dev1 are enough of r1::dev1, and whole: they serve by themselves\n {2}start their nodes/)
    }))

  scenario("changes nothing in a dry run, without the name, or with another one", ({ one }) =>
    Effect.gen(function*() {
      const before = stateOf(one)
      const dry = yield* recover([one], ["--dry-run"])
      assert.strictEqual(dry.exit, 0)
      const lines = dry.stdout.trimEnd().split("\n").map((line) => line.split("\t"))
      assert.deepStrictEqual(lines.map(([kind]) => kind), ["survivor", "risk", "risk", "risk", "risk", "dry run"])
      assert.include((yield* recover([one], ["--dry-run"], { terminal: true })).stdout, "nothing was changed: this was a dry run")
      assert.include((yield* recover([one])).stderr, "add --confirm orders")
      assert.strictEqual((yield* recover([one], ["--confirm", "order"])).exit, 1)
      assert.strictEqual((yield* recover([one], [], { terminal: true, typing: ["order"] })).exit, 1)
      assert.strictEqual((yield* recover([one], [], { terminal: true, typing: [{ _tag: "Interrupt", empty: true }] })).exit, 1)
      assert.deepStrictEqual(stateOf(one), before)
    }))

  scenario("refuses, and says what to do instead", ({ four, one, two }) =>
    Effect.gen(function*() {
      const copy = join(four, "copy")
      cpSync(one, copy, { recursive: true })
      const other = join(four, "other")
      yield* asOwner(other, { name: "dev3", cluster: "other" }, [tenantOf()])
      const confirm = ["--confirm", "orders"]
      for (const [exit, says, folders, name] of [
        [4, /r1::dev1, r2::dev2 are enough of .*\n {2}start their nodes/, [one, two]],
        [2, /are both of node dev1\n {2}give each node once/, [one, copy]],
        [2, /is of cluster other, and /, [one, other]],
        [4, /node dev4 has no replica of that tenant/, [four]],
        [3, /there is nothing of a node in .*\n {2}give the data_dir/, [join(four, "none")]],
        [3, /none of these nodes knows a tenant ordrs\n {2}they know: orders, cache/, [one], "ordrs"],
        [4, /durability memory: .* nothing to recover it from\n {2}make a new tenant/, [one], "cache"],
        [4, /tenant gone was deleted/, [one], "gone"],
        [2, /a name starts with a letter/, [one], "-x"]
      ] as const satisfies ReadonlyArray<readonly [number, RegExp, ReadonlyArray<string>, string?]>) {
        const ran = name === "-x" ? yield* offline(["recover", "--", "/x", one]) : yield* recover(folders, confirm, {}, name)
        assert.match(ran.stderr, says)
        assert.strictEqual(ran.exit, exit, ran.stderr)
      }
      rmSync(replicaFile(one), { recursive: true })
      const lost = yield* recover([one], confirm)
      assert.match(lost.stderr, /none of these can be used: r1::dev1: its journal is not there: .*\n {2}look for the disks of other nodes/)
      assert.strictEqual(lost.exit, 4)
    }))

  scenario("refuses where a node is at work", ({ one }) =>
    Effect.gen(function*() {
      yield* holdLock(yield* FileSystem.FileSystem, one)
      for (const args of [["--dry-run"], ["--confirm", "orders"]]) {
        const { exit, stderr } = yield* recover([one], args)
        assert.strictEqual(exit, 4)
        assert.match(stderr, /process \d+ is at work in .*\n {2}stop that node first/)
      }
      assert.deepInclude(yield* storedIn(one, "r1::dev1"), { commit: 10 })
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  scenario("writes nothing if a replica has changed while it asked", ({ four, one }) =>
    Effect.gen(function*() {
      const before = join(four, "before")
      cpSync(join(one, "tenants"), before, { recursive: true })
      yield* withJournal(one, (journal) => journal.write(write({ entries: entries(12, 1), commit: 11 })))
      const seen = () => {
        rmSync(join(one, "tenants"), { recursive: true })
        cpSync(before, join(one, "tenants"), { recursive: true })
      }
      const { exit, stderr } = yield* recover([one], [], { terminal: true, typing: [{ _tag: "Tab", line: "", seen }, "orders"] })
      assert.strictEqual(exit, 4)
      assert.match(stderr, /what is in .* has changed meanwhile\n {2}begin again/)
      assert.deepInclude(yield* storedIn(one, "r1::dev1"), { commit: 10, head: head(3) })
    }))

  scenario("finds a tenant by its id, too", ({ one }) =>
    Effect.gen(function*() {
      const { exit } = yield* recover([one], ["--confirm", tenant], {}, tenant)
      assert.strictEqual(exit, 0)
      yield* isBegunAnew(one)
    }))
})
