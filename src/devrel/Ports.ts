/**
 * Whether an address is taken, and whether somebody answers there.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { type Layout, servers } from "./Layout.ts"
import { Trouble } from "./Trouble.ts"

const partsOf = (address: string): { readonly host: string; readonly port: number } => {
  const colon = address.lastIndexOf(":")
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

/** Null if the address is free, otherwise why it cannot be had: "in use", "not permitted". */
const whyTaken = (address: string): Effect.Effect<string | null> =>
  Effect.callback((resume) => {
    const server = Net.createServer()
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "EADDRINUSE" ? "in use" : error.code === "EACCES" ? "not permitted" : error.message
      resume(Effect.succeed(reason))
    })
    server.listen({ ...partsOf(address), exclusive: true }, () => server.close(() => resume(Effect.succeed(null))))
  })

/** Fails with every address that cannot be had. Nothing has been started then. */
export const requireFree = Effect.fnUntraced(function*(layouts: ReadonlyArray<Layout>, base_port: number) {
  const addresses = layouts.flatMap((layout) => servers.map((server) => ({ layout, server, address: layout[server] })))
  const complain = ({ layout, server, address }: (typeof addresses)[number]) =>
    Effect.map(whyTaken(address), (why) =>
      why === null ? [] : [`port ${partsOf(address).port} (${layout.name}, ${server}) is ${why}`])
  const taken = yield* Effect.forEach(addresses, complain)
  const complaints = taken.flat()
  if (complaints.length === 0) return
  return yield* new Trouble({
    exit: "conflict",
    message: complaints.join("; "),
    hint: `stop what uses them, or take other ports: npm run devrel -- --base-port ${otherBase(base_port)}`
  })
})

/** 100 higher: beside the ports of every node, if they are 1000 apart. */
const otherBase = (base_port: number): number => base_port + 100

/** Is a connection accepted? It is closed at once. */
const accepts = (address: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = Net.connect(partsOf(address))
    socket.once("error", () => resume(Effect.succeed(false)))
    socket.once("connect", () => {
      socket.end()
      resume(Effect.succeed(true))
    })
    return Effect.sync(() => socket.destroy())
  })

const probe_interval_ms = 25

/** Succeeds once all four servers of a node accept connections. */
export const untilAccepting = (layout: Layout): Effect.Effect<void> =>
  Effect.forEach(servers, (server) =>
    Effect.suspend(() => accepts(layout[server])).pipe(
      Effect.tap((accepting) => accepting ? Effect.void : Effect.sleep(probe_interval_ms)),
      Effect.repeat({ until: (accepting) => accepting })
    ), { discard: true, concurrency: "unbounded" })
