/**
 * The machine's upper bound for three processes of Node.js that replicate a log (`node.ts`), beside V2R2.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { Trouble } from "../../../src/devrel/Trouble.ts"
import { freePorts } from "../../e2e/Cluster.ts"
import { startGenerator } from "../Generator.ts"
import { makeServer, temporaryFolder, until } from "../Server.ts"
import { nodes, type Running, type System, type SystemOptions } from "../System.ts"
import type { Role } from "./node.ts"

const programOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const accepts = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" })
    socket.once("error", () => resume(Effect.succeed(false)))
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    return Effect.sync(() => socket.destroy())
  })

const start = Effect.fnUntraced(function*(
  { durability, line }: SystemOptions
): Effect.fn.Return<Running, Trouble, Scope.Scope> {
  const folder = yield* temporaryFolder
  const ports = yield* Effect.promise(() => freePorts(nodes))
  const [primary = 0, ...backups] = ports
  const servers = yield* Effect.forEach(ports, (port) => {
    const file = durability === "disk" ? Path.join(folder, String(port)) : null
    const role: Role = { port, file, backups: port === primary ? backups : null }
    return makeServer(`bare process ${port}`, [process.execPath, programOf("node.ts"), JSON.stringify(role)], line)
  })
  const ready = (index: number) => until(`port ${ports[index]} accepts`, accepts(ports[index]!))
  // The primary last: it connects to the backups when it starts.
  for (const index of [...ports.keys()].toReversed()) yield* servers[index]!.start(ready(index))
  return {
    first_write_ms: null,
    servers,
    endpoints: ports.map((port) => `127.0.0.1:${port}`),
    generator: yield* startGenerator([process.execPath, programOf("load.ts"), String(primary)], line),
    ready,
    status: (index) => Effect.succeed({ leads: index === 0, serves: true, position: 0 })
  }
})

export const limit: System = {
  name: "bare Node.js",
  start,
  shape: (work) => work.operation === "write" && work.tenants === 1 ? { ...work, connections: 1 } : null
}
