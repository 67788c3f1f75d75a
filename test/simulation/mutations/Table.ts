/**
 * All mutations, switched on one by one (see Mutation.ts). The harness is worth what it catches of these.
 *
 * @module
 */
import { fixes } from "./Fixes.ts"
import { groups } from "./Groups.ts"
import { leases } from "./Leases.ts"
import type { Mutation } from "./Row.ts"
import { restarts } from "./Restarts.ts"
import { slips } from "./Slips.ts"
import { snapshots } from "./Snapshots.ts"

export const mutations: ReadonlyArray<Mutation> = [...fixes, ...restarts, ...slips, ...snapshots, ...groups, ...leases]

export const mutationOf = (name: string): Mutation => {
  const found = mutations.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new Error(`no mutation is called "${name}"; there are: ${mutations.map((one) => one.name).join("; ")}`)
}
