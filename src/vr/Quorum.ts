/**
 * How many is enough. Any group size from 1 is legal, even ones too (flaw F14 of the paper's reconfiguration).
 *
 * @module
 */

/** Two quorums of one group always share a replica. */
export const quorum = (size: number): number => Math.floor(size / 2) + 1

/** The highest number that at least `quorum` of the numbers reach. */
export const quorumth = (numbers: ReadonlyArray<number>, quorum: number): number =>
  [...numbers].sort((a, b) => b - a)[quorum - 1]!

/** f: how many replicas may be down while the group serves. */
export const tolerates = (size: number): number => size - quorum(size)

/**
 * Answers that a recovering replica needs. It cannot count itself, and every quorum that it was ever part of has
 * `quorum - 1` other members: f + 1 answers out of the other N - 1 meet each of them. Equals the quorum for odd sizes.
 */
export const recoveryQuorum = (size: number): number => tolerates(size) + 1
