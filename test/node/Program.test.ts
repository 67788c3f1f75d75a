/**
 * How the process of a node ends: which exit code, and never without a word.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { afterEach, vi } from "vitest"
import { platform } from "../../src/cli/MainLive.ts"
import { Network } from "../../src/network/Network.ts"
import { type Ground, program, teardown } from "../../src/node/Program.ts"
import { Journals } from "../../src/storage/Journal.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { ownerOf } from "../../src/node/Config.ts"
import { NodeStore } from "../../src/storage/NodeStore.ts"
import { Uploads } from "../../src/storage/Uploads.ts"

afterEach(() => void vi.restoreAllMocks())

const configured = (): string => {
  const file = Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-program-")), "config.json")
  Fs.writeFileSync(file, JSON.stringify({
    node_name: "n1", cluster_name: "test", data_dir: "data",
    admin_host: "n1:2001", client_host: "n1:2002", cluster_host: "n1:2000", peer_host: "n1:2003"
  }))
  return file
}

const ground = (network: Layer.Layer<Network>): Ground => (config) => {
  const disk = makeMemoryDisk()
  return Layer.mergeAll(
    network,
    Journals.layerMemory(disk),
    Uploads.layerMemory(disk),
    NodeStore.layerMemory(ownerOf(config), config.lease_ms, disk)
  )
}

const listening = (listen: Network["Service"]["listen"]): Layer.Layer<Network> =>
  Layer.effect(Network, Effect.map(Network, (network) => ({ ...network, listen }))).pipe(Layer.provide(Network.layerMemory))

/** What is said on the standard error, and the exit code. */
const end = (run: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    let said = ""
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      said += String(text)
      return true
    })
    vi.spyOn(console, "error").mockImplementation((line) => void (said += `${String(line)}\n`))
    let code = -1
    teardown(yield* Effect.exit(run), (exit) => void (code = exit))
    write.mockRestore()
    return { code, said }
  })

const start = (network: Layer.Layer<Network>, file = configured()) =>
  Command.runWith(program(ground(network)), { version: "0" })(["start", "--log-level", "error", "-c", file]).pipe(
    Effect.provide(platform)
  )

describe("the process of a node", () => {
  it.effect("a bug while it starts is said in one line, with exit code 1", () =>
    Effect.gen(function*() {
      const broken = listening(() => Effect.die(new RangeError("two\n  lines")))
      assert.deepStrictEqual(yield* end(start(broken)), {
        code: 1, said: "v2r2: this is a bug in this program: RangeError: two; lines\n"
      })
    }))

  it.effect("a bug while it stops is said as well", () =>
    Effect.gen(function*() {
      const stopped = yield* Effect.exit(Effect.interrupt.pipe(Effect.ensuring(Effect.die("a finalizer"))))
      assert.deepStrictEqual(yield* end(stopped), { code: 1, said: "v2r2: this is a bug in this program: a finalizer\n" })
    }))

  it.live("a mistake in the configuration is said once, with exit code 2", () =>
    Effect.gen(function*() {
      const { code, said } = yield* end(start(Network.layerMemory, "/nowhere.json"))
      assert.strictEqual(code, 2)
      assert.match(said, /^v2r2: \/nowhere\.json: there is no such file; .*\n$/)
    }))

  it.effect("a signal is success", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* end(Effect.interrupt), { code: 0, said: "" })
      assert.deepStrictEqual(yield* end(Exit.void), { code: 0, said: "" })
    }))
})
