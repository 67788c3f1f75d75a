/**
 * `recover`: a tenant that has lost a quorum for good goes on from what is left. It works on files, without a node.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { tenantProblem } from "../../base/Names.ts"
import { type NotRecovered, readRemains, recover, type Remains } from "../../node/RecoverLive.ts"
import { type Plan, planRecovery } from "../../node/Recovering.ts"
import { confirmed } from "../Asking.ts"
import { define, type Ending } from "../Definition.ts"
import { Failure, usage } from "../Failure.ts"
import { Switch } from "../Options.ts"
import { Output } from "../Output.ts"
import { whileWaiting } from "../Progress.ts"
import type { View } from "../View.ts"
import { Recovered, recoveredJson, recoveredPlain, risksOf, stepsOf, survivorsText } from "./RecoverView.ts"

const failed = ({ code, exit, hint, message }: NotRecovered): Failure =>
  new Failure({ exit, code, attempt: "", message, hint, detail: {} })

export const recoverCommand = define({
  name: "recover",
  config: {
    tenant: Argument.String("tenant").pipe(Argument.withDescription("A tenant, by name or id")),
    data_dirs: Argument.String("data_dir").pipe(
      Argument.withDescription("The data_dir of a node that is left, or a copy of it; of all that are left"),
      Argument.atLeast(1)
    ),
    dry_run: Switch("dry-run").pipe(Flag.withDescription("Say what would be done, and change nothing"), Flag.withDefault(false)),
    confirm: Flag.String("confirm").pipe(
      Flag.withMetavar("<tenant>"),
      Flag.withDescription("The same name or id again, where nobody can be asked for it"),
      Flag.optional
    )
  },
  offline: true,
  summary: "Begin a tenant anew from a replica that is left, after a quorum was lost for good; needs no cluster",
  details: "The last resort: what was acknowledged may be lost, and it says what. As long as the disks of a quorum can be had, start " +
    "these nodes instead; if there is a backup that is recent enough, snapshot restore makes a new tenant of it. No node may run on " +
    "any of the folders. Of the replicas that are left, the one in the latest view with the longest log is chosen; the tenant goes on " +
    "with that one alone, in a new epoch, far above the last one that is known, and then it can grow again. One write is made, in the " +
    "folder of the chosen node: cut off at any moment, it has happened or not, and can be repeated.\nThe exit code is 0 if it is done, " +
    "1 if a file cannot be read or written or it was not confirmed, 2 if the command line makes no sense, 3 if there is no such tenant " +
    "or no node in a folder, 4 if it is not to be done: a node is at work there, nothing can be used, or it serves by itself.",
  examples: [
    { command: "recover orders /var/lib/v2r2 --dry-run", description: "What is left, and what would be lost" },
    { command: "recover orders /var/lib/v2r2 /mnt/dev2/v2r2", description: "From the better one of two; asks for the name again" },
    { command: "recover orders /var/lib/v2r2 --confirm orders", description: "Without being asked" }
  ],
  json: Recovered,
  attempt: ({ tenant }) => `recover ${tenant}`,
  run: Effect.fnUntraced(function*({ confirm, data_dirs, dry_run, tenant }, options) {
    const problem = tenantProblem(tenant)
    if (problem !== null) return yield* usage(problem)
    const fs = yield* FileSystem.FileSystem
    const { paint, say, terminal } = yield* Output
    const remains = yield* readRemains(fs, tenant, data_dirs).pipe(
      Effect.mapError(failed),
      whileWaiting("reading what is left", options)
    )
    const isRead = terminal && !options.json
    const plan = planRecovery(remains.tenant, remains.survivors)
    if ("code" in plan) {
      if (isRead) yield* say(survivorsText(remains, paint))
      return yield* new Failure({ exit: "conflict", attempt: "", detail: {}, ...plan })
    }
    const report = `${survivorsText(remains, paint)}\n${risksOf(plan).map((risk) => paint.yellow(`! ${risk}`)).join("\n")}`
    if (dry_run) return viewOf(remains, plan, false, `${report}\nnothing was changed: this was a dry run`)
    // Whoever is asked has to see it before.
    if (isRead) yield* say(report)
    const what = `Tenant ${tenant} will go on from ${plan.chosen.replica}, and what is lost by that is lost for good.`
    yield* confirmed({ text: tenant, given: Option.getOrNull(confirm), what, flag: "--confirm" }, options)
    yield* recover(fs, remains, plan).pipe(Effect.mapError(failed), whileWaiting("writing", options))
    return viewOf(remains, plan, true, stepsOf(remains, plan))
  })
})

const viewOf = (remains: Remains, plan: Plan, written: boolean, pretty: string) =>
  ({
    _tag: "Text",
    json: recoveredJson(remains, plan, written),
    plain: recoveredPlain(remains, plan, written),
    pretty: () => pretty
  }) satisfies View<typeof Recovered["Type"]> & Ending
