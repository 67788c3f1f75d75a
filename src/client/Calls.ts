/**
 * One call: an operation goes into the session, and its caller sleeps until the verdict. This is the hot path: between
 * the two there is no fiber, no timer and no Effect of its own.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  decodeResult, encodeOperation, type Operation, type ReadOperation, refuseOperation, type Refusal, type Result,
  type WriteOperation
} from "../store/Operation.ts"
import { Call, type Ending, type Verdict } from "./Call.ts"
import { Indeterminate, type Overloaded, type SessionLost, type Unavailable } from "./Errors.ts"
import { type Follower, hint_closed } from "./Follower.ts"

/** What the operations of a tenant are made of: one way to send each kind, and to read the answer in the same step. */
export interface Calls {
  readonly id: string
  readonly name: string | null
  readonly sessionLost: Effect.Effect<never, SessionLost>
  readonly write: <A, E>(
    operation: WriteOperation,
    read: (result: Result) => Exit.Exit<A, E>
  ) => Effect.Effect<A, E | Unavailable | Overloaded | Indeterminate>
  readonly read: <A, E>(
    operation: ReadOperation,
    read: (result: Result) => Exit.Exit<A, E>
  ) => Effect.Effect<A, E | Unavailable | Overloaded>
}

/** Time, and who looks after the deadlines. */
export interface Deadlines {
  readonly now_ms: () => number
  readonly deadline_ms: number
  /** A call has begun. */
  readonly onCall: () => void
}

export const makeCalls = (
  { id, name, follower, deadlines }: {
    readonly id: string
    readonly name: string | null
    readonly follower: Follower
    readonly deadlines: Deadlines
  }
): Calls => {
  const inWords: { readonly [E in Ending]: string } = {
    "deadline": `no answer within ${deadlines.deadline_ms} ms`,
    "closed": "the client was closed",
    "session lost": "the cluster has forgotten the session"
  }

  const settled = <A, E, D>(
    verdict: Verdict,
    path: string,
    read: (result: Result) => Exit.Exit<A, E>,
    doubt: (reason: string) => Exit.Exit<never, D>
  ): Exit.Exit<A, E | D | Unavailable | Overloaded> => {
    switch (verdict._tag) {
      case "Ok": {
        const result = decodeResult(verdict.result)
        return result._tag === "Malformed" ? doubt(`the answer is ${result.reason}`) : read(result)
      }
      case "Refused":
        return read({ _tag: "Error", code: "Invalid", path, reason: verdict.message })
      case "Stale":
        return Exit.die(new Error(`client and server count requests differently: ${verdict.message}`))
      case "Undone":
        return Exit.fail(verdict.cause === "closed" ? follower.unavailable(hint_closed) : follower.late())
      case "InDoubt":
        return doubt(inWords[verdict.cause])
    }
  }

  const call = <A, E, D>(
    kind: Call["kind"],
    operation: Operation,
    read: (result: Result) => Exit.Exit<A, E>,
    doubt: (reason: string) => Exit.Exit<never, D>
  ): Effect.Effect<A, E | D | Unavailable | Overloaded> =>
    Effect.callback((resume) => {
      const refusal = refuseUntyped(operation) ?? refuseOperation(operation)
      if (refusal !== undefined) return resume(read(refusal))
      const call = new Call(kind, encodeOperation(operation), deadlines.now_ms() + deadlines.deadline_ms, (verdict) =>
        resume(settled(verdict, operation.path, read, doubt)))
      if (!follower.submit(call)) return resume(Exit.fail(follower.overloaded(too_many)))
      deadlines.onCall()
      return Effect.sync(() => follower.session.abandon(call))
    })

  return {
    id,
    name,
    sessionLost: follower.sessionLost,
    write: (operation, read) =>
      call("write", operation, read, (reason) => Exit.fail(new Indeterminate({ path: operation.path, reason }))),
    read: (operation, read) => call("read", operation, read, (reason) => Exit.fail(follower.unavailable(`${reason}.`)))
  }
}

const too_many = "too many calls of this client wait for an answer already"

/** For callers that have no types: a string for data would be stored as zeros. */
const refuseUntyped = (operation: Operation): Refusal | undefined => {
  if (typeof operation.path !== "string") return invalid("", "the path is not a string")
  if (!("data" in operation) || operation.data instanceof Uint8Array) return undefined
  return invalid(operation.path, "the data is not a Uint8Array")
}

const invalid = (path: string, reason: string): Refusal => ({ _tag: "Error", code: "Invalid", path, reason })
