/**
 * `v2r2-cli`: every command against real stores, one shot, as text, on a terminal and as JSON; errors and exit codes.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { EnterJson, EntryJson, GetJson, StatJson, TenantJson, TreeJson, WrittenJson } from "../../src/cli/client/Schemas.ts"
import { Unavailable } from "../../src/client/Errors.ts"
import { fakeCluster, ids } from "./FakeCluster.ts"
import { cli, cliBare } from "./Programs.ts"

const text = (data: Uint8Array) => new TextDecoder().decode(data)

/** Every line is one JSON value of exactly this shape. */
const jsonLines = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, stdout: string): ReadonlyArray<S["Type"]> =>
  stdout.trimEnd().split("\n").map((line) => Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })(JSON.parse(line)))

describe("create, put, get, delete", () => {
  it.effect("create a blob, a directory, and what is missing on the way", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      assert.deepInclude(yield* cli(cluster, ["create", "/a", "hello"]), { exit: 0, stdout: "1\n", stderr: "" })
      assert.deepInclude(yield* cli(cluster, ["create", "directory", "/d"]), { exit: 0, stdout: "2\n" })
      assert.deepInclude(yield* cli(cluster, ["create", "/d2", "--type", "directory"]), { exit: 0, stdout: "3\n" })
      assert.deepInclude(yield* cli(cluster, ["create", "/x/y/z", "1", "--parents"]), { exit: 0 })
      assert.deepInclude(yield* cli(cluster, ["create", "blob", "/empty"]), { exit: 0 })
      assert.strictEqual((yield* cluster.tenants.dev.stat("/d2")).type, "directory")
      assert.strictEqual(text((yield* cluster.tenants.dev.get("/x/y/z")).data), "1")
      assert.strictEqual((yield* cluster.tenants.dev.stat("/empty")).size, 0)
    }))

  it.effect("a switch does not swallow the data behind it", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      assert.strictEqual((yield* cli(cluster, ["create", "/a", "--parents", "1"])).exit, 0)
      assert.strictEqual(text((yield* cluster.tenants.dev.get("/a")).data), "1")
      assert.strictEqual((yield* cli(cluster, ["put", "/a", "--json", "yes"])).exit, 0)
      assert.strictEqual(text((yield* cluster.tenants.dev.get("/a")).data), "yes")
    }))

  it.effect("put replaces, and with --version only what has not changed", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/a")
      assert.deepInclude(yield* cli(cluster, ["put", "/a", "x", "--version", "1"]), { exit: 0, stdout: "2\n" })
      const late = yield* cli(cluster, ["put", "/a", "y", "--version", "1"])
      assert.deepInclude(late, { exit: 4, stdout: "" })
      assert.strictEqual(late.stderr, "error: put /a: its version is 2, not 1\n  someone else changed it: read it again, then decide\n")
      assert.strictEqual(text((yield* cluster.tenants.dev.get("/a")).data), "x")
    }))

  it.effect("delete takes a directory with its children only if asked to", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/d/a", undefined, { parents: true })
      const refused = yield* cli(cluster, ["delete", "/d"])
      assert.strictEqual(refused.exit, 4)
      assert.include(refused.stderr, "--recursive")
      assert.strictEqual((yield* cli(cluster, ["rm", "/d", "-r"])).exit, 0)
      assert.deepInclude(yield* cli(cluster, ["stat", "/d"]), { exit: 3 })
    }))

  it.effect("data from a file and from standard input comes back byte for byte", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256)
      assert.strictEqual((yield* cli(cluster, ["create", "/file", "@in.bin"], { files: { "in.bin": bytes } })).exit, 0)
      assert.deepStrictEqual((yield* cli(cluster, ["get", "/file"])).bytes, bytes)
      assert.strictEqual((yield* cli(cluster, ["create", "/stdin", "-"], { stdin: bytes })).exit, 0)
      assert.deepStrictEqual((yield* cli(cluster, ["get", "/stdin"])).bytes, bytes)
    }))

  it.effect("text that looks like something else can be given", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const put = (...args: ReadonlyArray<string>) =>
        Effect.gen(function*() {
          yield* Effect.ignore(cluster.tenants.dev.create("/a"))
          const { exit, stderr } = yield* cli(cluster, ["put", ...args])
          assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
          return text((yield* cluster.tenants.dev.get("/a")).data)
        })
      assert.strictEqual(yield* put("/a", "\\@home"), "@home")
      assert.strictEqual(yield* put("/a", "\\\\@home"), "\\@home")
      assert.strictEqual(yield* put("/a", "\\-"), "-")
      assert.strictEqual(yield* put("/a", "\\-x"), "\\-x")
      assert.strictEqual(yield* put("/a", "C:\\temp"), "C:\\temp")
      assert.strictEqual(yield* put("/a", "--", "-x"), "-x")
      assert.strictEqual(yield* put("/a", "-5"), "-5")
      assert.strictEqual(yield* put("/a", ""), "")
    }))

  it.effect("data that is too long is refused before it is sent", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const big = new Uint8Array(1024 * 1024 + 1)
      const file = yield* cli(cluster, ["create", "/a", "@big"], { files: { big } })
      assert.strictEqual(file.exit, 8)
      assert.include(file.stderr, "1048577 bytes, more than the 1048576 bytes that a value may have")
      assert.strictEqual((yield* cli(cluster, ["create", "/a", "-"], { stdin: big })).exit, 8)
      assert.strictEqual((yield* cli(cluster, ["create", "/a", "-"], { stdin: big.subarray(1) })).exit, 0)
    }))

  it.effect("get on a terminal ends text with a line, and does not let data drive the terminal", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const { dev } = cluster.tenants
      yield* dev.create("/text", new TextEncoder().encode("grüße"))
      yield* dev.create("/lines", new TextEncoder().encode("a\tb\n"))
      yield* dev.create("/escape", new TextEncoder().encode("\x1b]0;title\x07"))
      yield* dev.create("/binary", Uint8Array.from({ length: 1000 }, (_, i) => i % 256))
      const get = (path: string) => cli(cluster, ["get", path], { terminal: true })
      assert.strictEqual((yield* get("/text")).stdout, "grüße\n")
      assert.strictEqual((yield* get("/lines")).stdout, "a\tb\n")
      assert.strictEqual(
        (yield* get("/escape")).stdout,
        "00000000  1b 5d 30 3b 74 69 74 6c 65 07                    |.]0;title.|\n"
      )
      const binary = yield* get("/binary")
      assert.strictEqual(binary.stdout.split("\n").length, 17)
      assert.include(binary.stderr, "1000 bytes that are no text, the first 256 are shown")
      assert.strictEqual((yield* cli(cluster, ["get", "/escape"])).stdout, "\x1b]0;title\x07")
    }))
})

describe("list, tree, stat, tenants", () => {
  const filled = Effect.gen(function*() {
    const cluster = fakeCluster()
    const { dev } = cluster.tenants
    yield* dev.create("/d", undefined, { type: "directory" })
    for (let i = 0; i < 1_050; i++) yield* dev.create(`/d/n${String(i).padStart(4, "0")}`)
    yield* dev.create("/b", new Uint8Array(5))
    return cluster
  })

  it.effect("list prints all children, over page boundaries, separated by tabs", () =>
    Effect.gen(function*() {
      const cluster = yield* filled
      const { exit, stderr, stdout } = yield* cli(cluster, ["list", "/d"])
      const lines = stdout.trimEnd().split("\n")
      assert.deepStrictEqual({ exit, stderr, count: lines.length }, { exit: 0, stderr: "", count: 1_050 })
      assert.strictEqual(lines[0], "n0000\tblob\t2\t0\t0")
      assert.strictEqual(lines.at(-1), "n1049\tblob\t1051\t0\t0")
    }))

  it.effect("--limit says how to go on, --after goes on", () =>
    Effect.gen(function*() {
      const cluster = yield* filled
      const first = yield* cli(cluster, ["ls", "/d", "--limit", "1002"])
      assert.strictEqual(first.stdout.trimEnd().split("\n").length, 1_002)
      assert.strictEqual(first.stderr, "there is more: list /d --after n1001\n")
      const rest = yield* cli(cluster, ["ls", "/d", "--after", "n1001"])
      assert.strictEqual(rest.stdout.trimEnd().split("\n").length, 48)
      assert.strictEqual((yield* cli(cluster, ["ls", "/d", "--limit", "48", "--after", "n1001"])).stderr, "")
    }))

  it.effect("list on a terminal is a table", () =>
    Effect.gen(function*() {
      const cluster = yield* filled
      assert.strictEqual(
        (yield* cli(cluster, ["list"], { terminal: true })).stdout,
        [
          "NAME  TYPE       VERSION  SIZE  CHILDREN",
          "b     blob       1052     5     0",
          "d     directory  1051     0     1050",
          ""
        ].join("\n")
      )
      yield* cluster.tenants.dev.create("/e", undefined, { type: "directory" })
      assert.deepInclude(yield* cli(cluster, ["list", "/e"], { terminal: true }), { stdout: "", stderr: "/e has no children\n" })
    }))

  it.effect("tree draws what is below, as deep as asked", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      for (const path of ["/a/b/c", "/a/d", "/e"]) yield* cluster.tenants.dev.create(path, undefined, { parents: true })
      assert.strictEqual(
        (yield* cli(cluster, ["tree"], { terminal: true })).stdout,
        ["/", "├── a/", "│   ├── b/", "│   │   └── c", "│   └── d", "└── e", ""].join("\n")
      )
      const shallow = yield* cli(cluster, ["tree", "/a", "--depth", "1"])
      assert.deepStrictEqual(shallow.stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]), ["/a", "/a/b", "/a/d"])
      assert.deepInclude(yield* cli(cluster, ["tree", "/e"], { terminal: true }), { exit: 0, stdout: "/e\n" })
      assert.deepInclude(yield* cli(cluster, ["tree", "/none"]), { exit: 3 })
    }))

  it.effect("stat and tenants in a pipe", () =>
    Effect.gen(function*() {
      const cluster = yield* filled
      assert.strictEqual(
        (yield* cli(cluster, ["stat", "/b"])).stdout,
        "path\t/b\ntype\tblob\nversion\t1052\ncreated_version\t1052\nsize\t5\nchildren\t0\n"
      )
      assert.strictEqual(
        (yield* cliBare(cluster, ["h:1", "tenants"])).stdout,
        `dev\t${ids.dev}\tr1::dev1@127.0.0.1:2002,r2::dev2@127.0.0.1:3002\nother\t${ids.other}\t\n`
      )
    }))
})

describe("--json", () => {
  it.effect("prints what the schema of each command says", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const json = (...args: ReadonlyArray<string>) => Effect.map(cli(cluster, [...args, "--json"]), ({ stdout }) => stdout)
      assert.deepStrictEqual(jsonLines(WrittenJson, yield* json("create", "/d/t", "ü", "--parents")), [{ path: "/d/t", version: 1 }])
      assert.deepStrictEqual(jsonLines(WrittenJson, yield* json("put", "/d/t", "x")), [{ path: "/d/t", version: 2 }])
      assert.deepStrictEqual(jsonLines(GetJson, yield* json("get", "/d/t")), [{ path: "/d/t", version: 2, data: { utf8: "x" } }])
      yield* cluster.tenants.dev.put("/d/t", Uint8Array.of(0xff, 0))
      assert.deepStrictEqual(jsonLines(GetJson, yield* json("get", "/d/t"))[0]!.data, { base64: "/wA=" })
      assert.deepInclude(jsonLines(StatJson, yield* json("stat", "/d"))[0], { type: "directory", children: 1, version: 3 })
      assert.deepInclude(jsonLines(EntryJson, yield* json("list", "/d"))[0], { name: "t", size: 2 })
      assert.deepStrictEqual(jsonLines(TreeJson, yield* json("tree")).map(({ path }) => path), ["/", "/d", "/d/t"])
      assert.deepStrictEqual(jsonLines(TenantJson, yield* json("tenants")).map(({ name }) => name), ["dev", "other"])
      assert.deepStrictEqual(jsonLines(EnterJson, yield* json("-e", "enter other")), [{ id: ids.other, name: "other" }])
      assert.deepStrictEqual(jsonLines(WrittenJson, yield* json("delete", "/d/t")), [{ path: "/d/t", version: 4 }])
    }))

  it.effect("prints a text with a byte order mark as it is", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/a", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))
      assert.deepStrictEqual(jsonLines(GetJson, (yield* cli(cluster, ["get", "/a", "--json"])).stdout)[0]!.data, { utf8: "\ufeffa" })
    }))

  it.effect("prints errors as JSON, too", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/a")
      const { exit, stderr, stdout } = yield* cli(cluster, ["put", "/a", "x", "--version", "9", "--json"])
      assert.deepStrictEqual({ exit, stdout }, { exit: 4, stdout: "" })
      assert.deepInclude(JSON.parse(stderr).error, { code: "cas_failed", exit: 4, attempt: "put /a", path: "/a", expected: 9, actual: 1 })
      assert.deepInclude(JSON.parse((yield* cli(cluster, ["gte", "/a", "--json"])).stderr).error, { code: "usage", exit: 2 })
    }))
})

describe("errors and exit codes", () => {
  it.effect.each<readonly [line: string, exit: number, stderr: string]>([
    ["get /none", 3, "error: get /none: there is nothing at /none\n  see what there is: list /\n"],
    ["create /a/b/c", 3, "--parents"],
    ["create /d", 4, "something is at /d already"],
    ["get /d", 4, "this needs a blob, and /d is a directory"],
    ["get relative", 2, "a path starts with \"/\""],
    ["create queue /q", 2, "\"queue\" is neither a type (blob, directory) nor an absolute path"],
    ["create directory /x data", 2, "a directory has no data"],
    ["create blob /x --type directory", 2, "the type is given twice"],
    ["delete /", 2, "the root cannot be deleted"],
    ["put /d", 2, "error: put: <data> is missing\n  usage: v2r2-cli <host:port> --tenant <tenant> put [flags] <path> <data>\n"],
    ["put /d a b", 2, "too many arguments: \"b\""],
    ["put /d a --version x", 2, "--version: expected a whole number from 0 up, got \"x\""],
    ["list / --limit 0", 2, "expected a whole number from 1 up, got \"0\""],
    ["put /d a --recursive", 2, "there is no flag --recursive"],
    ["put /d a --versoin 1", 2, "did you mean --version?"],
    ["gte /d", 2, "error: there is no command \"gte\"\n  did you mean get?\n"],
    ["put /d @nowhere", 2, "cannot read the file nowhere: there is none"],
    ["put /d @", 2, "no file name follows the @"],
    ["enter other", 2, "for one command, give --tenant other with it"],
    ["get /d --timeout soon", 2, "--timeout: expected a duration such as 500ms, 2s or 1m, got \"soon\""],
    ["get /d --tenant nobody", 3, "there is no tenant \"nobody\""]
  ])("%s: %i", ([line, exit, stderr]) =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/d", undefined, { type: "directory" })
      const args = line.includes("--tenant") ? ["h:1", ...line.split(" ")] : ["h:1", "--tenant", "dev", ...line.split(" ")]
      const ran = yield* cliBare(cluster, args)
      assert.deepStrictEqual({ exit: ran.exit, stdout: ran.stdout }, { exit, stdout: "" })
      assert.include(ran.stderr, stderr)
      assert.isAtMost(ran.stderr.trimEnd().split("\n").length, 2)
    }))

  it.effect("an unavailable cluster: 6, with every address that was tried", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const attempts = [{ endpoint: "h:1", reason: "refused" }, { endpoint: "h:2", reason: "timed out" }]
      cluster.fail(new Unavailable({ attempts, hint: "Look." }))
      const { exit, stderr } = yield* cli(cluster, ["get", "/a"])
      assert.strictEqual(exit, 6)
      assert.include(stderr, "h:1: refused; h:2: timed out")
    }))

  it.effect("no address, a bad address, no tenant, no command: 2, and what to do", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      assert.include((yield* cliBare(cluster, ["tenants"])).stderr, "host:port")
      assert.include((yield* cliBare(cluster, ["localhost", "tenants"])).stderr, "an address is host:port")
      assert.include((yield* cliBare(cluster, ["h:70000", "tenants"])).stderr, "the port is a number from 1 to 65535")
      assert.include((yield* cliBare(cluster, ["h:1", "get", "/a"])).stderr, "--tenant")
      assert.include((yield* cliBare(cluster, ["h:1"])).stderr, "no command")
      for (const args of [["tenants"], ["h:70000", "tenants"], ["h:1", "get", "/a"], ["h:1"], []]) {
        assert.strictEqual((yield* cliBare(cluster, args)).exit, 2)
      }
    }))

  it.effect("a reader that has seen enough is no error; a full disk is", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      yield* cluster.tenants.dev.create("/a")
      assert.deepInclude(yield* cli(cluster, ["list"], { stdoutBreaks: { after: 0, code: "EPIPE" } }), { exit: 0, stderr: "" })
      const full = yield* cli(cluster, ["list"], { stdoutBreaks: { after: 0, code: "ENOSPC" } })
      assert.strictEqual(full.exit, 1)
      assert.include(full.stderr, "cannot write to standard output: write ENOSPC")
    }))

  it.effect("--quiet keeps confirmations and remarks back, but not data and errors", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      assert.deepInclude(yield* cli(cluster, ["create", "/a", "x", "--quiet"]), { stdout: "", stderr: "" })
      yield* cluster.tenants.dev.create("/b")
      assert.deepInclude(yield* cli(cluster, ["list", "-q", "--limit", "1"]), { stderr: "", exit: 0 })
      assert.strictEqual((yield* cli(cluster, ["get", "/a", "-q"])).stdout, "x")
      assert.include((yield* cli(cluster, ["get", "/c", "-q"])).stderr, "error: get /c")
    }))
})
