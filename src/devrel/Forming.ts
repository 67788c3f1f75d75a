/**
 * From single nodes to a cluster with a tenant, over the admin protocol, as an operator would do it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Args, CommandName, Durability, Ok, ReplicaPlace } from "../wire/AdminProtocol.ts"
import type { Layout } from "./Layout.ts"
import { Trouble } from "./Trouble.ts"

/** One admin command to the node at an admin address. Fails with words for the user. */
export type Ask = <C extends CommandName>(address: string, command: C, args: Args<C>) => Effect.Effect<Ok<C>, Refusal>

export interface Refusal {
  /** Of the admin protocol: "conflict", "unavailable", … */
  readonly code: string
  readonly message: string
}

export const tenant_name = "dev"
const replicas_max = 3
const formed_within_ms = 20_000
const poll_ms = 50
const hopeless = new Set(["usage", "conflict", "denied"])

/** The tenant's replicas: one on each of the first three nodes. */
export const replicasOf = (layouts: ReadonlyArray<Layout>): ReadonlyArray<ReplicaPlace> =>
  layouts.slice(0, replicas_max).map(({ name }, index) => ({ name: `r${index + 1}`, node: name }))

/** Joined, every node knows every other, and the tenant has a primary. */
export const form = (
  layouts: ReadonlyArray<Layout>,
  ask: Ask,
  durability: Durability = "disk"
): Effect.Effect<void, Trouble> => {
  const [first, ...others] = layouts
  if (first === undefined) return Effect.void
  const replicas = replicasOf(layouts)
  let last = ""
  /** Until it works: a node that has just started may refuse. A refusal that time does not heal ends it. */
  const patiently = <A>(attempt: Effect.Effect<A, Refusal>): Effect.Effect<A, Trouble> =>
    attempt.pipe(
      Effect.tapError(({ message }) => Effect.sync(() => last = message)),
      Effect.retry({ schedule: Schedule.spaced(poll_ms), while: ({ code }) => !hopeless.has(code) }),
      Effect.mapError(({ message }) =>
        new Trouble({ exit: "failed", message: `the nodes do not form a cluster: ${message}` }))
    )
  return Effect.gen(function*() {
    for (const other of others) yield* patiently(ask(first.admin, "cluster.join", { address: other.cluster }))
    for (const layout of layouts) yield* patiently(knowsAll(layout, layouts, ask))
    yield* patiently(createTenant(first, { name: tenant_name, replicas, durability }, ask))
    for (const layout of layouts.slice(0, replicas_max)) yield* patiently(knowsPrimary(layout, ask))
  }).pipe(Effect.timeoutOrElse({
    duration: formed_within_ms,
    orElse: () => new Trouble({
      exit: "failed",
      message: `the nodes run, but are no cluster with a tenant after ${formed_within_ms / 1000} s: ${last}`
    })
  }))
}

const notYet = (message: string): Effect.Effect<never, Refusal> => Effect.fail({ code: "unavailable", message })

const knowsAll = Effect.fnUntraced(function*(layout: Layout, layouts: ReadonlyArray<Layout>, ask: Ask) {
  const members = yield* ask(layout.admin, "cluster.members", {})
  const missing = layouts.filter(({ name }) => !members.some((member) => member.name === name))
  if (missing.length > 0) yield* notYet(`${layout.name} does not know ${missing.map(({ name }) => name).join(", ")}`)
})

const createTenant = (first: Layout, tenant: Args<"vr.create">, ask: Ask): Effect.Effect<unknown, Refusal> =>
  ask(first.admin, "vr.create", tenant).pipe(
    // It is there: an earlier attempt was heard, and its answer lost.
    Effect.catch((refusal) => refusal.code === "conflict" ? Effect.void : Effect.fail(refusal))
  )

const knowsPrimary = Effect.fnUntraced(function*(layout: Layout, ask: Ask) {
  const { primary } = yield* ask(layout.admin, "vr.primary", { tenant: tenant_name })
  if (primary === null) yield* notYet(`${layout.name} knows no primary of ${tenant_name}`)
})
