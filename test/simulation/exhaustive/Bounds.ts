/**
 * How far a search goes. What happens is bounded in number; when it happens, and in which order, is not.
 *
 * @module
 */

export interface Bounds {
  readonly replicas: number
  /** Operations that clients ask primaries for. */
  readonly requests: number
  /** Reads that clients ask primaries for: 0 or 1. */
  readonly reads: number
  /** Crashes, each with its restart, of all replicas together. */
  readonly crashes: number
  /** Ticks of all replicas together: heartbeats, suspicions, questions asked again of another. */
  readonly ticks: number
  /** Ticks after a silence so long that primaries abdicate and recoveries begin anew. */
  readonly lates: number
  /** Broken transports: a suspicion that passes over the next primary. */
  readonly skips: number
  /** 1: state is sent one entry at a time, as if each filled a chunk. */
  readonly chunked: number
  /** 1: logs survive crashes. 2: or do not, as they are damaged. */
  readonly disk: number
  /** 1: whatever is committed leaves the log at once, so that those who lag or recover need a snapshot. */
  readonly snapshots: number
  /** Replicas that are not in the first group, and may join it. */
  readonly joiners: number
  /** The group that primaries of the first one are asked for: one bit a replica; 0: it does not change. */
  readonly next: number
  /** The same of the second group. */
  readonly after: number
  /** The highest view of each epoch; what would lead beyond it does not happen. */
  readonly views: number
}

const none: Bounds = {
  replicas: 3,
  requests: 0,
  reads: 0,
  crashes: 0,
  ticks: 0,
  lates: 0,
  skips: 0,
  chunked: 0,
  disk: 0,
  snapshots: 0,
  joiners: 0,
  next: 0,
  after: 0,
  views: 0
}

/** For every run of the tests: seconds each. */
export const small: Readonly<Record<string, Bounds>> = {
  f1: { ...none, requests: 1, crashes: 1, ticks: 1, views: 1 },
  requests: { ...none, requests: 2, ticks: 1, views: 1 },
  views: { ...none, requests: 1, ticks: 2, skips: 1, views: 2 },
  restarts: { ...none, requests: 1, crashes: 2, views: 3 },
  silence: { ...none, requests: 1, ticks: 1, lates: 1, views: 2 },
  reads: { ...none, requests: 1, reads: 1, ticks: 1, views: 1 },
  pair: { ...none, replicas: 2, requests: 2, crashes: 1, ticks: 2, views: 2 },
  disk: { ...none, requests: 1, crashes: 1, ticks: 1, disk: 1, views: 2 },
  torn: { ...none, requests: 2, crashes: 1, disk: 1, views: 2 },
  damage: { ...none, requests: 1, crashes: 2, disk: 2, views: 1 },
  four: { ...none, replicas: 4, requests: 1, ticks: 1, views: 1 },
  snapshots: { ...none, requests: 2, crashes: 1, disk: 1, snapshots: 1, views: 2 },
  snapshots_in_memory: { ...none, requests: 1, crashes: 1, ticks: 1, snapshots: 1, views: 0 },
  snapshots_and_crashes: { ...none, requests: 1, crashes: 1, skips: 1, snapshots: 1, views: 1 },
  snapshots_of_views: { ...none, requests: 1, ticks: 1, skips: 1, snapshots: 1, views: 2 },
  snapshots_in_silence: { ...none, requests: 1, ticks: 1, lates: 1, snapshots: 1, views: 1 },
  snapshots_of_a_pair: { ...none, replicas: 2, requests: 2, crashes: 1, ticks: 2, disk: 1, snapshots: 1, views: 2 },
  snapshots_of_restarts: { ...none, requests: 1, crashes: 2, disk: 1, snapshots: 1, views: 1 },
  group_moves: { ...none, replicas: 1, joiners: 1, next: 0b10, requests: 1, crashes: 1, ticks: 2, views: 1 },
  group_grows: { ...none, replicas: 1, joiners: 1, next: 0b11, requests: 1, crashes: 2, ticks: 2, disk: 1, views: 1 },
  group_shrinks: { ...none, replicas: 2, next: 0b01, requests: 1, crashes: 1, ticks: 2, views: 1 },
  one_is_replaced: { ...none, replicas: 2, joiners: 1, next: 0b110, ticks: 2, views: 1 },
  all_are_replaced: { ...none, replicas: 2, joiners: 1, next: 0b100, crashes: 1, ticks: 2, views: 1 },
  one_leaves: { ...none, next: 0b011, ticks: 1, skips: 1, views: 2 },
  one_of_three_is_replaced: { ...none, joiners: 1, next: 0b1110, ticks: 1, views: 1 },
  group_moves_twice: { ...none, replicas: 1, joiners: 2, next: 0b010, after: 0b100, ticks: 2, views: 0 },
  group_grows_and_shrinks: { ...none, replicas: 1, joiners: 1, next: 0b11, after: 0b10, requests: 1, ticks: 2, views: 1 }
}

/** For `npm run simulate -- --exhaustive`: minutes each. */
export const large: Readonly<Record<string, Bounds>> = {
  /** Two logs that part, and meet in a third view. */
  divergence: { ...none, requests: 2, ticks: 1, skips: 1, views: 3 },
  chunks: { ...none, requests: 2, ticks: 1, chunked: 1, views: 1 },
  more_of_four: { ...none, replicas: 4, requests: 1, ticks: 2, views: 1 },
  five: { ...none, replicas: 5, requests: 1, ticks: 1, views: 1 },
  more_views: { ...none, requests: 1, ticks: 3, views: 3 },
  more_reads: { ...none, requests: 1, reads: 1, ticks: 2, views: 2 },
  more_silence: { ...none, requests: 1, crashes: 1, ticks: 1, lates: 1, views: 1 },
  crash: { ...none, requests: 1, crashes: 1, ticks: 2, views: 2 },
  power: { ...none, requests: 1, crashes: 3, disk: 1, views: 2 },
  logs: { ...none, requests: 2, crashes: 2, disk: 1, views: 2 },
  votes: { ...none, requests: 2, crashes: 1, ticks: 1, disk: 1, views: 1 },
  damages: { ...none, requests: 1, crashes: 2, disk: 2, views: 2 },
  more_snapshots: { ...none, requests: 2, crashes: 1, snapshots: 1, views: 1 },
  snapshots_of_more_views: { ...none, requests: 1, ticks: 3, snapshots: 1, views: 3 },
  snapshots_of_a_crash: { ...none, requests: 1, crashes: 1, ticks: 2, snapshots: 1, views: 1 },
  snapshots_and_divergence: { ...none, requests: 2, ticks: 1, skips: 1, snapshots: 1, views: 2 },
  snapshots_and_chunks: { ...none, requests: 2, ticks: 1, chunked: 1, snapshots: 1, views: 1 },
  snapshots_on_disks: { ...none, requests: 1, crashes: 1, ticks: 2, disk: 1, snapshots: 1, views: 1 },
  snapshots_and_restarts: { ...none, requests: 1, crashes: 2, disk: 1, snapshots: 1, views: 2 },
  snapshots_and_damages: { ...none, requests: 1, crashes: 2, disk: 2, snapshots: 1, views: 1 },
  replaced_with_requests: { ...none, replicas: 2, joiners: 1, next: 0b110, requests: 1, crashes: 1, ticks: 1, views: 1 },
  grows_in_silence: { ...none, replicas: 2, joiners: 1, next: 0b111, ticks: 2, lates: 1, views: 1 },
  shrinks_in_silence: { ...none, next: 0b110, requests: 1, lates: 1, views: 1 },
  shrinks_on_disks: { ...none, next: 0b001, crashes: 1, ticks: 1, disk: 1, views: 1 },
  both_are_replaced: { ...none, replicas: 2, joiners: 1, next: 0b110, after: 0b100, ticks: 2, views: 1 },
  moves_twice_with_a_crash: { ...none, replicas: 1, joiners: 2, next: 0b010, after: 0b100, crashes: 1, ticks: 3, views: 0 }
}
