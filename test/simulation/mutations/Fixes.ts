/**
 * Each fix of a flaw of the paper (docs/DIVERGENCES.md), taken back.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

export const fixes: ReadonlyArray<Mutation> = [
  {
    name: "F1 promise forgotten",
    what: "A restarted replica does not know which view it had promised, and recovers into an older one.",
    file: "src/vr/Step.ts",
    find: "makeRecoveryState(promised), view, 0, ",
    replace: "makeRecoveryState(0), firstView(options.configuration.epoch), 0, ",
    by: "search",
    budget: 100_000
  },
  {
    name: "F1 view not written",
    what: "A replica leaves its view without writing that down before its vote is sent.",
    file: "src/vr/Transitions.ts",
    find: "  replica.view = view\n  writeHead(replica, out)\n  replica.attempts++",
    replace: "  replica.view = view\n  replica.attempts++",
    budget: 50
  },
  {
    name: "F2 cut, then fetch",
    what: "A replica that hears of a later view cuts its log and enters that view before the replacement is here.",
    file: "src/vr/Transitions.ts",
    find: "  moveTo(replica, makeTransferState(",
    replace: `  if (target !== replica.logView) {
    replaceSuffix(replica, makeStaging(replica.commit), out)
    replica.view = target
    replica.logView = target
    writeHead(replica, out)
  }
  moveTo(replica, makeTransferState(`,
    budget: 100
  },
  {
    name: "F3 commit falls",
    what: "A backup takes the lower commit number of a StartView for its own, and executes operations again.",
    file: "src/vr/states/Joining.ts",
    find: "  becomeBackup(replica, message.view, now, out)\n",
    replace: `  becomeBackup(replica, message.view, now, out)
  replica.commit = Math.min(replica.commit, message.commit)
`,
    budget: 400
  },
  {
    name: "F4 StartView again",
    what: "A backup accepts a StartView of the view that it is in, and drops what it acknowledged since.",
    file: "src/vr/states/Backup.ts",
    find: "if (message.view > replica.view) onStartView",
    replace: "if (message.view >= replica.view) onStartView",
    budget: 300
  },
  {
    name: "F4 StartView again, in a transfer",
    what: "A replica that fetches a gap of its own view accepts that view's StartView again.",
    file: "src/vr/states/StateTransfer.ts",
    find: "if (message.view < state.target || message.view <= replica.logView) return",
    replace: "if (message.view < state.target) return",
    budget: 2_700
  },
  {
    name: "F5 views mixed",
    what: "A new primary counts votes for other views as votes for its own.",
    file: "src/vr/ViewStart.ts",
    find: "state._tag !== \"ViewChange\" || vote.view !== replica.view ||",
    replace: "state._tag !== \"ViewChange\" ||",
    budget: 150
  },
  {
    name: "F6 asks once",
    what: "A recovering replica asks once, and waits for answers that were lost or straddled a view change.",
    file: "src/vr/states/Recovery.ts",
    find: "  if (state.nonce === 0) state.nonce =",
    replace: "  if (state.nonce !== 0) return\n  state.nonce =",
    budget: 50
  },
  {
    name: "F6 first answers stay",
    what: "A recovering replica keeps the first answer of each replica, though views have changed since.",
    file: "src/vr/states/Recovery.ts",
    find: "if (earlier !== undefined && isNewer(earlier, message)) return",
    replace: "if (earlier !== undefined) return",
    budget: 600
  },
  {
    name: "F7 waits for the primary",
    what: "Backups take the recovery of their primary for a sign of life, and wait for a view that nobody leads.",
    file: "src/vr/states/Joining.ts",
    find: `    state.heardAt = Math.min(state.heardAt, now.mono - replica.timers.view_change_ms)
    return probeIfSilent(replica, now, out)`,
    replace: "    state.heardAt = now.mono\n    return replica.lost.clear()",
    budget: 250
  },
  {
    name: "F8 votes while it recovers",
    what: "A recovering replica takes part in a view change, with its empty log.",
    file: "src/vr/states/Recovery.ts",
    find: "  StartViewChange: () => {},\n",
    replace: `  StartViewChange: (replica, _state, message, _from, _now, out) => {
    if (message.probing || message.view <= replica.view) return
    replica.view = message.view
    out.head = { epoch: 0, view: message.view, log_view: replica.logView }
    const { commit, logView, view } = replica
    broadcast(replica, out, { _tag: "DoViewChange", view, logView, first: commit + 1, entries: [], commit })
  },
`,
    budget: 50
  },
  {
    name: "F8 acknowledges while it recovers",
    what: "A recovering replica acknowledges operations that it does not hold.",
    file: "src/vr/states/Recovery.ts",
    find: "  Prepare: () => {}, // F8",
    replace: `  Prepare: (replica, _state, message, from, _now, out) => {
    replica.view = Math.max(replica.view, message.view)
    out.head = { epoch: 0, view: replica.view, log_view: replica.view }
    const op = message.first + message.entries.length - 1
    out.sends.push({ to: from, message: { _tag: "PrepareOk", view: message.view, op } })
  }, // F8`,
    by: "search",
    budget: 100_000
  },
  {
    name: "F10 pending kept",
    what: "A replica that leads again still takes requests for pending that another view has dropped since.",
    file: "src/vr/Transitions.ts",
    find: "  replica.clients.forgetPending()\n",
    replace: "",
    budget: 700
  },
  {
    name: "F10 session before commit",
    what: "A primary answers a registration before the log has committed it.",
    file: "src/vr/Requests.ts",
    find: "  replica.clients.registrationPending(request.nonce, op)\n",
    replace: `  replica.clients.registrationPending(request.nonce, op)
  reply(out, request, "ok", { session: op })
`,
    budget: 50
  },
  {
    name: "F11 bodies not fetched",
    what: "A new primary starts its view without the committed operations below the chosen suffix.",
    file: "src/vr/ViewStart.ts",
    find: "  if (bridges(replica, chosen)) return start",
    replace: "  if (bridges(replica, chosen) || state.votes.size > 0) return start",
    budget: 50
  },
  {
    name: "F15 no abdication",
    what: "A primary that no quorum answers goes on sending heartbeats, and nobody replaces it.",
    file: "src/vr/states/Primary.ts",
    find: "if (!state.abdicated && now.mono - contact",
    replace: "if (state.round < 0 && now.mono - contact",
    budget: 1_200
  },
  {
    name: "F15 no probe",
    what: "A replica that misses its primary leaves the view without asking others, and takes them along.",
    file: "src/vr/Suspicion.ts",
    find: "if (agreeing >= replica.configuration.quorum) enter",
    replace: "if (agreeing >= 1) enter",
    budget: 200
  },
  {
    name: "F15 agrees always",
    what: "A replica that hears its primary well agrees to leave the view when another asks.",
    file: "src/vr/Suspicion.ts",
    find: "  if (suspects(replica, now)) probe",
    replace: "  probe",
    budget: 10_000
  },
  {
    name: "F15 back-off reset",
    what: "Entering a view takes the back-off back, so over a slow network every view is given up before it works.",
    file: "src/vr/Transitions.ts",
    find: "  replica.normalSince = now.mono\n  settlePromise",
    replace: "  replica.normalSince = now.mono\n  replica.attempts = 0\n  settlePromise",
    budget: 150
  },
  {
    name: "F15 no back-off",
    what: "Replicas are as impatient after many failed view changes as after none.",
    file: "src/vr/Transitions.ts",
    find: "  replica.attempts++\n",
    replace: "",
    budget: 150
  }
]
