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
  /** Those of the present group that are not in it: their ids are never used again. */
  readonly leaving: ReadonlyArray<ReplicaId>
}

/** An epoch that has begun: the group, and the entry that named it. */
export interface EpochStart extends NextGroup {
  readonly op: OpNumber
  /** In which a primary gave it that position. */
  readonly view: View
}

const id_bytes_max = 2 * Limits.name_bytes_max + 2

export const encodeNextGroup = ({ epoch, leaving, replicas }: NextGroup): Uint8Array => {
  const w = new MsgpackWriter().start().array(3).uint(epoch)
  writeIds(w, replicas)
  writeIds(w, leaving)
  return w.take()
}

export const writeIds = (w: MsgpackWriter, ids: ReadonlyArray<ReplicaId>): void => {
  w.array(ids.length)
  for (const id of ids) w.string(id)
}

/** At most as many as a group has. */
export const readIds = (r: MsgpackReader, what: string): ReadonlyArray<ReplicaId> => {
  const ids: Array<ReplicaId> = []
  for (let left = r.array(what, Limits.replicas_max); left > 0 && r.fault === null; left--) ids.push(r.string("replica", id_bytes_max))
  return ids
}

/** Of an entry of the log, which a primary has encoded. */
export const decodeNextGroup = (operation: Uint8Array): NextGroup => {
  const r = new MsgpackReader()
  r.open(operation)
  if (r.array("next group", 3) !== 3) r.fail("a next group has 3 elements")
  const epoch = r.uint("epoch")
  const replicas = readIds(r, "replicas")
  const leaving = readIds(r, "leaving")
  const isWhole = r.close()
  invariant(isWhole, "the last operation of an epoch names a group", { fault: r.fault })
  return { epoch, replicas, leaving }
}
