/**
 * What goes wrong with reads by a lease.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

const file = "src/vr/Lease.ts"

export const leases: ReadonlyArray<Mutation> = [
  {
    name: "promise broken",
    what: "A replica votes for a later view though it has promised not to.",
    file,
    find: "=> now.mono < promised.until\n",
    replace: "=> false && now.mono < promised.until\n",
    budget: 1_000
  },
  {
    name: "own promise broken",
    what: "The primary of a later view counts its own vote though it has promised not to.",
    file: "src/vr/ViewStart.ts",
    find: "!isBound(replica, now) && ",
    replace: "",
    budget: 12_000
  },
  {
    name: "promise forgotten",
    what: "A restarted replica votes at once, whatever it had promised before.",
    file,
    find: "until: hold_ms === 0 || isOwn ? -Infinity",
    replace: "until: hold_ms >= 0 || isOwn ? -Infinity",
    budget: 300
  },
  {
    name: "lease of too few",
    what: "One replica too few is enough for a lease.",
    file,
    find: "quorumth(granted, configuration.quorum)",
    replace: "quorumth(granted, Math.max(1, configuration.quorum - 1))",
    budget: 3_000
  },
  {
    name: "lease by one's own clock",
    what: "The holder of a lease and those that granted it take each other's clocks for their own.",
    file,
    find: "lease_ms * (1 + Limits.lease_drift) + rounding_ms",
    replace: "lease_ms / (1 + Limits.lease_drift)",
    budget: 12_000
  }
]
