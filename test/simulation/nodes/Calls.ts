/**
 * What clients asked and were told, in one global order of events: the history that has to be linearizable.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { Indeterminate, Overloaded, Unavailable } from "../../../src/client/Errors.ts"
import { isWrite, type Operation, type Result } from "../../../src/store/Operation.ts"
import type { Call } from "../linearizability/Linearizability.ts"

/** How calls ended. `open`: the client died before. `undone`: it promises that nothing was done. */
export type Outcome = "answered" | "refused" | "indeterminate" | "undone" | "open"

interface Recorded {
  readonly tenant: string
  readonly client: string
  readonly operation: Operation
  readonly invoked: number
  returned: number | null
  result: Result | null
  outcome: Outcome
}

/** What a client's method gives. */
export type Answer = Exit.Exit<Result, Unavailable | Overloaded | Indeterminate>

export class Calls {
  private position = 0
  private readonly all: Array<Recorded> = []

  begin(tenant: string, client: string, operation: Operation): Recorded {
    const recorded: Recorded = {
      tenant, client, operation, invoked: ++this.position, returned: null, result: null, outcome: "open"
    }
    this.all.push(recorded)
    return recorded
  }

  /** Notes the end of a call. A bug in the client is given back, in words. */
  end(recorded: Recorded, answer: Answer): string | null {
    const position = ++this.position
    if (Exit.isSuccess(answer)) {
      recorded.returned = position
      recorded.result = answer.value
      recorded.outcome = answer.value._tag === "Error" ? "refused" : "answered"
      return null
    }
    const failure = answer.cause.reasons.find(Cause.isFailReason)
    if (failure === undefined) return String(answer.cause)
    recorded.outcome = failure.error._tag === "Indeterminate" ? "indeterminate" : "undone"
    return null
  }

  /**
   * As the checker takes them. A call that was undone, as the client says, is not part of the history at all: if it was
   * done after all, somebody will have seen what nobody wrote. A read without an answer says nothing.
   */
  of(tenant: string): ReadonlyArray<Call> {
    return this.all
      .filter((call) => call.tenant === tenant && call.outcome !== "undone" && (call.returned !== null || isWrite(call.operation)))
      .map(({ client, invoked, operation, result, returned }) => ({ client, operation, invoked, returned, result }))
  }

  count(): Readonly<Record<Outcome, number>> {
    const counts = { answered: 0, refused: 0, indeterminate: 0, undone: 0, open: 0 }
    for (const { outcome } of this.all) counts[outcome]++
    return counts
  }
}
