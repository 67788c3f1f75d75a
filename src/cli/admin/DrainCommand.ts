/**
 * `cluster drain`: moves all replicas off a node, one tenant after the other, and then takes it out of the cluster.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nameProblem } from "../../base/Names.ts"
import { Admin } from "../../client/Admin.ts"
import type { Ok } from "../../wire/AdminProtocol.ts"
import { ChangePlan } from "../../wire/Changes.ts"
import { define } from "../Definition.ts"
import type { Explainable } from "../Explain.ts"
import { Failure } from "../Failure.ts"
import { plural } from "../Format.ts"
import type { Options } from "../Options.ts"
import { Output } from "../Output.ts"
import { carryOut, planText } from "./ChangeRun.ts"
import { dryRun, node, notYet, off, valid } from "./Words.ts"

/**
 * `moved`: what was done for each tenant, or would be; `left`: it is out of the cluster; `unheard`: nodes that do not know the
 * last of that yet.
 */
const Drained = Schema.Struct({
  node: Schema.String,
  draining: Schema.Boolean,
  moved: Schema.Array(ChangePlan),
  left: Schema.Boolean,
  unheard: Schema.Array(Schema.String)
})

/** Replicas that have left go by themselves, a moment later. */
const leave_tries = 50
const leave_pause_ms = 200

export const clusterDrain = define({
  name: "drain",
  config: {
    node,
    dryRun,
    force: off("force", "Also where a tenant finds no other node, and is left with fewer replicas"),
    stay: off("stay", "Move all off, and keep the node in the cluster, marked: it gets no new replicas"),
    cancel: off("cancel", "Take the mark away: the node may be given replicas again")
  },
  summary: "Move all replicas off a node, one tenant after the other, and take it out of the cluster",
  details: "First it is marked, so that it gets no new replicas. Each tenant moves to the node with the fewest replicas that has none " +
    "of it. Interrupted, the node stays marked, and the command may be repeated.",
  examples: [
    { command: "cluster drain dev2", description: "Before its machine is taken away" },
    { command: "cluster drain dev2 --stay", description: "Before its machine is mended" },
    { command: "cluster drain dev2 --cancel", description: "It is back" }
  ],
  json: Drained,
  attempt: ({ node }) => `cluster drain ${node}`,
  run: Effect.fnUntraced(function*({ node, ...flags }, options) {
    yield* valid(nameProblem(node))
    const { call } = yield* Admin
    if (flags.cancel) {
      const { unheard } = yield* call("cluster.drain", { node, draining: false })
      const json = { node, draining: false, moved: [], left: false, unheard }
      return { _tag: "Done", json, plain: node, pretty: `node ${node} takes replicas again${notYet(unheard)}` }
    }
    const { plans, stuck } = yield* plansFor(node, flags.force)
    if (flags.dryRun) {
      const lines = [...plans.map(planText), ...stuck.map((reason) => `cannot be moved now: ${reason}`)]
      const text = lines.length === 0 ? `node ${node} has no replicas` : lines.join("\n")
      const json = { node, draining: false, moved: plans, left: false, unheard: [] }
      return { _tag: "Text", json, plain: plans.map(({ tenant }) => tenant).join("\n"), pretty: () => text }
    }
    const marked = yield* call("cluster.drain", { node, draining: true })
    const moved = yield* moveAll(node, flags, options)
    const { unheard } = flags.stay ? marked : yield* leave(node)
    const what = `${plural(moved.length, "tenant")} moved${notYet(unheard)}`
    return {
      _tag: "Done",
      json: { node, draining: true, moved, left: !flags.stay, unheard },
      plain: node,
      pretty: flags.stay ? `node ${node} has no replicas: ${what}` : `node ${node} has left the cluster: ${what}. Stop it`
    }
  })
})

interface Plans {
  readonly plans: ReadonlyArray<ChangePlan>
  /** Tenants that cannot be moved now, and why. */
  readonly stuck: ReadonlyArray<string>
}

/** Of all tenants that have a replica there, as of now. Fails if one would be left with fewer, unless that is wanted. */
const plansFor = Effect.fnUntraced(function*(
  node: string,
  force: boolean
): Effect.fn.Return<Plans, Explainable, Admin> {
  const { call } = yield* Admin
  const members = yield* call("cluster.members", {})
  if (!members.some(({ name }) => name === node)) {
    return yield* failure("not_found", `node ${node} is not a member of the cluster`, "see: cluster members")
  }
  const tenants = (yield* call("vr.tenants", {})).filter(({ replicas }) => replicas.some((replica) => replica.node === node))
  const planned = yield* Effect.forEach(tenants, ({ id }) =>
    call("vr.group.plan", { tenant: id, off: node }).pipe(
      // Not found: moved a moment ago, and the registry of the node that answers follows. Others are told at the end.
      Effect.catchIf((error) => error._tag === "AdminError", ({ code, message }) => Effect.succeed(code === "not_found" ? null : message))
    ))
  const plans = planned.filter((plan) => typeof plan === "object" && plan !== null)
  const stuck = planned.filter((plan) => typeof plan === "string")
  const short = plans.filter(({ next, present }) => next.length < present.length).map(({ name, tenant }) => name ?? tenant)
  if (short.length === 0 || force) return { plans, stuck }
  return yield* failure(
    "conflict",
    `there is no other node for the replicas of ${short.join(", ")}: each node has one already, or cannot be reached`,
    "add a node first (cluster join), or use --force: they are left with fewer replicas then"
  )
})

const moveAll = Effect.fnUntraced(function*(
  node: string,
  { force }: { readonly force: boolean },
  options: Options
): Effect.fn.Return<ReadonlyArray<ChangePlan>, Explainable, Admin | Output> {
  const { progress, say } = yield* Output
  const moved: Array<ChangePlan> = []
  /** By tenant: why its change failed. */
  const failed = new Map<string, string>()
  // Once more, until there is none: a tenant may have come meanwhile.
  while (true) {
    const { plans: all, stuck: unplanned } = yield* plansFor(node, force)
    const plans = all.filter(({ tenant }) => !failed.has(tenant))
    for (const [index, { name, tenant }] of plans.entries()) {
      if (progress !== null && !options.quiet && !options.json) yield* say(`${index + 1} of ${plans.length}`)
      yield* carryOut({ tenant, off: node }, { ...options, force: false, dryRun: false }).pipe(
        Effect.map((plan) => void moved.push(plan)),
        Effect.catchIf((error) => (error._tag === "AdminError" || error._tag === "Failure") && error.code === "conflict", ({ message }) =>
          Effect.sync(() => void failed.set(tenant, `${name ?? tenant}: ${message}`)))
      )
    }
    if (plans.length > 0) continue
    // Another change may have moved one that failed here.
    const stuck = [...unplanned, ...all.flatMap(({ tenant }) => failed.get(tenant) ?? [])]
    if (stuck.length === 0) return moved
    const what = `${plural(moved.length, "tenant")} moved off node ${node}, which is marked; not all could be`
    const message = [`${what}:`, ...stuck.map((reason) => `  ${reason}`)].join("\n")
    return yield* failure("conflict", message, "mend those, and repeat the command")
  }
})

const leave = (node: string): Effect.Effect<Ok<"cluster.leave">, Explainable, Admin> =>
  Effect.gen(function*() {
    const { call } = yield* Admin
    for (let tries = leave_tries; tries > 1; tries--) {
      const left = yield* call("cluster.leave", { node }).pipe(
        Effect.catchIf((error) => error._tag === "AdminError" && error.code === "conflict", () => Effect.succeed(null))
      )
      if (left !== null) return left
      yield* Effect.sleep(leave_pause_ms)
    }
    return yield* call("cluster.leave", { node })
  })

const failure = (code: "conflict" | "not_found", message: string, hint: string): Failure =>
  new Failure({ exit: code, code, attempt: "", message, hint, detail: {} })
