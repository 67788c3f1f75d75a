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

/** A state as it was at one moment. Taking it costs nothing that grows with the state, and later writes leave it alone. */
export interface PinnedState {
  /** From its beginning, as often as is needed. */
  readonly read: () => PartReader
  /**
   * Nobody reads it any more. Until then writes keep what they replace, so whoever has it calls this, once it is done with; a second
   * call does no harm.
   */
  readonly release: () => void
}

/**
 * A state, or more, as a sequence of parts: equal states give equal parts. A part has at most
 * `Limits.snapshot_part_bytes_max` bytes, unless a single element takes more.
 */
export interface PartReader {
  /**
   * The next part, which is never empty; null behind the last one. It may lie in `room`, if that is given and long
   * enough. Give the same room again and again if you can: memory of their own for all parts of a large state makes the
   * collector go through the whole heap several times, which stops the replica for longer than all the rest.
   */
  readonly next: (room?: Uint8Array) => Uint8Array | null
}

/** Another state, which is built from parts while the present one stays as it is. */
export interface StateBuilder {
  /** Takes the next part. Why it cannot be one, in words; null if it can. After a refusal the builder is of no use. */
  readonly add: (part: Uint8Array) => string | null
  /** There are no more parts. Why they are no whole state, or null. */
  readonly finish: () => string | null
  /** Replaces the present state. Only after a `finish` that was content. */
  readonly install: () => void
}

/** One replica's copy of the data. Owned by that replica alone; methods are synchronous and never throw on bad input. */
export interface Application {
  /**
   * May this write enter the log? `undefined` if so, else the encoded result that refuses it.
   * Looks only at the bytes, never at the state.
   */
  readonly refuseWrite: (operation: Uint8Array) => Uint8Array | undefined
  /** These writes will be executed next: what they need may be looked for now, all at once. Changes nothing. */
  readonly prefetch: (operations: ReadonlyArray<Uint8Array>) => void
  /** Now and then: does a little of what was put off. Changes nothing that anybody sees. */
  readonly tidy: () => void
  /** Executes a committed write. Deterministic: equal states, operations and contexts give equal states and results. */
  readonly apply: (operation: Uint8Array, context: ApplyContext) => Uint8Array
  /** Answers a read from the current state. Anything that is not a valid read gets the encoded refusal. */
  readonly query: (operation: Uint8Array) => Uint8Array
  /** About how many bytes the state takes when it is written out. Costs nothing, and is the same at equal states. */
  readonly size: () => number
  /** The present state, which stays as it is while writes go on, until it is released. */
  readonly pin: () => PinnedState
  /** Begins another state, out of the parts of one that was pinned: here, or at any other replica. */
  readonly restore: () => StateBuilder
}
