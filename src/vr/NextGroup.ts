/**
 * What the last operation of an epoch says: the group of the next one.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import type { Epoch, OpNumber, ReplicaId, View } from "./Message.ts"

export interface NextGroup {
  readonly epoch: Epoch
  /** Sorted, distinct. */
  readonly replicas: ReadonlyArray<ReplicaId>
}

/** An epoch that has begun: the group, and the entry that named it. */
export interface EpochStart extends NextGroup {
  readonly op: OpNumber
  /** In which a primary gave it that position. */
  readonly view: View
}

const id_bytes_max = 2 * Limits.name_bytes_max + 2

export const encodeNextGroup = ({ epoch, replicas }: NextGroup): Uint8Array => {
  const w = new MsgpackWriter().start().array(2).uint(epoch).array(replicas.length)
  for (const id of replicas) w.string(id)
  return w.take()
}

/** Of an entry of the log, which a primary has encoded. */
export const decodeNextGroup = (operation: Uint8Array): NextGroup => {
  const r = new MsgpackReader()
  r.open(operation)
  if (r.array("next group", 2) !== 2) r.fail("a next group has 2 elements")
  const epoch = r.uint("epoch")
  const replicas: Array<ReplicaId> = []
  for (let left = r.array("replicas", Limits.replicas_max); left > 0; left--) replicas.push(r.string("replica", id_bytes_max))
  const isWhole = r.close()
  invariant(isWhole, "the last operation of an epoch names a group", { fault: r.fault })
  return { epoch, replicas }
}
