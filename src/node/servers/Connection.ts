/**
 * What the four servers share: listening, the hello, the bound on connections, and the end of a connection with its
 * reason in the log. A bad connection ends by itself and nothing else.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../../base/Limits.ts"
import { acceptFramed, type Framed, HelloRejected, impatient, type Portions } from "../../network/Framed.ts"
import { makeLineLimit } from "../../network/LineLimit.ts"
import { Closed, type Duplex, Network, type NetworkError } from "../../network/Network.ts"
import { encodeReject, type Hello, type Reject, reject } from "../../wire/Hello.ts"
import type { Counters } from "../Metrics.ts"

export interface ServerOptions {
  /** For the log: "client", "admin", "cluster", "peer". */
  readonly what: string
  /** Where to listen. */
  readonly address: string
  readonly hello: Hello
  readonly frame_bytes_max: number
  readonly portions?: Portions
  readonly metrics: Counters
  readonly verify?: (hello: Hello) => Reject | null
  /** True once the node stops: nobody is let in any more. */
  readonly stopping: () => boolean
  /** The conversation; the connection ends with it. */
  readonly serve: (framed: Framed) => Effect.Effect<void, Closed>
}

/** Listens; gives the bound address. Lasts until the Scope ends. */
export const startServer = Effect.fnUntraced(function*(
  { address, frame_bytes_max, hello, metrics, portions, serve, stopping, verify, what }: ServerOptions
): Effect.fn.Return<string, NetworkError, Network | Scope.Scope> {
  const network = yield* Network
  const limited = yield* makeLineLimit(`bad ${what} connections`)
  let open = 0

  const check = (got: Hello): Reject | null =>
    stopping() ? reject("busy", "this node is being stopped") : verify?.(got) ?? null

  return yield* network.listen(address, (duplex) =>
    Effect.suspend(() => {
      open++
      if (open > Limits.connections_per_server_max) return turnAway(duplex)
      return Effect.flatMap(acceptFramed(duplex, hello, { frame_bytes_max, verify: check, ...portions && { portions } }), (framed) =>
        serve({ ...framed, send: impatient(framed) }))
    }).pipe(
      Effect.catchTag("Closed", (closed) => logEnd(what, duplex.remote, closed, limited)),
      Effect.catchTag("HelloRejected", (rejected) => {
        metrics.connections_refused++
        return limited(Effect.logWarning(`${what} connection refused: ${rejected.message}`))
      }),
      Effect.ensuring(Effect.sync(() => void open--))
    ))
})

/** At once: those who wait to say hello would be too many as well. */
const turnAway = (duplex: Duplex): Effect.Effect<never, Closed | HelloRejected> => {
  const { code, message } = reject("busy", `this server has ${Limits.connections_per_server_max} connections already`)
  return Effect.andThen(
    duplex.write([encodeReject({ _tag: "Reject", code, message })]),
    new HelloRejected({ remote: duplex.remote, code, reason: message, by: "us" })
  )
}

/** Says what was wrong before the end, to whoever still reads. */
export const complain = (framed: Framed, complaint: Uint8Array): Effect.Effect<void> =>
  Effect.ignore(Effect.timeoutOption(framed.send([complaint]), Limits.linger_ms))

/** Ordinary ends are for debugging; a broken protocol is news. */
const logEnd = (
  what: string,
  remote: string,
  closed: Closed,
  limited: (line: Effect.Effect<void>) => Effect.Effect<void>
): Effect.Effect<void> =>
  closed.malformed === true
    ? limited(Effect.logWarning(`${what} connection from ${remote} closed by us: ${closed.reason}`))
    : Effect.logDebug(`${what} connection from ${remote} ended: ${closed.reason}`)

export const malformed = (reason: string): Closed => new Closed({ reason, malformed: true })
