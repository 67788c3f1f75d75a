/**
 * What goes wrong with snapshots: in taking them, in sending them, in putting them in place.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

export const snapshots: ReadonlyArray<Mutation> = [
  {
    name: "F2 snapshot put in place early",
    what: "A snapshot takes the place of a log that holds more than it, before the log that follows it is here.",
    file: "src/vr/Transitions.ts",
    find: "if ((upTo === base && image === null) || (upTo < replica.log.op && !endsEpoch)) return staging",
    replace: "if (image === null && (upTo === base || (upTo < replica.log.op && !endsEpoch))) return staging",
    by: "search",
    budget: 2_000_000
  },
  {
    name: "late start of a view taken for whole",
    what: "A replica that has a snapshot of a view is stopped when the first word of that view comes late.",
    file: "src/vr/states/Joining.ts",
    find: " || end < replica.commit) return startTransfer",
    replace: ") return startTransfer",
    by: "search",
    budget: 2_000_000
  },
  {
    name: "later view not promised",
    what: "A replica in transfer puts data of a later view in its place, and is back in its old view after a restart.",
    file: "src/vr/states/StateTransfer.ts",
    find: "  if (replica.commit > before && !isCrossing(replica)) promise(replica, state.target, out)\n",
    replace: "",
    budget: 1_650
  },
  {
    name: "snapshot without sessions",
    what: "A replica that begins with a snapshot has its data, and knows none of the sessions.",
    file: "src/vr/Snapshot.ts",
    find: "    clients?.install(this.sessions)\n",
    replace: "",
    budget: 50
  },
  {
    name: "sessions of a snapshot change",
    what: "A session that is in a snapshot, without results, is changed where it is, while the snapshot is being written.",
    file: "src/vr/ClientTable.ts",
    find: "known.epoch === this.epoch ? known",
    replace: "known.epoch === this.epoch || known.results.size === 0 ? known",
    budget: 50
  },
  {
    name: "snapshot kept for ever",
    what: "What another replica has fetched, or does not ask for any more, stays pinned: every write keeps what it replaces.",
    file: "src/vr/SnapshotTransfer.ts",
    find: "  outgoing.get(to)?.snapshot.release()\n",
    replace: "",
    budget: 150
  },
  {
    name: "snapshot of a later state",
    what: "A snapshot holds the data as it is when it is written, not as it was when it was taken.",
    file: "src/vr/Snapshot.ts",
    find: "  const data = application.pin()\n",
    replace: "  const early = application.pin()\n  let late: ReturnType<typeof application.pin> | null = null\n" +
      "  const data = {\n" +
      "    read: () => {\n      late ??= application.pin()\n      early.release()\n      return late.read()\n    },\n" +
      "    release: () => (late ?? early).release()\n  }\n",
    budget: 50
  },
  {
    name: "snapshot stamped by one replica",
    what: "A snapshot has the time of what its replica has in its log, not of what is committed.",
    file: "src/vr/Snapshot.ts",
    find: "time: commitTime,",
    replace: "time: (replica as typeof replica & { readonly lastTime: number }).lastTime,",
    budget: 50
  },
  {
    name: "next snapshot counted anew",
    what: "A replica that begins with a snapshot counts the log from there, so its next one is of another operation.",
    file: "src/vr/states/Normal.ts",
    find: "  replica.sinceSnapshot = log_bytes\n",
    replace: "  replica.sinceSnapshot = 0\n",
    budget: 500
  },
  {
    name: "snapshot asked for once",
    what: "A replica that misses a part of a snapshot waits for it, and never asks again.",
    file: "src/vr/SnapshotTransfer.ts",
    find: "now.mono - incoming.heardAt <= patience * timers.view_change_ms",
    replace: "now.mono >= incoming.heardAt",
    budget: 3_100
  },
  {
    name: "snapshot let go at once",
    what: "A sender forgets which snapshot it sends, so each part is the first of another one.",
    file: "src/vr/SnapshotTransfer.ts",
    find: "now.mono - askedAt > Limits.snapshot_idle_ms",
    replace: "now.mono >= askedAt",
    budget: 500
  }
]
