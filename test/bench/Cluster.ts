/**
 * A fresh cluster of three real nodes, on free ports, in a temporary folder; gone with its Scope.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { ask } from "../../src/devrel/Asking.ts"
import { form, tenant_name } from "../../src/devrel/Forming.ts"
import { type Layout, writeConfig } from "../../src/devrel/Layout.ts"
import { untilAccepting } from "../../src/devrel/Ports.ts"
import * as Process from "../../src/devrel/Process.ts"
import { Trouble } from "../../src/devrel/Trouble.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"

export const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Cluster {
  /** Client addresses. */
  readonly endpoints: ReadonlyArray<string>
  readonly admins: ReadonlyArray<string>
  /** Of the nodes. */
  readonly names: ReadonlyArray<string>
  readonly tenant: string
  readonly pids: ReadonlyArray<number>
}

export interface ClusterOptions {
  readonly nodes: number
  readonly durability: Durability
  /** For Node.js itself. */
  readonly flags: ReadonlyArray<string>
  /** What a node writes between the cluster's start and its end: on a good day, next to nothing. */
  readonly line: (node: string, text: string) => void
}

const stop_within_ms = 5_000

/** Ports that nobody uses now: all are held until the last is known, so that they differ. */
const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.promise(async () => {
    const servers = await Promise.all(Array.from({ length: count }, () =>
      new Promise<Net.Server>((resolve, reject) => {
        const server = Net.createServer().once("error", reject)
        server.listen(0, "127.0.0.1", () => resolve(server))
      })))
    const ports = servers.map((server) => {
      const address = server.address()
      return address !== null && typeof address === "object" ? address.port : 0
    })
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    return ports
  })

const layoutsIn = (folder: string, ports: ReadonlyArray<number>): ReadonlyArray<Layout> =>
  Array.from({ length: ports.length / 4 }, (_, index) => {
    const name = `bench${index + 1}`
    const [cluster, admin, client, peer] = ports.slice(4 * index, 4 * index + 4).map((port) => `127.0.0.1:${port}`)
    const config = Path.join(folder, name, "config.json")
    return { name, folder: Path.join(folder, name), config, cluster: cluster!, admin: admin!, client: client!, peer: peer! }
  })

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-bench-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)

/** A child process of this one, for as long as the Scope lasts. */
export const child = (
  parameters: ReadonlyArray<string>,
  line: (text: string) => void
): Effect.Effect<Process.Process, Trouble, Scope.Scope> =>
  Effect.acquireRelease(
    Process.start(parameters, line),
    ({ ended, signal }) =>
      Effect.andThen(signal("SIGTERM"), ended).pipe(Effect.timeoutOrElse({
        duration: stop_within_ms,
        orElse: () => Effect.andThen(signal("SIGKILL"), ended)
      }))
  )

/** Joined, with one tenant on all nodes that knows its primary. */
export const startCluster = Effect.fnUntraced(function*(
  { durability, flags, line, nodes }: ClusterOptions
): Effect.fn.Return<Cluster, Trouble, Scope.Scope> {
  const folder = yield* temporaryFolder
  const layouts = layoutsIn(folder, yield* freePorts(4 * nodes))
  const program = Path.join(root, "bin/v2r2.mjs")
  let phase: "starting" | "running" | "stopping" = "starting"
  const early: Array<string> = []
  const heard = (name: string) => (text: string): void => {
    if (phase === "running") line(name, text)
    else early.push(`${name}: ${text}`)
  }
  const pids = yield* Effect.forEach(layouts, (layout) => {
    writeConfig(layout)
    return Effect.gen(function*() {
      const { ended, pid } = yield* child([...flags, program, "start", "--config", layout.config], heard(layout.name))
      yield* Effect.raceFirst(
        untilAccepting(layout),
        Effect.flatMap(ended, (end) =>
          new Trouble({ exit: "failed", message: [`${layout.name} ended: ${end}`, ...early].join("\n") }))
      )
      return pid
    })
  }, { concurrency: "unbounded" })
  yield* form(layouts, ask, durability)
  phase = "running"
  yield* Effect.addFinalizer(() => Effect.sync(() => void (phase = "stopping")))
  return {
    endpoints: layouts.map(({ client }) => client),
    admins: layouts.map(({ admin }) => admin),
    names: layouts.map(({ name }) => name),
    tenant: tenant_name,
    pids
  }
})
