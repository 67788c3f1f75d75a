/**
 * `v2r2-admin snapshot …` against fake nodes, with files in memory: what is written, what is refused, what is left behind.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { crc32 } from "../../src/base/Checksum.ts"
import { Network } from "../../src/network/Network.ts"
import { AdminError, type AdminRequest, type Args, type Ok } from "../../src/wire/AdminProtocol.ts"
import { progressLine } from "../../src/cli/Progress.ts"
import { main } from "../../src/cli/Main.ts"
import { adminProgram } from "../../src/cli/admin/Program.ts"
import { fileOf, partsOf, snapshotOf, tenant } from "../wire/SnapshotOf.ts"
import { concat } from "./Bytes.ts"
import { type Answers, adminServer } from "./FakeAdminServer.ts"
import { admin } from "./Programs.ts"
import { runIn } from "./Terminal.ts"

const scenario = <A, E>(name: string, test: () => Effect.Effect<A, E, Network | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(test()).pipe(Effect.provide(Network.layerMemory)))

const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.forever(TestClock.adjust(10)))

const snapshot = snapshotOf(2_000, 700)
const parts = partsOf(snapshot)
const file = fileOf(snapshot.op, parts)

const members: Ok<"cluster.members"> = ["dev1", "dev2", "dev3"].map((name, index) => {
  const host = `n${index + 1}`
  const [cluster, admin, client, peer] = [`${host}:2000`, `${host}:2001`, `${host}:2002`, `${host}:2003`]
  return { name, self: index === 0, life: "joined", cluster, admin, client, peer }
})
const replicas = [{ name: "r1", node: "dev1" }, { name: "r2", node: "dev2" }, { name: "r3", node: "dev3" }]

/** The node at the end of the connection: it knows where the primary is, as often as it is asked. */
const knows = (...primaries: ReadonlyArray<string | null>): Answers => {
  const left = [...primaries]
  return {
    "cluster.members": () => Effect.succeed(members),
    "vr.primary": () => Effect.succeed({ tenant, primary: left.length > 1 ? left.shift()! : left[0] ?? null }),
    "vr.tenants": () => Effect.succeed([{ id: tenant, name: "orders", epoch: 0, replicas, durability: "disk", primary: null }])
  }
}

const refuse = (message: string) => () => Effect.fail(new AdminError({ code: "unavailable", message }))

/** A node that gives the snapshot; `part` may do otherwise. */
const gives = (replica: string, part?: Answers["snapshot.part"]): Answers => ({
  "snapshot.open": () => Effect.succeed({
    snapshot: "s1", tenant, name: "orders", replica, op: snapshot.op, elements: 2_000, size: snapshot.size
  }),
  "snapshot.part": part ?? (({ index }) => Effect.succeed({ bytes: parts[index] ?? null })),
  "snapshot.close": () => Effect.succeed({})
})

const closed = (seen: ReadonlyArray<{ readonly command: string }>) => seen.filter(({ command }) => command === "snapshot.close").length

describe("snapshot save", () => {
  scenario("writes the file, and says what is in it", () =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", { ...knows("r1::dev1"), ...gives("r1::dev1") })
      const ran = yield* admin(["snapshot", "save", "orders", "o.snapshot"])
      assert.deepStrictEqual({ exit: ran.exit, stderr: ran.stderr }, { exit: 0, stderr: "" })
      assert.deepStrictEqual([...ran.files.keys()], ["o.snapshot"])
      assert.deepStrictEqual(ran.files.get("o.snapshot"), file)
      assert.include(ran.stdout, `tenant\t${tenant}\nname\torders\nreplica\tr1::dev1\nop\t2002\nelements\t2000\n`)
      assert.include(ran.stdout, `\nbytes\t${file.length}\ndigest\t`)
      assert.strictEqual(closed(seen), 1)
    }))

  scenario("and the file is whole", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { ...knows("r1::dev1"), ...gives("r1::dev1") })
      const saved = yield* admin(["snapshot", "save", "orders", "o.snapshot", "--json"])
      const verified = yield* admin(["snapshot", "verify", "o.snapshot", "--json"], { files: Object.fromEntries(saved.files) })
      const [a, b] = [saved, verified].map(({ stdout }): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>)
      for (const key of ["file", "tenant", "op", "elements", "bytes", "digest"]) assert.strictEqual(a![key], b![key], key)
      assert.deepInclude(b, { sessions: 2, time_ms: 1_700_000_000_123, parts: parts.length })
    }))

  scenario("asks the node of the primary, and looks again if it has moved", () =>
    Effect.gen(function*() {
      const asked = yield* adminServer("n1:2001", knows("r2::dev2", null, "r3::dev3"))
      yield* adminServer("n2:2001", { "snapshot.open": refuse("replica r2::dev2 is not the primary of tenant orders") })
      const seen = yield* adminServer("n3:2001", gives("r3::dev3"))
      const ran = yield* whileTimePasses(admin(["snapshot", "save", "orders", "o.snapshot"]))
      assert.deepStrictEqual({ exit: ran.exit, stderr: ran.stderr }, { exit: 0, stderr: "" })
      assert.deepStrictEqual(ran.files.get("o.snapshot"), file)
      assert.strictEqual(asked.filter(({ command }) => command === "vr.primary").length, 3)
      assert.deepStrictEqual(seen[0], { command: "snapshot.open", args: { tenant: "orders", from: "primary" } })
    }))

  scenario("takes another replica if there is no primary, and says so", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { ...knows(null), "snapshot.open": refuse("replica r1::dev1 does not serve") })
      yield* adminServer("n3:2001", gives("r3::dev3"))
      const ran = yield* whileTimePasses(admin(["snapshot", "save", "orders", "o.snapshot"]))
      assert.strictEqual(ran.exit, 0)
      assert.include(ran.stderr, "there is no primary at this moment: this is what replica r3::dev3 has")
      assert.deepStrictEqual(ran.files.get("o.snapshot"), file)
    }))

  scenario("gives up if no replica can: 6", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { ...knows(null), "snapshot.open": refuse("replica r1::dev1 does not serve") })
      const ran = yield* whileTimePasses(admin(["snapshot", "save", "orders", "o.snapshot"]))
      assert.deepInclude(ran, { exit: 6, stdout: "" })
      assert.include(ran.stderr, "no replica of tenant orders can give a snapshot at this moment")
      assert.deepStrictEqual([...ran.files.keys()], [])
    }))

  scenario("does not replace a file, nor a folder, unless told to; and asks nobody before", () =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", { ...knows("r1::dev1"), ...gives("r1::dev1") })
      const files = { "o.snapshot": "precious", "folder/": "" }
      const ran = yield* admin(["snapshot", "save", "orders", "o.snapshot"], { files })
      assert.strictEqual(ran.exit, 4)
      assert.include(ran.stderr, "the file o.snapshot exists already\n  take another name, or replace it with --force")
      assert.strictEqual((yield* admin(["snapshot", "save", "orders", "folder", "--force"], { files })).exit, 4)
      assert.deepStrictEqual(seen, [])
      const forced = yield* admin(["snapshot", "save", "--force", "orders", "o.snapshot"], { files })
      assert.strictEqual(forced.exit, 0)
      assert.deepStrictEqual(forced.files.get("o.snapshot"), file)
    }))

  scenario("does not write into what another one writes", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { ...knows("r1::dev1"), ...gives("r1::dev1") })
      const ran = yield* admin(["snapshot", "save", "orders", "o.snapshot"], { files: { "o.snapshot.tmp": "theirs" } })
      assert.strictEqual(ran.exit, 4)
      assert.include(ran.stderr, "cannot write the file o.snapshot.tmp: it exists")
      assert.deepStrictEqual([...ran.files.keys()], ["o.snapshot.tmp"])
    }))

  type Ending = readonly [what: string, part: Answers["snapshot.part"] | undefined, room: number, exit: number, says: string]
  const endings: ReadonlyArray<Ending> = [
    ["the node forgets it", refuse("it was not asked for in time"), Infinity, 6, "not asked for in time"],
    ["the node goes", () => Effect.fail("hang up"), Infinity, 6, "no answer from the cluster (n1:2001"],
    ["the disk is full", undefined, 100_000, 1, "cannot write the file o.snapshot.tmp: no space left on device"]
  ]
  it.effect.each(endings)("leaves nothing behind when %s", ([, part, room, exit, says]) =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", {
        ...knows("r1::dev1"),
        ...gives("r1::dev1", part && ((args) => args.index < 2 ? Effect.succeed({ bytes: parts[args.index]! }) : part(args)))
      })
      const ran = yield* admin(["snapshot", "save", "orders", "o.snapshot"], { room })
      assert.deepInclude(ran, { exit, stdout: "" })
      assert.include(ran.stderr, says)
      assert.deepStrictEqual([...ran.files.keys()], [])
    }).pipe(Effect.scoped, Effect.provide(Network.layerMemory)))

  scenario("leaves nothing behind when it is interrupted, and the node is told", () =>
    Effect.gen(function*() {
      const reached = yield* Deferred.make<void>()
      const seen = yield* adminServer("n1:2001", {
        ...knows("r1::dev1"),
        ...gives("r1::dev1", ({ index }) =>
          Effect.as(index < 2 ? Effect.void : Deferred.succeed(reached, undefined), { bytes: parts[index]! }))
      })
      const files = new Map<string, Uint8Array>()
      const fiber = yield* Effect.forkChild(admin(["snapshot", "save", "orders", "o.snapshot"], { sharedFiles: files }))
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([...files.keys()], [])
      assert.strictEqual(closed(seen), 1)
    }))

  scenario("shows how far it is, on a terminal only", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { ...knows("r1::dev1"), ...gives("r1::dev1") })
      const { stderr } = yield* admin(["snapshot", "save", "orders", "o.snapshot"], { terminal: true })
      // Drawn once, as no time passes here, and taken away.
      assert.match(stderr.replaceAll("\r\u001b[K", "<clear>"), /^<clear>save \[\.+\] +0% {2}.* of .*\/s<clear>$/)
      for (const flag of ["--quiet", "--json"]) {
        assert.strictEqual((yield* admin(["snapshot", "save", "orders", "o.snapshot", flag], { terminal: true })).stderr, "")
      }
    }))
})

const verify = (content: string | Uint8Array | null, ...flags: ReadonlyArray<string>) =>
  runIn(main(adminProgram, ["snapshot", "verify", "o.snapshot", ...flags]), { files: content === null ? {} : { "o.snapshot": content } })

describe("snapshot verify", () => {
  scenario("needs no address, and tells what is in the file", () =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* verify(file)
      assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
      assert.include(stdout, `tenant\t${tenant}\nop\t2002\ntime\t2023-11-14T22:13:20.123Z\nepoch 2\tr1::dev1,r2::dev2,r3::dev3\n`)
      assert.include(stdout, "\nsessions\t2\nelements\t2000\n")
      assert.include(stdout, "\nverdict\twhole\n")
    }))

  const newer = file.with(11, 2)
  const ends: ReadonlyArray<readonly [what: string, content: string | Uint8Array | null, exit: number, says: string]> = [
    ["no file", null, 3, "cannot read the file o.snapshot: there is none"],
    ["an empty file", "", 4, "it is no snapshot of a tenant"],
    ["another file", "a text", 4, "it is no snapshot of a tenant\n  snapshots are made with: snapshot save"],
    ["a flipped bit", file.with(50_000, file[50_000]! ^ 4), 1, "the file is damaged: part 3 is not as it was written (from byte"],
    ["a damaged header", newer, 1, "the file is damaged: its header is not as it was written (from byte 0 on)"],
    ["a file that was cut", file.slice(0, -40), 1, "the file is not whole: it was cut"]
  ]
  it.effect.each(ends)("%s", ([, content, exit, says]) =>
    Effect.gen(function*() {
      const ran = yield* verify(content)
      assert.deepInclude(ran, { exit, stdout: "" })
      assert.include(ran.stderr, `error: snapshot verify o.snapshot: `)
      assert.include(ran.stderr, says)
      const json = yield* verify(content, "--json")
      assert.deepInclude((JSON.parse(json.stderr) as { readonly error: object }).error, { exit, file: "o.snapshot" })
    }).pipe(Effect.provide(Network.layerMemory)))

  scenario("a folder, and a file that may not be read", () =>
    Effect.gen(function*() {
      const run = (path: string) => runIn(main(adminProgram, ["snapshot", "verify", path]), { files: { "folder/": "", secret: "x" } })
      assert.deepInclude(yield* run("folder"), { exit: 4, stderr: "error: snapshot verify folder: folder is no file\n" })
      assert.deepInclude(yield* run("secret"), { exit: 5 })
    }))

  scenario("has help without an address, while the others have it", () =>
    Effect.gen(function*() {
      const help = (name: string) => Effect.map(runIn(main(adminProgram, ["snapshot", name, "--help"])), ({ stdout }) => stdout)
      assert.include(yield* help("verify"), "\n  v2r2-admin snapshot verify <file>\n")
      assert.include(yield* help("verify"), "\n  v2r2-admin snapshot verify orders.snapshot\n")
      assert.include(yield* help("save"), "\n  v2r2-admin <host:port> snapshot save [flags] <tenant> <file>\n")
      const missing = yield* runIn(main(adminProgram, ["snapshot", "save", "orders", "o.snapshot"]))
      assert.deepInclude(missing, { exit: 2, stdout: "" })
      assert.include(missing.stderr, "no address was given")
    }))
})

it("a bar has the share, the bytes and the speed, and an estimate is never overtaken", () => {
  assert.strictEqual(
    progressLine("save", 150e6, 300e6, 98_000),
    "save [############............]  50%  150 MB of 300 MB  98 MB/s"
  )
  assert.strictEqual(progressLine("save", 2_000, 1_000, 0.5), "save [########################] 100%  2.0 KB of 2.0 KB  500 B/s")
  assert.strictEqual(progressLine("verify", 0, 0, 0), "verify [########################] 100%  0 B of 0 B  0 B/s")
})

const digest = crc32(concat(parts), 0)

/** A node that takes an upload. */
const takes = (changes: Answers = {}): Answers => ({
  "upload.begin": () => Effect.succeed({}),
  "upload.part": () => Effect.succeed({}),
  "upload.end": () => Effect.succeed({ op: snapshot.op, digest }),
  "upload.drop": () => Effect.succeed({}),
  ...changes
})
const created = { id: "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b", name: "again", epoch: 0, replicas, durability: "disk" } as const
/** The node at the end of the connection. */
const creates = (changes: Answers = {}): Answers => ({
  ...knows(null, "r1::dev1"),
  "vr.plan": () => Effect.succeed({ replicas }),
  "vr.create": () => Effect.succeed(created),
  ...takes(),
  ...changes
})

type Seen = ReadonlyArray<Pick<AdminRequest, "command" | "args">>
/** What was sent to a node, put together; and the id under which. */
const sentTo = (seen: Seen) => {
  const sent = seen.flatMap(({ args, command }) => command === "upload.part" ? [args as Args<"upload.part">] : [])
  assert.isAbove(sent.length, 1)
  assert.deepStrictEqual(sent.map(({ index }) => index), [...sent.keys()])
  const uploads = new Set(seen.flatMap(({ args }) => "upload" in args && typeof args.upload === "string" ? [args.upload] : []))
  assert.strictEqual(uploads.size, 1)
  return { bytes: concat(sent.map(({ bytes }) => bytes)), upload: [...uploads][0]! }
}
const count = (seen: Seen, command: AdminRequest["command"]) => seen.filter((one) => one.command === command).length

const restoring = (...more: ReadonlyArray<string>) => ["snapshot", "restore", "o.snapshot", "--tenant", "again", ...more]
const files = { "o.snapshot": file }

describe("snapshot restore", () => {
  scenario("sends the file to every node of a replica, and then has the tenant created", () =>
    Effect.gen(function*() {
      const first = yield* adminServer("n1:2001", creates())
      const others = [yield* adminServer("n2:2001", takes()), yield* adminServer("n3:2001", takes())]
      const { exit, stderr, stdout } = yield* whileTimePasses(admin(restoring("--durability", "disk"), { files }))
      assert.deepStrictEqual({ exit, stderr, stdout }, { exit: 0, stderr: "", stdout: `${created.id}\n` })
      const { bytes, upload } = sentTo(first)
      assert.deepStrictEqual(bytes, file)
      for (const seen of others) assert.deepStrictEqual(sentTo(seen), { bytes, upload })
      assert.deepInclude(first.find(({ command }) => command === "vr.plan"), {
        args: { name: "again", replicas: null, durability: "disk" }
      })
      // Until it is served.
      assert.deepStrictEqual(first.slice(-2).map(({ command }) => command), ["vr.primary", "vr.primary"])
      assert.deepInclude(first.at(-3), {
        command: "vr.create",
        args: { name: "again", replicas, durability: "disk", upload: { id: upload, bytes: file.length } }
      })
      for (const seen of [first, ...others]) assert.strictEqual(count(seen, "upload.drop"), 0)
    }))

  scenario("says what there is now", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", creates({ "vr.plan": () => Effect.succeed({ replicas: replicas.slice(0, 1) }) }))
      const { stdout } = yield* whileTimePasses(admin(restoring("r1::dev1", "--json"), { files }))
      assert.deepStrictEqual(JSON.parse(stdout), { file: "o.snapshot", ...created, op: snapshot.op, elements: 2_000 })
      const shown = yield* admin(restoring(), { files, terminal: true })
      assert.include(shown.stdout, `created tenant again (${created.id}) on r1::dev1,r2::dev2,r3::dev3, durability disk, `)
      assert.include(shown.stdout, "with 2000 elements as of op 2002")
      assert.include(shown.stderr, "verify [")
      assert.include(shown.stderr, "upload [")
      assert.include(shown.stderr, "the nodes make the tenant of it")
      assert.include(shown.stderr, "its replicas start")
      assert.isTrue(shown.stderr.endsWith("\r\u001b[K"))
    }))

  const taken = () => Effect.fail(new AdminError({ code: "conflict", message: `the tenant name "again" is already taken` }))
  const before: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, answers: Answers, exit: number, says: string]> = [
    ["a name that is taken", restoring(), { "vr.plan": taken }, 4, "is already taken"],
    ["a name that is none", ["snapshot", "restore", "o.snapshot", "--tenant", "a/b"], {}, 2, "has \"/\""],
    ["no name", ["snapshot", "restore", "o.snapshot"], {}, 2, "--tenant"],
    ["replicas that are none", restoring("r1"), {}, 2, "expected <replica>::<node>"],
    ["no file", ["snapshot", "restore", "nowhere", "--tenant", "again"], {}, 3, "cannot read the file nowhere: there is none"],
    ["a file that is damaged", ["snapshot", "restore", "bad", "--tenant", "again"], {}, 1, "the file is damaged: part 3"],
    ["a node that is gone", restoring(), { "cluster.members": () => Effect.succeed(members.slice(0, 2)) }, 3, "node dev3 is not a member"]
  ]
  it.effect.each(before)("sends nothing for %s", ([, args, answers, exit, says]) =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", creates(answers))
      const ran = yield* admin(args, { files: { ...files, bad: file.with(50_000, file[50_000]! ^ 4) } })
      assert.deepInclude(ran, { exit, stdout: "" })
      assert.include(ran.stderr, says)
      assert.strictEqual(count(seen, "upload.begin") + count(seen, "vr.create"), 0)
    }).pipe(Effect.scoped, Effect.provide(Network.layerMemory)))

  const full = () => Effect.fail(new AdminError({ code: "unavailable", message: "node dev2: no space left on device" }))
  const failures: ReadonlyArray<readonly [what: string, first: Answers, second: Answers, exit: number, says: string]> = [
    ["a node has no room", {}, { "upload.part": full }, 6, "node dev2: no space left on device"],
    ["a node got something else", {}, { "upload.end": () => Effect.succeed({ op: 1, digest: 1 }) }, 4, "was changed while it was sent"],
    ["the nodes do not agree", { "vr.create": () => Effect.fail(new AdminError({ code: "internal", message: "made different data" })) },
      {}, 1, "made different data"],
    ["nobody knows what came of it", { "vr.create": () => Effect.fail("hang up") }, {}, 7, "may or may not have done this"]
  ]
  it.effect.each(failures)("has the nodes let go of it if %s", ([, first, second, exit, says]) =>
    Effect.gen(function*() {
      const one = yield* adminServer("n1:2001", creates(first))
      const others = [yield* adminServer("n2:2001", takes(second)), yield* adminServer("n3:2001", takes())]
      const ran = yield* admin(restoring(), { files })
      assert.deepInclude(ran, { exit, stdout: "" })
      assert.include(ran.stderr, says)
      for (const seen of [one, ...others]) assert.strictEqual(count(seen, "upload.drop"), 1)
    }).pipe(Effect.scoped, Effect.provide(Network.layerMemory)))

  scenario("and if it is interrupted", () =>
    Effect.gen(function*() {
      const reached = yield* Deferred.make<void>()
      const one = yield* adminServer("n1:2001", creates())
      const others = [
        yield* adminServer("n2:2001", takes({ "upload.end": () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) })),
        yield* adminServer("n3:2001", takes())
      ]
      const fiber = yield* Effect.forkChild(admin(restoring(), { files }))
      yield* Deferred.await(reached)
      yield* whileTimePasses(Fiber.interrupt(fiber))
      for (const seen of [one, others[1]!]) assert.strictEqual(count(seen, "upload.drop"), 1)
      assert.strictEqual(count(one, "vr.create"), 0)
    }))

  scenario("is done though the tenant has no primary yet, and says so", () =>
    Effect.gen(function*() {
      const one = { "vr.plan": () => Effect.succeed({ replicas: replicas.slice(0, 1) }) }
      yield* adminServer("n1:2001", creates({ ...one, ...knows(null) }))
      const { exit, stderr, stdout } = yield* whileTimePasses(admin(restoring(), { files }))
      assert.deepStrictEqual({ exit, stdout }, { exit: 0, stdout: `${created.id}\n` })
      assert.strictEqual(stderr, "the tenant is created, and has no primary yet: see status\n")
    }))

  scenario("waits for a large one longer than for other answers", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", creates({
        "vr.plan": () => Effect.succeed({ replicas: replicas.slice(0, 1) }),
        "vr.create": () => Effect.delay(Effect.succeed(created), "40 seconds")
      }))
      const { exit, stderr } = yield* whileTimePasses(admin(restoring(), { files }))
      assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
    }))
})
