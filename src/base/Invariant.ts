/**
 * Bugs die: a broken invariant stops the replica that found it, never the node.
 *
 * @module
 */

/** Thrown by {@link invariant}; caught only by whoever owns the broken part. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation"
}

/** A broken invariant is our bug: die rather than run on corrupt state. `seen` is printed beside the fact. */
export function invariant(holds: boolean, fact: string, seen?: object): asserts holds {
  if (!holds) throw new InvariantViolation(seen === undefined ? fact : `${fact} ${JSON.stringify(seen)}`)
}
