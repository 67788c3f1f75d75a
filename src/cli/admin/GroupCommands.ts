/**
 * The commands that change the group of a tenant, and its primary.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import { nameProblem, type Parsed, parseReplicaId, parseReplicas, tenantProblem } from "../../base/Names.ts"
import { Admin } from "../../client/Admin.ts"
import { commands } from "../../wire/AdminProtocol.ts"
import { ChangePlan, type ChangeWish } from "../../wire/Changes.ts"
import { define } from "../Definition.ts"
import { Failure } from "../Failure.ts"
import type { Options } from "../Options.ts"
import { carryOut, planText } from "./ChangeRun.ts"
import { dryRun, off, parsed, tenant, valid } from "./Words.ts"

const replicaArgument = (name: string, description: string) => Argument.String(name).pipe(Argument.withDescription(description))

const flags = {
  dryRun,
  force: off("force", "Ask for it also if the next group has no quorum that is there: it waits until there is one")
}

/** `changed`: false after a dry run. `epoch`: of the group before the change. */
const Changed = Schema.Struct({ ...ChangePlan.fields, changed: Schema.Boolean })

const change = Effect.fnUntraced(function*(
  wish: ChangeWish,
  { dryRun, force }: { readonly dryRun: boolean; readonly force: boolean },
  options: Options
) {
  yield* valid(tenantProblem(wish.tenant))
  const plan = yield* carryOut(wish, { ...options, dryRun, force })
  const json = { ...plan, changed: !dryRun }
  const group = plan.next.join(",")
  if (dryRun) return { _tag: "Text" as const, json, plain: group, pretty: () => planText(plan) }
  return { _tag: "Done" as const, json, plain: group, pretty: `the group of ${plan.name ?? plan.tenant} is ${plan.next.join(", ")}` }
})

const details = "Those that join follow first, without a vote, until they have caught up; then the group changes in one step, and " +
  "clients go on. Given up before that, by Ctrl-C or --timeout, the change is taken back."

export const reconfigure = define({
  name: "reconfigure",
  config: { tenant, replicas: replicaArgument("replicas", "The whole group: <replica>::<node>, with commas between"), ...flags },
  summary: "Change the group of a tenant to these replicas, of any number from 1 to 7",
  details,
  examples: [
    { command: "vr reconfigure orders r1::dev1,r2::dev2,r3::dev3", description: "From whatever it was" },
    { command: "vr reconfigure --dry-run orders r1::dev1,r4::dev4", description: "What would happen?" }
  ],
  json: Changed,
  attempt: ({ replicas, tenant }) => `vr reconfigure ${tenant} ${replicas}`,
  run: Effect.fnUntraced(function*({ replicas, tenant, ...rest }, options) {
    return yield* change({ tenant, to: yield* parsed(parseReplicas(replicas)) }, rest, options)
  })
})

/** A node, or a replica with a name on it. */
const parseAdded = (text: string): Parsed<{ readonly name: string | null; readonly node: string }> => {
  if (text.includes("::")) return parseReplicaId(text)
  const problem = nameProblem(text)
  return problem === null ? { ok: true, value: { name: null, node: text } } : { ok: false, reason: `node: ${problem}` }
}

const parseAll = (text: string) => Effect.forEach(text.split(","), (part) => parsed(parseAdded(part.trim())))

export const add = define({
  name: "add",
  config: { tenant, nodes: replicaArgument("nodes", "Nodes, or <replica>::<node>, with commas between"), ...flags },
  summary: "Add replicas to a tenant, on these nodes",
  details,
  examples: [
    { command: "vr add orders dev4", description: "Its name is chosen, such as r4" },
    { command: "vr add orders dev4,dev5", description: "Two in one step" }
  ],
  json: Changed,
  attempt: ({ nodes, tenant }) => `vr add ${tenant} ${nodes}`,
  run: Effect.fnUntraced(function*({ nodes, tenant, ...rest }, options) {
    return yield* change({ tenant, add: yield* parseAll(nodes) }, rest, options)
  })
})

export const remove = define({
  name: "remove",
  config: { tenant, replicas: replicaArgument("replicas", "<replica>::<node>, with commas between"), ...flags },
  summary: "Remove replicas from a tenant; their copies of the data are removed, too",
  details,
  examples: [{ command: "vr remove orders r2::dev2", description: "One of them" }],
  json: Changed,
  attempt: ({ replicas, tenant }) => `vr remove ${tenant} ${replicas}`,
  run: Effect.fnUntraced(function*({ replicas, tenant, ...rest }, options) {
    return yield* change({ tenant, remove: yield* parsed(parseReplicas(replicas)) }, rest, options)
  })
})

export const replace = define({
  name: "replace",
  config: {
    tenant,
    old: replicaArgument("old", "The replica that leaves: <replica>::<node>"),
    new: replicaArgument("new", "A node, or <replica>::<node>"),
    ...flags
  },
  summary: "Replace a replica of a tenant by one on another node, in one step",
  details,
  examples: [{ command: "vr replace orders r2::dev2 dev4", description: "Off dev2, to dev4" }],
  json: Changed,
  attempt: ({ new: added, old, tenant }) => `vr replace ${tenant} ${old} ${added}`,
  run: Effect.fnUntraced(function*({ new: added, old, tenant, ...rest }, options) {
    const [leaves, joins] = [yield* parsed(parseReplicaId(old)), yield* parsed(parseAdded(added))]
    return yield* change({ tenant, remove: [leaves], add: [joins] }, rest, options)
  })
})

/** The hand-off takes a few messages; one that does not catch up is not waited for. */
const handed_ms = 5_000
const look_ms = 20

export const movePrimary = define({
  name: "move-primary",
  config: { tenant, replica: replicaArgument("replica", "<replica>::<node>; left out, the one that is furthest").pipe(Argument.optional) },
  summary: "Hand the lead of a tenant to another replica; clients follow by themselves",
  examples: [
    { command: "vr move-primary orders", description: "To any other, before its node is stopped, say" },
    { command: "vr move-primary orders r2::dev2", description: "To that one" }
  ],
  json: commands["vr.handoff"].ok,
  attempt: ({ replica, tenant }) => ["vr move-primary", tenant, ...Option.toArray(replica)].join(" "),
  run: Effect.fnUntraced(function*({ replica, tenant }) {
    yield* valid(tenantProblem(tenant))
    const to = Option.isSome(replica) ? yield* parsed(parseReplicaId(replica.value)) : null
    const { call } = yield* Admin
    const handed = yield* call("vr.handoff", { tenant, to })
    for (let left = Math.ceil(handed_ms / look_ms); left > 0; left--) {
      const { primary } = yield* call("vr.primary", { tenant })
      if (primary === handed.to) {
        return { _tag: "Done", json: handed, plain: handed.to, pretty: `the primary of ${tenant} is ${handed.to}; it was ${handed.from}` }
      }
      yield* Effect.sleep(look_ms)
    }
    return yield* new Failure({
      exit: "conflict",
      code: "conflict",
      attempt: "",
      message: `${handed.to} has not become the primary: it did not catch up in time`,
      hint: "see: status",
      detail: { ...handed }
    })
  })
})

export const withdraw = define({
  name: "withdraw",
  config: { tenant },
  summary: "Take back the change of a group that is under way, if it is not in the log yet",
  examples: [{ command: "vr withdraw orders", description: "A replica that is to join cannot be had, say" }],
  json: commands["vr.group.withdraw"].ok,
  attempt: ({ tenant }) => `vr withdraw ${tenant}`,
  run: Effect.fnUntraced(function*({ tenant }) {
    yield* valid(tenantProblem(tenant))
    const { call } = yield* Admin
    const answer = yield* call("vr.group.withdraw", { tenant })
    if (answer.withdrawn) return { _tag: "Done", json: answer, plain: tenant, pretty: `the change of ${tenant} is taken back` }
    return yield* new Failure({
      exit: "conflict", code: "conflict", attempt: "", message: answer.reason ?? "it cannot be taken back", hint: null, detail: {}
    })
  })
})

export const forget = define({
  name: "forget",
  config: { tenant, replica: replicaArgument("replica", "<replica>::<node>") },
  summary: "Remove a replica that is in no group: one that was to join, or that was left behind",
  details: "A replica that leaves a group goes by itself, once its successors have begun. This is for one of which status says " +
    "that nobody asks for it any more.",
  examples: [{ command: "vr forget orders r4::dev4", description: "With its copy of the data" }],
  json: commands["vr.forget"].ok,
  attempt: ({ replica, tenant }) => `vr forget ${tenant} ${replica}`,
  run: Effect.fnUntraced(function*({ replica, tenant }) {
    yield* valid(tenantProblem(tenant))
    const { name, node } = yield* parsed(parseReplicaId(replica))
    const { call } = yield* Admin
    const json = yield* call("vr.forget", { tenant, replica: name, node })
    return { _tag: "Done", json, plain: replica, pretty: `${replica} is gone` }
  })
})
