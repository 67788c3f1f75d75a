/**
 * Help: it leads with examples, every example is a command that is understood, and it says the shape of the JSON.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Command } from "effect/cli/Command"
import { readFileSync } from "node:fs"
import { adminTree } from "../../src/cli/admin/Commands.ts"
import { clientTree } from "../../src/cli/client/Commands.ts"
import { shape } from "../../src/cli/Help.ts"
import { version } from "../../src/cli/Runner.ts"
import { split } from "../../src/cli/Words.ts"
import { Network } from "../../src/network/Network.ts"
import { fakeCluster } from "./FakeCluster.ts"
import { admin, cli, cliBare } from "./Programs.ts"

const children = (command: Command.Any): ReadonlyArray<Command.Any> => command.subcommands.flatMap(({ commands }) => commands)

/** Every command with its path. */
const all = (command: Command.Any, path: ReadonlyArray<string>): ReadonlyArray<readonly [ReadonlyArray<string>, Command.Any]> =>
  [[path, command] as const, ...children(command).flatMap((child) => all(child, [...path, child.name]))]

describe("help", () => {
  it.effect("of the program lists every command, of which each has a line", () =>
    Effect.gen(function*() {
      const { exit, stderr, stdout } = yield* cliBare(fakeCluster(), ["--help"])
      assert.deepStrictEqual({ exit, stderr }, { exit: 0, stderr: "" })
      for (const { name } of children(clientTree)) assert.match(stdout, new RegExp(`^  ${name}(, \\w+)? {2,}\\w`, "m"))
      assert.strictEqual((yield* cliBare(fakeCluster(), ["help"])).stdout, stdout)
    }))

  it.effect("of a command leads with examples that can be copied", () =>
    Effect.gen(function*() {
      const { stdout } = yield* cliBare(fakeCluster(), ["help", "put"])
      assert.strictEqual(stdout.split("\n").slice(0, 5).join("\n"), [
        "Replace the data of an element that exists",
        "",
        "EXAMPLES",
        "  # Whatever it is now",
        "  v2r2-cli <host:port> --tenant <tenant> put /greeting 'hello, world'"
      ].join("\n"))
      assert.include(stdout, "\nJSON\n  {\"path\": string, \"version\": integer}\n")
      assert.include(stdout, "put [flags] <path> <data>")
      assert.strictEqual((yield* cliBare(fakeCluster(), ["put", "--help"])).stdout, stdout)
    }))

  it.effect("knows aliases and topics, and what may have been meant", () =>
    Effect.gen(function*() {
      assert.include((yield* cliBare(fakeCluster(), ["help", "ls"])).stdout, "List the children")
      assert.include((yield* cliBare(fakeCluster(), ["help", "exit_codes"])).stdout, "124  ")
      assert.include((yield* cliBare(fakeCluster(), ["help", "quoting"])).stdout, "\\@")
      assert.deepInclude(yield* cliBare(fakeCluster(), ["help", "gett"]), { exit: 2, stdout: "" })
    }))

  it.effect("has examples that are understood: none is a usage error", () =>
    Effect.gen(function*() {
      const situation = { stdin: "x", files: { "cert.pem": "x", "logo.png": "x" } }
      for (const [tree, run] of [
        [clientTree, (words: ReadonlyArray<string>) => cli(fakeCluster(), words, situation)],
        [adminTree, (words: ReadonlyArray<string>) => admin(words)]
      ] as const) {
        for (const [path, command] of all(tree, [])) {
          assert.isNotEmpty(command.description, path.join(" "))
          for (const example of command.examples) {
            const line = split(example.command.replace(/ > .*/, ""))
            assert(line.ok, example.command)
            const { exit, stderr } = yield* run(line.words)
            // Without a shell, enter has nothing to do; everything else is at most refused by the data.
            if (path[0] !== "enter") assert.notStrictEqual(exit, 2, `${example.command}: ${stderr}`)
          }
        }
      }
    }).pipe(Effect.provide(Network.layerMemory)))

  it.effect("the version is that of the package", () =>
    Effect.gen(function*() {
      assert.strictEqual(version, JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version)
      assert.strictEqual((yield* cliBare(fakeCluster(), ["--version"])).stdout, `v2r2-cli ${version}\n`)
    }))
})

describe("the shape of JSON", () => {
  it("is written as people would", () => {
    const schema = Schema.Struct({
      a: Schema.NullOr(Schema.String),
      b: Schema.Array(Schema.Natural),
      c: Schema.Literals(["x", "y"]),
      d: Schema.Record(Schema.String, Schema.Boolean)
    })
    assert.strictEqual(shape(schema), `{"a": string | null, "b": [integer, ...], "c": "x" | "y", "d": {string: boolean, ...}}`)
  })
})
