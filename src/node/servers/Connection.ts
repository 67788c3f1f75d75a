/**
 * What the four servers share: listening, the hello, the bound on connections, and the end of a connection with its
 * reason in the log. A bad connection ends by itself and nothing else.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../../base/Limits.ts"
import { acceptFramed, type Framed } from "../../network/Framed.ts"
import { Closed, Network, type NetworkError } from "../../network/Network.ts"
import { type Hello, type Reject, reject } from "../../wire/Hello.ts"

export interface ServerOptions {
  /** For the log: "client", "admin", "cluster", "peer". */
  readonly what: string
  /** Where to listen. */
  readonly address: string
  readonly hello: Hello
  readonly frame_bytes_max: number
  readonly verify?: (hello: Hello) => Reject | null
  /** True once the node stops: nobody is let in any more. */
  readonly stopping: () => boolean
  /** The conversation; the connection ends with it. */
  readonly serve: (framed: Framed) => Effect.Effect<void, Closed>
}

/** Listens; gives the bound address. Lasts until the Scope ends. */
export const startServer = Effect.fnUntraced(function*(
  { address, frame_bytes_max, hello, serve, stopping, verify, what }: ServerOptions
): Effect.fn.Return<string, NetworkError, Network | Scope.Scope> {
  const network = yield* Network
  let open = 0

  const check = (got: Hello): Reject | null => {
    if (stopping()) return reject("busy", "this node is being stopped")
    return open > Limits.connections_per_server_max
      ? reject("busy", `this server has ${Limits.connections_per_server_max} connections already`)
      : verify?.(got) ?? null
  }

  return yield* network.listen(address, (duplex) =>
    Effect.suspend(() => {
      open++
      return Effect.flatMap(acceptFramed(duplex, hello, { frame_bytes_max, verify: check }), serve)
    }).pipe(
      Effect.catchTag("Closed", (closed) => logEnd(what, duplex.remote, closed)),
      Effect.catchTag("HelloRejected", (rejected) => Effect.logWarning(`${what} connection refused: ${rejected.message}`)),
      Effect.ensuring(Effect.sync(() => void open--))
    ))
})

/** Ordinary ends are for debugging; a broken protocol is news. */
const logEnd = (what: string, remote: string, closed: Closed): Effect.Effect<void> =>
  closed.malformed === true
    ? Effect.logWarning(`${what} connection from ${remote} closed by us: ${closed.reason}`)
    : Effect.logDebug(`${what} connection from ${remote} ended: ${closed.reason}`)

export const malformed = (reason: string): Closed => new Closed({ reason, malformed: true })
