/**
 * The nodes of the cluster, each asked itself: over the connection at hand if it is at its end, else over one of its own.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { parseReplicaId } from "../../base/Names.ts"
import { Admin, type Call } from "../../client/Admin.ts"
import type { Ok } from "../../wire/AdminProtocol.ts"
import type { Explainable } from "../Explain.ts"
import { Failure } from "../Failure.ts"
import { Output } from "../Output.ts"
import type { Options } from "../Options.ts"

/** How to ask the nodes of these names. */
export const callsTo = Effect.fnUntraced(function*(
  nodes: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<Call>, Explainable, Admin | Scope.Scope> {
  const { at, call } = yield* Admin
  const members = yield* call("cluster.members", {})
  return yield* Effect.forEach(nodes, (node) => {
    const member = members.find(({ life, name }) => name === node && life !== "left" && life !== "dead")
    if (member === undefined) return Effect.fail(unknown(node))
    return member.self ? Effect.succeed(call) : at([member.admin])
  })
})

const unknown = (node: string): Failure =>
  new Failure({
    exit: "not_found",
    code: "not_found",
    attempt: "",
    message: `node ${node} is not a member of the cluster`,
    hint: "see: cluster members",
    detail: { node }
  })

/** A snapshot that was opened, and whom to ask for its parts. */
export interface Opened {
  readonly snapshot: Ok<"snapshot.open">
  readonly ask: Call
}

/** The primary may be moving, or not be known yet: it is looked for so many times, with a pause in between. */
const tries = 10
const pause_ms = 300

/** Takes a snapshot of the tenant's primary; of another replica only if there is none, and that is said. */
export const openSnapshot = Effect.fnUntraced(function*(
  tenant: string,
  { quiet }: Options
): Effect.fn.Return<Opened, Explainable, Admin | Output | Scope.Scope> {
  const { call } = yield* Admin
  for (let left = tries; left > 0; left--) {
    const { primary } = yield* call("vr.primary", { tenant })
    const node = primary === null ? null : nodeOf(primary)
    const opened = node === null ? null : yield* tryOpen(tenant, node, "primary")
    if (opened !== null) return opened
    if (left > 1) yield* Effect.sleep(pause_ms)
  }
  const known = (yield* call("vr.tenants", {})).find(({ id, name }) => id === tenant || name === tenant)
  for (const { node } of known?.replicas ?? []) {
    const opened = yield* tryOpen(tenant, node, "any")
    if (opened === null) continue
    if (!quiet) {
      yield* (yield* Output).say(`there is no primary at this moment: this is what replica ${opened.snapshot.replica} has, ` +
        "and others may have more")
    }
    return opened
  }
  return yield* new Failure({
    exit: "unavailable",
    code: "unavailable",
    attempt: "",
    message: `no replica of tenant ${tenant} can give a snapshot at this moment`,
    hint: "see: status",
    detail: {}
  })
})

/** How often a new tenant is asked for, in the time that it may take. */
const look_ms = 200

/** Until the tenant has a primary; false if that takes longer than this. */
export const untilServed = Effect.fnUntraced(function*(tenant: string, within_ms: number) {
  const { call } = yield* Admin
  for (let left = Math.ceil(within_ms / look_ms); left > 0; left--) {
    if ((yield* call("vr.primary", { tenant })).primary !== null) return true
    yield* Effect.sleep(look_ms)
  }
  return false
})

const nodeOf = (replica: string): string | null => {
  const parsed = parseReplicaId(replica)
  return parsed.ok ? parsed.value.node : null
}

/** Null: not there, or not at this moment. */
const tryOpen = (tenant: string, node: string, from: "primary" | "any") =>
  Effect.gen(function*() {
    const [ask] = yield* callsTo([node])
    return { ask: ask!, snapshot: yield* ask!("snapshot.open", { tenant, from }) } satisfies Opened
  }).pipe(
    Effect.catchIf((error) =>
      error._tag === "Unavailable" || (error._tag === "AdminError" && error.code === "unavailable"), () => Effect.succeed(null))
  )
