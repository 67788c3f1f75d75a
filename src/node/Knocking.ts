/**
 * Is a node really not there? Asked over a connection of its own: that of the links may be about to be dialled anew.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Member } from "../members/Members.ts"
import { connectFramed, type Framed } from "../network/Framed.ts"
import type { Closed, Network } from "../network/Network.ts"
import { decodeClusterMessage, encodeClusterMessage } from "../wire/ClusterProtocol.ts"
import type { Hello } from "../wire/Hello.ts"
import { parserOf } from "../wire/Records.ts"

const connect_ms = 5_000
const ping_ms = 2_000

/** `other`: somebody is at its address, and it is not this node, though it may have its name: it has another id. */
export type Answer = "there" | "other" | "nobody"

export const knock = (hello: Hello, member: Member): Effect.Effect<Answer, never, Network> =>
  Effect.gen(function*() {
    const framed = yield* connectFramed(member.cluster, hello).pipe(
      Effect.timeoutOrElse({ duration: connect_ms, orElse: () => Effect.succeed(null) })
    )
    if (framed === null) return "nobody"
    if (framed.hello.node !== member.name) return "other"
    const id = yield* ask(framed).pipe(
      Effect.orElseSucceed(() => null),
      Effect.timeoutOrElse({ duration: ping_ms, orElse: () => Effect.succeed(null) })
    )
    // One that has said hello and nothing else is taken for this node.
    return id === null || id === member.id ? "there" : "other"
  }).pipe(
    Effect.scoped,
    Effect.catchTag("NetworkError", () => Effect.succeed<Answer>("nobody")),
    Effect.catchTag("HelloRejected", ({ code }) => Effect.succeed<Answer>(ofOthers.has(code) ? "other" : "there"))
  )

/** What only another program, another cluster, or a node that has our own name would say. */
const ofOthers: ReadonlySet<string> = new Set(["protocol", "cluster", "name", "malformed"])

const parseId = parserOf(Schema.Struct({ id: Schema.String }))

/** The id of the node at the other end; null if it does not say. */
const ask = (framed: Framed): Effect.Effect<string | null, Closed> =>
  Effect.gen(function*() {
    yield* framed.send([encodeClusterMessage({ _tag: "Call", id: 1, method: "ping", args: null })])
    while (true) {
      for (const payload of yield* framed.receive) {
        const message = decodeClusterMessage(payload)
        if (message._tag === "State") continue
        const parsed = message._tag === "Return" ? parseId(message.ok) : null
        return parsed?.ok === true ? parsed.value.id : null
      }
    }
  })
