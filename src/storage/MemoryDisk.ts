/**
 * What one node keeps, without a disk: for tests. It outlives the services that use it, as a disk outlives a process,
 * so opening it again is a restart.
 *
 * @module
 */
import type { Members } from "../members/Members.ts"
import type { Tenants } from "../tenants/Tenants.ts"
import type { Held } from "./JournalModel.ts"
import type { Identity } from "./NodeStore.ts"

/** One owner at a time. Only `failure` is for others to set. */
export interface MemoryDisk {
  /** Is a node using it? */
  locked: boolean
  /** While this is set, every write fails, with these words. */
  failure: string | null
  /** Null: no node has ever used it. */
  identity: Identity | null
  members: Members
  tenants: Tenants
  longest_lease_ms: number
  /** By `<tenant id>::<replica id>`. */
  readonly journals: Map<string, Held>
  /** By id: the pieces of it. */
  readonly uploads: Map<string, Array<Uint8Array>>
}

export const makeMemoryDisk = (): MemoryDisk => ({
  locked: false,
  failure: null,
  identity: null,
  members: new Map(),
  tenants: new Map(),
  longest_lease_ms: 0,
  journals: new Map(),
  uploads: new Map()
})
