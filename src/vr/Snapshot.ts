/**
 * A snapshot: all that a replica has made of the log up to one op. With it, the log up to there is not needed.
 *
 * @module
 */
import type { PartReader } from "./Application.ts"
import type { OpNumber } from "./Message.ts"

/** As of the moment in which it was taken. It holds memory for as long as it is held itself. */
export interface Snapshot {
  readonly op: OpNumber
  /** From its beginning, as often as is needed. At equal ops all replicas of a tenant give the same parts. */
  readonly read: () => PartReader
}
