/**
 * Bounds what the answers to reads may take in one turn of a replica. A read is a few bytes, its answer may be a
 * million: thousands of them at once would fill the memory before the first one is on its way.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { Application } from "../vr/Application.ts"
import type { Reply } from "../vr/Replica.ts"

export interface ReadBudget {
  /** The application as the replica is to see it. */
  readonly application: Application
  /** A new turn: the budget is whole again. */
  readonly renew: () => void
  /** What to tell the clients: reads that were not answered are turned away, as in any overload. */
  readonly settle: (replies: ReadonlyArray<Reply>) => ReadonlyArray<Reply>
}

/** Stands for an answer that was not given. No result of an application is empty. */
const not_given = new Uint8Array(0)

export const makeReadBudget = (
  application: Application,
  bytes_max: number = Limits.read_results_bytes_max
): ReadBudget => {
  let spent = 0
  return {
    application: {
      refuseWrite: application.refuseWrite,
      prefetch: application.prefetch,
      tidy: application.tidy,
      apply: application.apply,
      query: (operation) => {
        if (spent >= bytes_max) return not_given
        const result = application.query(operation)
        spent += result.length
        return result
      },
      size: application.size,
      pin: application.pin,
      restore: application.restore
    },
    renew: () => {
      spent = 0
    },
    settle: (replies) =>
      spent < bytes_max
        ? replies
        : replies.map((reply) => reply.result === not_given ? { ...reply, status: "overloaded", result: null } : reply)
  }
}
