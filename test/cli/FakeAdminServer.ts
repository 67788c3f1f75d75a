/**
 * A node's admin server that answers from a table, on the network in memory.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Limits } from "../../src/base/Limits.ts"
import { acceptFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import {
  AdminError, type AdminRequest, type Args, type CommandName, decodeRequest, encodeError, encodeOk, type Ok
} from "../../src/wire/AdminProtocol.ts"
import { makeHello } from "../../src/wire/Hello.ts"

/** What it answers: a value, an error, or nothing at all (`never`), or by hanging up. */
export type Answers = {
  readonly [C in CommandName]?: (args: Args<C>) => Effect.Effect<Ok<C>, AdminError | "hang up">
}

/** Listens on `address` until the Scope ends; gives the list of the requests that came. */
export const adminServer = Effect.fnUntraced(function*(address: string, answers: Answers) {
  const network = yield* Network
  const seen: Array<Pick<AdminRequest, "command" | "args">> = []
  yield* network.listen(address, (duplex) =>
    Effect.gen(function*() {
      const hello = makeHello("v2r2-admin", { cluster: "test", node: "dev1", limits: { frame_bytes_max: Limits.admin_frame_bytes_max } })
      const framed = yield* acceptFramed(duplex, hello, { frame_bytes_max: Limits.admin_frame_bytes_max })
      let open = true
      while (open) {
        for (const payload of yield* framed.receive) {
          const request = decodeRequest(payload)
          if (request._tag === "Request") seen.push({ command: request.command, args: request.args })
          const reply = request._tag === "Request"
            ? yield* replyTo(request, answers)
            : encodeError(request.id ?? 0, request.error)
          if (reply === null) open = false
          else yield* framed.send([reply])
        }
      }
    }).pipe(Effect.ignore))
  return seen
})

const replyTo = ({ args, command, id }: AdminRequest, answers: Answers): Effect.Effect<Uint8Array | null> => {
  const answer = answers[command] as ((args: unknown) => Effect.Effect<Ok<CommandName>, AdminError | "hang up">) | undefined
  if (answer === undefined) return Effect.succeed(encodeError(id, new AdminError({ code: "internal", message: "the test has no answer" })))
  return Effect.map(Effect.result(answer(args)), (result) => {
    if (Result.isSuccess(result)) return encodeOk(id, command, result.success)
    return result.failure === "hang up" ? null : encodeError(id, result.failure)
  })
}
