/**
 * A change of a group, as the commands carry it out: shown beforehand, asked for until it is done, and taken back if it is given
 * up while that is possible.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Admin } from "../../client/Admin.ts"
import type { ChangePlan, ChangeProgress, ChangeWish } from "../../wire/Changes.ts"
import type { Explainable } from "../Explain.ts"
import { Failure } from "../Failure.ts"
import { plural, printable, size } from "../Format.ts"
import type { Options } from "../Options.ts"
import { Output } from "../Output.ts"

export interface ChangeOptions extends Options {
  /** Also if the next group has no quorum that is there. */
  readonly force: boolean
  readonly dryRun: boolean
}

/** How often the node is asked how far it is. */
const look_ms = 200

/** Plans it, says what will happen, and does it, unless that was to be a dry run. */
export const carryOut = Effect.fnUntraced(function*(
  wish: ChangeWish,
  options: ChangeOptions
): Effect.fn.Return<ChangePlan, Explainable, Admin | Output> {
  const { call } = yield* Admin
  const plan = yield* call("vr.group.plan", wish)
  if (options.dryRun) return plan
  if (plan.refusal !== null && !options.force) return yield* refused(plan)
  const { progress, say } = yield* Output
  const isWatched = progress !== null && !options.json && !options.quiet
  if (isWatched) yield* say(planText(plan))
  else if (plan.refusal !== null && !options.quiet) yield* say(`at risk: ${plan.refusal}; ${risk}`)
  yield* untilDone(plan, options, isWatched ? progress : () => Effect.void)
  return plan
})

const refused = ({ name, refusal, tenant }: ChangePlan): Failure =>
  new Failure({
    exit: "conflict",
    code: "conflict",
    attempt: "",
    message: `the group of ${name ?? tenant} would not serve: ${refusal}`,
    hint: "start those first, or choose another group; --force asks for it nevertheless, and then it comes about once they are there",
    detail: {}
  })

const untilDone = (
  plan: ChangePlan,
  options: ChangeOptions,
  progress: (line: string) => Effect.Effect<void>
): Effect.Effect<void, Explainable, Admin | Output> =>
  Effect.gen(function*() {
    const { call } = yield* Admin
    const args = { tenant: plan.tenant, epoch: plan.epoch, replicas: plan.next, force: options.force }
    while (true) {
      const state = yield* call("vr.group.ask", args)
      if (state.done) return
      yield* progress(progressText(plan, state))
      yield* Effect.sleep(look_ms)
    }
  }).pipe(
    Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : takeBack(plan, options)),
    Effect.ensuring(progress(""))
  )

/** Nobody waits for it any more: it is taken back if it still can be, and what becomes of it is said. */
const takeBack = ({ epoch, name, next, tenant }: ChangePlan, { quiet }: ChangeOptions): Effect.Effect<void, never, Admin | Output> =>
  Effect.gen(function*() {
    const { call } = yield* Admin
    const answer = yield* Effect.orElseSucceed(call("vr.group.withdraw", { tenant, epoch, replicas: next }, { deadline_ms: 3_000 }), () =>
      ({ withdrawn: false, reason: "no node answers" }))
    if (quiet) return
    const label = name ?? tenant
    yield* (yield* Output).say(answer.withdrawn
      ? `the change of ${label} is taken back`
      : `the change of ${label} was not taken back: ${answer.reason}; see vr tenants for what it comes to`)
  })

const risk = "the change waits for them; if they go again once it is in the log, the tenant stands still until they are back"

/** For a person, before it happens. */
export const planText = (plan: ChangePlan): string => {
  const { bytes, down, elements, epoch, joins, leaves, name, next, present, refusal, tenant, tolerates, tolerates_next } = plan
  const bears = (failures: number): string => `tolerates ${plural(failures, "failure")}`
  return [
    `tenant ${name ?? tenant}, epoch ${epoch}`,
    `  now     ${present.join(", ")}   (${bears(tolerates)})`,
    `  next    ${next.join(", ")}   (${bears(tolerates_next)})`,
    ...(joins.length === 0 ? [] : [`  joins   ${joins.join(", ")}: each copies about ${plural(elements, "element")}, ${size(bytes)}`]),
    ...(leaves.length === 0 ? [] : [`  leaves  ${leaves.join(", ")}: its copy of the data is removed`]),
    ...(down.length === 0 ? [] : [`  down    ${down.join(", ")}`]),
    ...(tolerates_next < tolerates ? [`  note    it will tolerate ${plural(tolerates_next, "failure")} instead of ${tolerates}`] : []),
    ...(refusal === null ? [] : [`  at risk ${refusal}; ${risk}`])
  ].map(printable).join("\n")
}

const stages = {
  none: "asked for",
  "catching up": "those that join catch up",
  "in the log": "the change is in the log"
} as const

const progressText = ({ name, tenant }: ChangePlan, { commit, learners, stage, waits }: ChangeProgress): string => {
  const shares = learners.map(({ heard, id, op }) =>
    heard ? `${id} ${Math.min(100, Math.floor(100 * op / Math.max(1, commit)))} %` : `${id} not heard yet`)
  const rest = shares.length > 0 && stage === "catching up" ? shares.join(", ") : waits
  return printable(`${name ?? tenant}: ${stages[stage]}${rest === null ? "" : `: ${rest}`}`)
}
