/**
 * A question to a replica of this node, by way of the dispatcher.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { Answer, DispatcherInbox, Question } from "./Queues.ts"

/**
 * Null: there is no such replica here, it is not able to answer, or did not within `timeout_ms`. `onUnheard` gets an answer that
 * nobody waits for any more.
 */
export const askReplica = <A>(
  dispatcher: DispatcherInbox,
  tenant: string,
  question: (answer: Answer<A>) => Question,
  timeout_ms: number,
  onUnheard: (answer: A) => void = () => {}
): Effect.Effect<A | null> =>
  Effect.suspend(() => {
    const answered = Deferred.makeUnsafe<A | null>()
    let given: A | null = null
    let isOver = false
    const answer: Answer<A> = (value) => {
      if (isOver && value !== null) return onUnheard(value)
      given = value
      Deferred.doneUnsafe(answered, Effect.succeed(value))
    }
    const asked = Effect.andThen(
      Queue.offer(dispatcher, { _tag: "Ask", tenant, question: question(answer) }),
      Effect.timeoutOrElse(Deferred.await(answered), { duration: timeout_ms, orElse: () => Effect.succeed(null) })
    )
    return Effect.onExit(asked, (exit) =>
      Effect.sync(() => {
        isOver = true
        if (given !== null && !(Exit.isSuccess(exit) && exit.value === given)) onUnheard(given)
      }))
  })
