/**
 * Errors of the kinds that slip into such code: off by one, too early, too late, too much.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

export const slips: ReadonlyArray<Mutation> = [
  {
    name: "quorum off by one",
    what: "Half of an even group counts as a quorum, and so does one of three.",
    file: "src/vr/Quorum.ts",
    find: "Math.floor(size / 2) + 1",
    replace: "Math.max(1, Math.floor(size / 2))",
    budget: 50
  },
  {
    name: "commit off by one",
    what: "A primary commits one acknowledgement short of a quorum.",
    file: "src/vr/states/Primary.ts",
    find: "quorumth(state.acked, replica.configuration.quorum)",
    replace: "quorumth(state.acked, Math.max(1, replica.configuration.quorum - 1))",
    budget: 50
  },
  {
    name: "view off by one",
    what: "A view is started from one vote short of a quorum.",
    file: "src/vr/ViewStart.ts",
    find: "state.votes.size >= replica.configuration.quorum",
    replace: "state.votes.size >= replica.configuration.quorum - 1",
    budget: 50
  },
  {
    name: "own copy counted early",
    what: "A primary counts its own copy of an operation before it has written it.",
    file: "src/vr/states/Primary.ts",
    find: "state.acked[memberIndex(replica, replica.id)] = replica.durable",
    replace: "state.acked[memberIndex(replica, replica.id)] = replica.log.op",
    budget: 100
  },
  {
    name: "acknowledges what it lacks",
    what: "A backup's heartbeat answer acknowledges all that the primary has, held or not.",
    file: "src/vr/states/Backup.ts",
    find: "op: replica.durable, round: message.round, promised })",
    replace: "op: message.op, round: message.round, promised })",
    budget: 50
  },
  {
    name: "confirms what it has not written",
    what: "A backup's heartbeat answer, which waits for no write, acknowledges all that it holds, written or not.",
    file: "src/vr/states/Backup.ts",
    find: "op: replica.durable, round: message.round, promised })",
    replace: "op: replica.log.op, round: message.round, promised })",
    budget: 50
  },
  {
    name: "acknowledges before the write",
    what: "An acknowledgement leaves before the operation is written.",
    file: "src/vr/Step.ts",
    find: "  send(out, primaryOf(replica.configuration, view), { _tag: \"PrepareOk\", view, op: log.op })",
    replace: `  const to = primaryOf(replica.configuration, view)
  out.early.push({ to, message: { _tag: "PrepareOk", view, op: log.op } })`,
    budget: 50
  },
  {
    name: "commits all that is held",
    what: "A backup commits its whole log when it hears a heartbeat.",
    file: "src/vr/states/Backup.ts",
    find: "  hear(replica, state, message.commit)\n  // Reads",
    replace: "  hear(replica, state, replica.log.op)\n  // Reads",
    budget: 50
  },
  {
    name: "gap ignored",
    what: "A backup appends behind a gap.",
    file: "src/vr/states/Backup.ts",
    find: `  if (message.first > replica.log.op + 1) return startTransfer(replica, replica.view, from, now, out)
  appendAbove`,
    replace: "  appendAbove",
    budget: 50
  },
  {
    name: "reply before commit",
    what: "A primary executes a write and answers it when it is appended, not when it is committed.",
    file: "src/vr/Requests.ts",
    find: "  state.waiting.set(op, request)\n  replica.clients.requestPending",
    replace: `  const context = { op, time: replica.lastTime, session: request.session }
  reply(out, request, "ok", { result: replica.application.apply(request.operation, context) })
  replica.clients.requestPending`,
    budget: 50
  },
  {
    name: "double apply",
    what: "An operation is executed twice.",
    file: "src/vr/ClientTable.ts",
    find: "      result = application.apply(entry.operation, entry)\n",
    replace: "      application.apply(entry.operation, entry)\n      result = application.apply(entry.operation, entry)\n",
    budget: 50
  },
  {
    name: "lost session",
    what: "The session that was used last is evicted, not the one that was idle longest.",
    file: "src/vr/ClientTable.ts",
    find: "      this.sessions.delete(session.id)\n",
    replace: "",
    budget: 150
  },
  {
    name: "answers forgotten early",
    what: "A request counts as acknowledged by its client once it is executed, so a retry is not answered.",
    file: "src/vr/ClientTable.ts",
    find: "const through = Math.min(answered, request - 1)",
    replace: "const through = Math.max(answered, request)",
    budget: 50
  },
  {
    name: "unknown session at once",
    what: "A primary calls a session unknown that a newer view, of which it has not heard, has registered.",
    file: "src/vr/Requests.ts",
    find: "      return awaitRound(state, request, out)\n",
    replace: "      return reply(out, request, \"no session\")\n",
    budget: 350
  },
  {
    name: "stale read",
    what: "A primary serves a read without asking a quorum whether it still leads.",
    file: "src/vr/Requests.ts",
    find: "const confirmed = quorumth(state.rounds, replica.configuration.quorum)",
    replace: "const confirmed = state.round",
    budget: 200
  },
  {
    name: "stale read, by one",
    what: "A read is served after one confirmation short of a quorum.",
    file: "src/vr/Requests.ts",
    find: "const confirmed = quorumth(state.rounds, replica.configuration.quorum)",
    replace: "const confirmed = quorumth(state.rounds, Math.max(1, replica.configuration.quorum - 1))",
    budget: 5_600
  },
  {
    name: "round of an earlier read",
    what: "A read is confirmed by a round that began before the read arrived.",
    file: "src/vr/Requests.ts",
    find: "  state.round++\n",
    replace: "",
    budget: 200
  },
  {
    name: "longest log wins",
    what: "A new view starts from the longest log, not from that of the latest view.",
    file: "src/vr/ViewStart.ts",
    find: "if (vote.logView > chosen.logView || (vote.logView === chosen.logView && head(vote) > head(chosen))) {",
    replace: "if (head(vote) > head(chosen)) {",
    budget: 2_200
  },
  {
    name: "own log wins",
    what: "A new primary prefers its own log to a longer one of the same view.",
    file: "src/vr/ViewStart.ts",
    find: "vote.logView > chosen.logView || (vote.logView === chosen.logView && head(vote) > head(chosen))",
    replace: "vote.logView > chosen.logView",
    budget: 50
  },
  {
    name: "view joined, log kept",
    what: "A backup that joins a view keeps its own uncommitted operations.",
    file: "src/vr/states/Joining.ts",
    find: "  cutLog(replica, replica.commit, out)\n",
    replace: "",
    budget: 50
  },
  {
    name: "transfer done, log kept",
    what: "A replica that has fetched the log of a later view keeps its own uncommitted operations.",
    file: "src/vr/states/Normal.ts",
    find: "  else cutLog(replica, replica.commit, out)\n",
    replace: "",
    budget: 100
  },
  {
    name: "old view served",
    what: "A backup follows the primary of the view before its own.",
    file: "src/vr/Step.ts",
    find: "      if (message.view < replica.view) {\n",
    replace: "      if (message.view < replica.view - 1) {\n",
    budget: 50
  },
  {
    name: "old state installed",
    what: "A state transfer ends with the answer to a question about an older view.",
    file: "src/vr/states/StateTransfer.ts",
    find: "  if (message.view < state.target) return\n",
    replace: "",
    budget: 500
  },
  {
    name: "sent ahead of the view",
    what: "A new primary sends operations before it has written that it leads the view.",
    file: "src/vr/Sending.ts",
    find: "const where = out.head === null && out.install === null && out.truncate_to === null ? out.early : out.sends",
    replace: "const where = out.early",
    budget: 400
  },
  {
    name: "announces commits early",
    what: "Heartbeats announce uncommitted operations as committed.",
    file: "src/vr/states/Primary.ts",
    find: "({ _tag: \"Commit\", view, op: log.op, commit, round, lease_ms })",
    replace: "({ _tag: \"Commit\", view, op: log.op, commit: log.op < commit ? commit : log.op, round, lease_ms })",
    budget: 50
  },
  {
    name: "commit of the last vote",
    what: "A new primary takes the commit number of one vote instead of the highest.",
    file: "src/vr/ViewStart.ts",
    find: "commit = Math.max(commit, vote.commit)",
    replace: "commit = vote.commit",
    budget: 2_000
  },
  {
    name: "time goes back",
    what: "A primary stamps operations with its own clock, though the log is ahead of it.",
    file: "src/vr/Requests.ts",
    find: "replica.lastTime = Math.max(replica.lastTime, now.wall)",
    replace: "replica.lastTime = now.wall",
    budget: 100
  },
  {
    name: "pipeline unbounded",
    what: "A primary admits requests without end while nothing commits.",
    file: "src/vr/Requests.ts",
    find: "replica.log.op - replica.commit >= Limits.pipeline_ops_max",
    replace: "replica.log.op < replica.commit",
    budget: 50
  },
  {
    name: "lost operations not noticed",
    what: "Heartbeats do not say how far the log goes, so a backup does not notice that the last operations were lost.",
    file: "src/vr/states/Primary.ts",
    find: "({ _tag: \"Commit\", view, op: log.op, commit, round, lease_ms })",
    replace: "({ _tag: \"Commit\", view, op: Math.min(log.op, commit), commit, round, lease_ms })",
    budget: 300
  }
]
