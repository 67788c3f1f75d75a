/**
 * How long a replica waits for others before it asks for a view change.
 *
 * @module
 */
import type { Replica } from "./Replica.ts"

/** Doubled for each further view change without a stable view between, up to ×32. */
export const backOff = (replica: Replica): number => 2 ** Math.min(Math.max(replica.attempts - 1, 0), 5)

/** A randomised time-out in units of `view_change_ms`, which may be set anew: 0.5 to 1.5, and the back-off. */
export const drawPatience = (replica: Replica): number => (0.5 + replica.random.next()) * backOff(replica)
