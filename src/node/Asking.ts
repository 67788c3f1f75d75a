/**
 * A question to a replica of this node, by way of the dispatcher.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Answer, DispatcherInbox, Question } from "./Queues.ts"

/** Null: there is no such replica here, it is not able to answer, or did not within `timeout_ms`. */
export const askReplica = <A>(
  dispatcher: DispatcherInbox,
  tenant: string,
  question: (answer: Answer<A>) => Question,
  timeout_ms: number
): Effect.Effect<A | null> =>
  Effect.gen(function*() {
    const answered = yield* Deferred.make<A | null>()
    const answer: Answer<A> = (value) => void Deferred.doneUnsafe(answered, Effect.succeed(value))
    yield* Queue.offer(dispatcher, { _tag: "Ask", tenant, question: question(answer) })
    return yield* Effect.timeoutOrElse(Deferred.await(answered), { duration: timeout_ms, orElse: () => Effect.succeed(null) })
  })
