/**
 * What `recover` has to say: what is left of a tenant, what going on from it may cost, and what comes next.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { Remains } from "../../node/RecoverLive.ts"
import type { Plan, Survivor } from "../../node/Recovering.ts"
import { aligned, columnWidths, plural, printable, size, tabbed } from "../Format.ts"
import type { Paint } from "../Output.ts"
import { Head, headText } from "./LogLines.ts"

const { Array: List, Boolean: Truth, Natural, NullOr, String: Text, Struct } = Schema

/** `given_up`: of logs that were not chosen. `epoch`: the one in which it goes on. `written`: false in a dry run. */
export const Recovered = Struct({
  tenant: Text,
  name: NullOr(Text),
  survivors: List(Struct({
    folder: Text,
    node: Text,
    replica: Text,
    head: NullOr(Head),
    log: NullOr(Struct({ base: Natural, op: Natural, commit: Natural, snapshot: NullOr(Natural) })),
    bytes: Natural,
    problem: NullOr(Text)
  })),
  chosen: Text,
  group: List(Text),
  absent: List(Text),
  given_up: List(Struct({ replica: Text, from: Natural, count: Natural, committed: Natural })),
  epoch: Natural,
  op: Natural,
  written: Truth
})

export const recoveredJson = ({ survivors, tenant }: Remains, plan: Plan, written: boolean): typeof Recovered["Type"] => ({
  tenant: tenant.id,
  name: tenant.name,
  survivors: survivors.map(({ log, ...one }) => ({
    ...one,
    log: log === null ? null : { base: log.base, op: log.op, commit: log.commit, snapshot: log.snapshot }
  })),
  chosen: plan.chosen.replica,
  group: plan.group,
  absent: plan.absent,
  given_up: plan.given_up,
  epoch: plan.epoch,
  op: plan.chosen.log.op,
  written
})

const columns = ["NODE", "REPLICA", "VIEW", "OPS", "COMMIT", "SIZE", "GROUP", "PROBLEM"]

const cellsOf = ({ bytes, head, log, node, problem, replica }: Survivor): ReadonlyArray<string> => [
  node,
  replica,
  head === null ? "-" : headText(head),
  log === null ? "-" : log.op === log.base ? `none behind ${log.base}` : `${log.base + 1}-${log.op}`,
  log === null ? "-" : String(log.commit),
  size(bytes),
  head?.replicas.join(",") ?? "-",
  problem ?? ""
]

export const survivorsText = ({ survivors }: Remains, paint: Paint): string => {
  const rows = survivors.map((one) => cellsOf(one).map(printable))
  const widths = columnWidths([columns, ...rows])
  return [paint.bold(aligned(columns, widths)), ...rows.map((row) => aligned(row, widths))].join("\n")
}

/** For another program: one line each, its kind first. */
export const recoveredPlain = ({ survivors }: Remains, plan: Plan, written: boolean): string =>
  [
    ...survivors.map(({ bytes, folder, head, log, node, problem, replica }) => [
      "survivor", folder, node, replica, headText(head), log === null ? "" : String(log.op), log === null ? "" : String(log.commit),
      String(bytes), head?.replicas.join(",") ?? "", problem ?? ""
    ]),
    ...risksOf(plan).map((risk) => ["risk", risk]),
    [written ? "recovered" : "dry run", plan.chosen.replica, String(plan.epoch), String(plan.chosen.log.op)]
  ].map(tabbed).join("\n")

/** What may be lost, in plain words. */
export const risksOf = (plan: Plan): ReadonlyArray<string> => {
  const { absent, chosen, epoch, given_up, group, isOutside, known } = plan
  const { head, log, replica } = chosen
  const choice = isOutside
    ? `${replica} is chosen, of an earlier group: nobody is left of ${group.join(", ")}, the newest one that is known, and whatever ` +
      "that has acknowledged is lost."
    : `${replica} is chosen: of those left of ${group.join(", ")} it was in the latest view, with the longest log.`
  return [
    `${choice} All of its log, up to op ${log.op}, counts as committed from then on; up to op ${log.commit} that is known.`,
    ...(head.epoch === known ? [] : [`It has not come to epoch ${known}, which is known here: what that has written is lost.`]),
    absent.length === 0
      ? "All of that group are here."
      : `Lost is whatever was acknowledged by a quorum without the survivors: what ${absent.join(", ")} held nobody here can know. ` +
        "A client may have been told that something was written, and will not find it, or find it as it was before.",
    ...given_up.map(({ committed, count, from, replica: other }) =>
      `Given up ${count === 1 ? "is" : "are"} ${plural(count, "operation")} in the log of ${other}, from op ${from} on, which ` +
      `${replica} lacks or has otherwise; ${committed === 0 ? "none of them is known to be" : `${committed} of them were`} committed.`),
    `Sessions, versions and all else go on from there, in epoch ${epoch}, with ${replica} alone.`,
    ...turnedAway(plan)
  ]
}

const turnedAway = ({ absent, chosen, tenant }: Plan): ReadonlyArray<string> =>
  absent.length === 0 ? [] : [
    `${absent.join(", ")} must never come back with what they held. ${chosen.replica} turns them away, as of an older epoch; but a ` +
    `quorum of them that starts where ${chosen.replica} is not heard would serve what it has. For a node that is gone for good: ` +
    `cluster remove <node> --dead; for one whose disk turns up: remove tenants/${tenant.id} in its data_dir before it starts.`
  ]

/** For a person, once it is done. */
export const stepsOf = ({ survivors }: Remains, { absent, chosen, epoch, given_up, tenant }: Plan): string => {
  const name = tenant.name ?? tenant.id
  const others = survivors.filter((one) => one !== chosen).map(({ node }) => node)
  return [
    `tenant ${name} goes on from ${chosen.replica} in epoch ${epoch}. Next:`,
    `  1. start node ${chosen.node} with ${chosen.folder} as its data_dir: v2r2 start --config <config.json>`,
    ...(others.length === 0 ? [] : [
      `  2. start ${others.join(", ")} only then: their replicas learn that they are not in the group any more, and go` +
      (given_up.length === 0 ? "" : `; one that holds more stops, and keeps it, until you remove tenants/${tenant.id} in its data_dir`)
    ]),
    `  ${others.length === 0 ? 2 : 3}. let the group grow again, under new ids: vr add ${name} <node>` +
    (absent.length === 0 ? "" : "; take nodes out that are gone for good: cluster remove <node> --dead")
  ].join("\n")
}
