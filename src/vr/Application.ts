/**
 * The data as the protocol sees it: a deterministic state machine over opaque bytes.
 * The protocol never looks inside an operation or a result.
 *
 * @module
 */

/** What the log knows about an operation when it is executed: the same on every replica. */
export interface ApplyContext {
  /** Position in the log, from 1. Unique and increasing within a tenant: the natural version number. */
  readonly op: number
  /** Milliseconds since 1970, stamped by the primary; never falls from one operation to the next. */
  readonly time: number
  /** The session that asked (the op number of its registration). */
  readonly session: number
}

/** One replica's copy of the data. Owned by that replica alone; methods are synchronous and never throw on bad input. */
export interface Application {
  /**
   * May this write enter the log? `undefined` if so, else the encoded result that refuses it.
   * Looks only at the bytes, never at the state.
   */
  readonly refuseWrite: (operation: Uint8Array) => Uint8Array | undefined
  /** Executes a committed write. Deterministic: equal states, operations and contexts give equal states and results. */
  readonly apply: (operation: Uint8Array, context: ApplyContext) => Uint8Array
  /** Answers a read from the current state. Anything that is not a valid read gets the encoded refusal. */
  readonly query: (operation: Uint8Array) => Uint8Array
}
