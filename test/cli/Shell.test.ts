/**
 * Several commands in a row: with `-e`, on standard input, and typed into the shell, with its history and its tab key.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Completion } from "../../src/cli/shell/Completion.ts"
import { fakeCluster, ids } from "./FakeCluster.ts"
import { cli, cliBare } from "./Programs.ts"
import { type Situation, tabKey, type Typing } from "./Terminal.ts"

const typed = (...typing: ReadonlyArray<Typing>): Situation => ({ terminal: true, typing })

describe("-e", () => {
  it.effect("runs one command after the other, with one session", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-e", "create /a 'x y'", "-e", "get /a"])
      assert.deepInclude(ran, { exit: 0, stdout: "1\nx y", stderr: "" })
      assert.deepStrictEqual(cluster.opened, ["dev"])
    }))

  it.effect("ends with the first that fails, and its exit code", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-e", "create /a", "-e", "get /none", "-e", "create /b"])
      assert.deepInclude(ran, { exit: 3, stdout: "1\n" })
      assert.strictEqual((yield* cluster.tenants.dev.stat("/")).children, 1)
    }))

  it.effect("takes flags that came before it as the defaults of every command", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["--json", "-e", "create /a", "-e", "stat /a", "-e", "get /a --tenant other"])
      const [created, stat] = ran.stdout.split("\n")
      assert.deepStrictEqual(JSON.parse(created!), { path: "/a", version: 1 })
      assert.strictEqual(JSON.parse(stat!).type, "blob")
      assert.strictEqual(JSON.parse(ran.stderr).error.code, "not_found")
    }))

  it.effect("enter changes the tenant for the commands behind it", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-e", "create /a", "-e", "enter other", "-e", "create /b", "-e", "create /c --tenant dev"])
      assert.strictEqual(ran.exit, 0)
      assert.include(ran.stdout, ids.other)
      assert.strictEqual((yield* cluster.tenants.dev.stat("/")).children, 2)
      assert.strictEqual((yield* cluster.tenants.other.stat("/")).children, 1)
    }))

  it.effect("says what is wrong with the quoting", () =>
    Effect.gen(function*() {
      const ran = yield* cli(fakeCluster(), ["-e", "put /a 'x"])
      assert.deepInclude(ran, { exit: 2, stderr: "error: the quote ' is not closed\n  see: help quoting\n" })
    }))

  it.effect("reads data from standard input once", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-e", "create /a -", "-e", "create /b -"], { stdin: "data" })
      assert.strictEqual(ran.exit, 2)
      assert.include(ran.stderr, "it was read to its end already")
      assert.deepInclude(yield* cli(cluster, ["get", "/a"]), { stdout: "data" })
    }))

  it.effect("help inside of it has no addresses in its examples", () =>
    Effect.gen(function*() {
      const ran = yield* cli(fakeCluster(), ["-e", "help get"])
      assert.include(ran.stdout, "\n  get /greeting\n")
      assert.notInclude(ran.stdout, "v2r2-cli")
    }))
})

describe("commands on standard input", () => {
  it.effect("run line by line; blank lines and comments do nothing", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-"], { stdin: "# set up\ncreate /a 1\n\n  create /b 2\r\nget /b" })
      assert.deepInclude(ran, { exit: 0, stdout: "1\n2\n2", stderr: "" })
    }))

  it.effect("end at the line that fails, and say which", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, ["-"], { stdin: "create /a\n\nget /none\ncreate /b\n" })
      assert.strictEqual(ran.exit, 3)
      assert.include(ran.stderr, "error: get /none: there is nothing at /none")
      assert.include(ran.stderr, "stopped at line 3 of the standard input")
      assert.strictEqual((yield* cluster.tenants.dev.stat("/")).children, 1)
    }))

  it.effect("end early with exit", () =>
    Effect.gen(function*() {
      const ran = yield* cli(fakeCluster(), ["-"], { stdin: "create /a\nexit\ncreate /b\n" })
      assert.deepInclude(ran, { exit: 0, stdout: "1\n" })
    }))

  it.effect("have no standard input of their own", () =>
    Effect.gen(function*() {
      const ran = yield* cli(fakeCluster(), ["-"], { stdin: "create /a -\nx" })
      assert.strictEqual(ran.exit, 2)
      assert.include(ran.stderr, "the commands come from there")
      assert.include((yield* cli(fakeCluster(), ["-"], { stdin: "-" })).stderr, "commands are being read already")
    }))
})

describe("the shell", () => {
  it.effect("runs what is typed, whatever came of the line before, and ends with 0", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      const ran = yield* cli(cluster, [], typed("create /a x", "get /none", "gte /a", "'", "get /a", "exit", "create /b"))
      assert.strictEqual(ran.exit, 0)
      assert.strictEqual(ran.stdout, "created blob /a, version 1\nx\n")
      assert.include(ran.stderr, "there is nothing at /none")
      assert.include(ran.stderr, "did you mean get?")
      assert.include(ran.stderr, "is not closed")
      assert.strictEqual((yield* cluster.tenants.dev.stat("/")).children, 1)
    }))

  it.effect("survives a command that is interrupted", () =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      let interrupts = 1
      const interrupt = Effect.suspend(() => interrupts-- > 0 ? Effect.void : Effect.never)
      const hanging = { ...cluster, client: { ...cluster.client, tenants: Effect.never } }
      const ran = yield* cli(hanging, [], { ...typed("tenants", "create /a"), interrupt })
      assert.include(ran.stderr, "interrupted")
      assert.include(ran.stdout, "created blob /a")
    }))

  it.effect("needs a terminal", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* cli(fakeCluster(), [], { terminal: false }), { exit: 2 })
      assert.deepInclude(yield* cli(fakeCluster(), [], { terminal: true, stdin: "tenants" }), { exit: 2 })
    }))

  it.effect("keeps a history that leaves out repetitions and what begins with a blank", () =>
    Effect.gen(function*() {
      const files = { "/state/v2r2/v2r2-cli_history": "stat /\n" }
      const ran = yield* cli(fakeCluster(), [], { ...typed("tenants", "tenants", " create /secret", "", "ls"), files })
      assert.strictEqual(new TextDecoder().decode(ran.files.get("/state/v2r2/v2r2-cli_history")), "stat /\ntenants\nls\n")
    }))

  it.effect("shortens a history that has grown too long", () =>
    Effect.gen(function*() {
      const lines = Array.from({ length: 2_001 }, (_, i) => `get /${i}`)
      const files = { "/state/v2r2/v2r2-cli_history": `${lines.join("\n")}\n` }
      const ran = yield* cli(fakeCluster(), [], { ...typed("ls"), files })
      const kept = new TextDecoder().decode(ran.files.get("/state/v2r2/v2r2-cli_history")).trimEnd().split("\n")
      assert.deepStrictEqual(kept, [...lines.slice(-1_000), "ls"])
    }))
})

describe("the tab key", () => {
  /** What is offered for each line, in a shell of `dev`. */
  const offered = (lines: ReadonlyArray<string>, args: ReadonlyArray<string> = ["h:1", "--tenant", "dev"]) =>
    Effect.gen(function*() {
      const cluster = fakeCluster()
      for (const path of ["/config/app", "/config/apple/x", "/config/it's here", "/other"]) {
        yield* cluster.tenants.dev.create(path, undefined, { parents: true })
      }
      const seen: Array<Completion> = []
      yield* cliBare(cluster, args, typed(...lines.map((line) => tabKey(line, (completion) => seen.push(completion)))))
      return seen
    })
  const hits = (line: string, args?: ReadonlyArray<string>) => Effect.map(offered([line], args), ([completion]) => completion!.hits)

  it.effect("completes commands and what helps with them", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hits("st"), ["stat "])
      assert.deepStrictEqual(yield* hits("t"), ["tree", "tenants"])
      assert.include(yield* hits(""), "create")
      assert.deepStrictEqual(yield* hits("help st"), ["stat "])
      assert.deepStrictEqual(yield* hits("nonsense x"), [])
    }))

  it.effect("completes flags and their values", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hits("put /a x --v"), ["--version", "--verbose"])
      assert.deepStrictEqual(yield* hits("ls --li"), ["--limit "])
      assert.deepStrictEqual(yield* hits("create /a --type d"), ["directory "])
      assert.deepStrictEqual(yield* hits("get --tenant o"), ["other "])
      assert.deepStrictEqual(yield* hits("enter d"), ["dev "])
    }))

  it.effect("completes remote paths: the exact name, longer ones, and directories that go on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hits("get /"), ["/config/", "/other"])
      assert.deepStrictEqual(yield* hits("get /config/app"), ["/config/app", "/config/apple/"])
      assert.deepStrictEqual(yield* hits("get /config/appl"), ["/config/apple/"])
      assert.deepStrictEqual(yield* hits("get /o"), ["/other "])
      assert.deepStrictEqual(yield* hits("get "), ["/"])
      assert.deepStrictEqual(yield* hits("create /co"), ["/config/"])
      assert.deepStrictEqual(yield* hits("create directory /co"), ["/config/"])
      assert.deepStrictEqual(yield* hits("get /none/x"), [])
    }))

  it.effect("quotes as the user does", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hits("get /config/i"), [String.raw`/config/it\'s\ here `])
      assert.deepStrictEqual(yield* hits(`get "/config/i`), [`"/config/it's here" `])
      const [completion] = yield* offered([String.raw`get /config/it\'s\ h`])
      assert.deepStrictEqual(completion, { hits: [String.raw`/config/it\'s\ here `], replaced: String.raw`/config/it\'s\ h` })
    }))

  it.effect("offers nothing where it knows nothing, and does not complain", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hits("get /", ["h:1"]), [])
      assert.deepStrictEqual(yield* hits("put /other x"), [])
    }))
})
