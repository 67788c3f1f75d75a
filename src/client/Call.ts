/**
 * One request of one caller, how it may end, and the calls of one kind in the order in which they came.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"

/** How a call ends. */
export type Verdict =
  /** The store's encoded result. */
  | { readonly _tag: "Ok"; readonly result: Uint8Array }
  /** The node refuses the request as it is. Nothing was done. */
  | { readonly _tag: "Refused"; readonly message: string }
  /** The node says that we had given up this request: one side counts wrongly. */
  | { readonly _tag: "Stale"; readonly message: string }
  /** No answer, and nothing was done (a read never does anything). */
  | { readonly _tag: "Undone"; readonly cause: Ending }
  /** No answer to a write with copies out. */
  | { readonly _tag: "InDoubt"; readonly cause: Ending }

/** Why nobody waits for the answer any more. */
export type Ending = "deadline" | "closed" | "session lost"

/**
 * One request of one caller. `settle` is called once at most; and not after the session was told to abandon it, unless it ends at
 * that very moment.
 */
export class Call {
  readonly kind: "write" | "read"
  /** Encoded. Not to be changed any more. */
  readonly operation: Uint8Array
  /** On the owner's clock. */
  readonly deadline_ms: number
  readonly settle: (verdict: Verdict) => void
  /** Notes of the session and of its queue. */
  state: "new" | "waiting" | "numbered" | "done" = "new"
  number = 0
  copies = 0
  /** Is it in line to be sent (again)? */
  queued = false
  /** Its neighbours in {@link CallQueue}. */
  previous: Call | null = null
  next: Call | null = null

  constructor(
    kind: "write" | "read",
    operation: Uint8Array,
    deadline_ms: number,
    settle: (verdict: Verdict) => void
  ) {
    this.kind = kind
    this.operation = operation
    this.deadline_ms = deadline_ms
    this.settle = settle
  }
}

/**
 * The calls of one kind that somebody waits for, in the order in which they came, which is that of their deadlines: first those
 * with a number, then those that wait for one. Each may leave at any time. (A `Set` takes a hash for each, and its table is made
 * anew as they come and go.)
 */
export class CallQueue {
  first: Call | null = null
  private last: Call | null = null
  private firstWaiting: Call | null = null
  private waitingCount = 0

  /** Without a number. */
  get waiting(): number {
    return this.waitingCount
  }

  add(call: Call): void {
    invariant(call.state === "new", "a call is submitted once")
    call.state = "waiting"
    call.previous = this.last
    if (this.last === null) this.first = call
    else this.last.next = call
    this.last = call
    this.firstWaiting ??= call
    this.waitingCount += 1
  }

  remove(call: Call): void {
    const { next, previous } = call
    if (call.state === "waiting") this.waitingCount -= 1
    if (this.firstWaiting === call) this.firstWaiting = next
    if (previous === null) this.first = next
    else previous.next = next
    if (next === null) this.last = previous
    else next.previous = previous
    // Whoever still knows it does not keep the others with it.
    call.previous = null
    call.next = null
    call.state = "done"
  }

  /** The first that waits is to have a number. */
  giveNumber(): Call {
    const call = this.firstWaiting
    invariant(call !== null, "a number is for a call that waits")
    this.firstWaiting = call.next
    this.waitingCount -= 1
    call.state = "numbered"
    return call
  }

  /** None has a number any more. */
  withdrawNumbers(): void {
    for (let call = this.first; call !== this.firstWaiting; call = call.next) {
      invariant(call !== null, "those with a number come first")
      call.state = "waiting"
      this.waitingCount += 1
    }
    this.firstWaiting = this.first
  }
}
