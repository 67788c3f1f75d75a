/**
 * What nodes ask of each other over the cluster protocol, beside gossip: one function for each side of each method.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tenants from "../tenants/Tenants.ts"
import { importing_ms, ReplicaStatus } from "../wire/AdminProtocol.ts"
import { parserOf, parseTenants } from "../wire/Records.ts"
import { askReplica } from "./Asking.ts"
import type { Gossip, State } from "./Gossip.ts"
import { type GroupCalls, makeGroupCalls, serveGroupCall } from "./GroupCalls.ts"
import type { Image, Imports } from "./Imports.ts"
import { joinProblem, parseKnown, toKnown } from "./Join.ts"
import { CallError, type Links } from "./Links.ts"
import type { DispatcherInbox } from "./Queues.ts"
import type { LocalState, Replicas } from "./Replicas.ts"
import { describeSilent } from "./Status.ts"

const bootstrap_ms = 3_000
/** Also when the node that asks is told to stop. */
const abandon_ms = 1_000
const publish_ms = 2_000
const summary_ms = 1_000

export interface CallsOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly replicas: Replicas["Service"]
  readonly imports: Imports
  readonly dispatcher: DispatcherInbox
}

export interface Calls extends GroupCalls {
  /**
   * Prepares a replica of a new tenant on a node, this one included: empty, or with the data of an upload that this node
   * has been sent. Then the digest of what it begins with is given, else null.
   */
  readonly bootstrap: (node: string, tenant: Tenants.Tenant, upload: Upload | null) => Effect.Effect<number | null, CallError>
  /** What was prepared for a tenant is given up there, the upload included. */
  readonly abandon: (node: string, tenant: Tenants.Tenant, upload: Upload | null) => Effect.Effect<void, CallError>
  /** Adds a tenant to a node's registry; gives what that node then knows under its name, the first first. */
  readonly publish: (node: string, tenant: Tenants.Tenant) => Effect.Effect<Tenants.Tenants, CallError>
  /** Tells a node all of this, and gives all that it then knows. */
  readonly tell: (node: string, state: State) => Effect.Effect<State, CallError>
  /** The state of all replicas of a node. */
  readonly summary: (node: string) => Effect.Effect<ReadonlyArray<ReplicaStatus>, CallError>
  /** The other side: what this node does when it is asked. */
  readonly serve: (method: string, args: unknown) => Effect.Effect<unknown, CallError>
}

/** A snapshot that nodes were sent. */
export interface Upload {
  readonly id: string
  readonly bytes: number
}

const parseDigest = parserOf(Schema.Struct({ digest: Schema.NullOr(Schema.Natural) }))
const parsePrepared = parserOf(Schema.Struct({ tenant: Schema.Unknown, upload: Schema.NullOr(Schema.String) }))
const parseStatuses = parserOf(Schema.Array(ReplicaStatus))

export const makeCalls = (options: CallsOptions): Calls => {
  const { gossip, links, node: self, replicas } = options

  /** Here directly, elsewhere over the link. */
  const ask = (node: string, method: string, args: unknown, timeout_ms: number) =>
    node === self ? serve(method, args) : links.call(node, method, args, timeout_ms)

  const serve = (method: string, args: unknown): Effect.Effect<unknown, CallError> =>
    Effect.gen(function*() {
      switch (method) {
        case "bootstrap": {
          const { tenant, upload } = yield* prepared(self, args)
          return { digest: yield* prepare(options, tenant, upload) }
        }
        case "abandon": {
          const { tenant, upload } = yield* prepared(self, args)
          if (upload !== null) yield* options.imports.drop(upload)
          return yield* Effect.as(replicas.abandon(tenant), null)
        }
        case "publish": {
          const tenant = yield* oneTenant(self, args)
          const known = yield* gossip.update((tenants) =>
            Tenants.merge(tenants, new Map([[tenant.id, tenant]])))
          return sameName(known, tenant)
        }
        case "join":
          return yield* look(options, args)
        case "tell":
          return yield* hear(options, args)
        case "ping":
          return { id: gossip.self.id }
        case "summary":
          return yield* summarize(options)
        default:
          return yield* serveGroupCall(options, method, args) ??
            new CallError({ node: self, code: "usage", reason: `no method ${JSON.stringify(method)}` })
      }
    })

  return {
    ...makeGroupCalls(ask),
    bootstrap: (node, tenant, upload) => {
      const timeout_ms = bootstrap_ms + (upload === null ? 0 : importing_ms(upload.bytes))
      return Effect.flatMap(ask(node, "bootstrap", { tenant: [tenant], upload: upload?.id ?? null }, timeout_ms), (answer) => {
        const parsed = parseDigest(answer)
        return parsed.ok ? Effect.succeed(parsed.value.digest) : malformed(node, "bootstrap", parsed.reason)
      })
    },
    abandon: (node, tenant, upload) =>
      Effect.asVoid(ask(node, "abandon", { tenant: [tenant], upload: upload?.id ?? null }, abandon_ms)),
    publish: (node, tenant) =>
      Effect.flatMap(ask(node, "publish", [tenant], publish_ms), (answer) => {
        const known = parseTenants(answer)
        return known.ok ? Effect.succeed(known.value) : malformed(node, "publish", known.reason)
      }),
    tell: (node, state) =>
      Effect.flatMap(ask(node, "tell", toKnown(state), publish_ms), (answer) => {
        const known = parseKnown(answer)
        return known.ok ? Effect.succeed(known.value) : malformed(node, "tell", known.reason)
      }),
    summary: (node) =>
      Effect.flatMap(ask(node, "summary", null, summary_ms), (answer) => {
        const statuses = parseStatuses(answer)
        return statuses.ok ? Effect.succeed(statuses.value) : malformed(node, "summary", statuses.reason)
      }),
    serve
  }
}

/** Only looked at: what both know is merged once the other side has found nothing against it either. */
const look = ({ gossip, node }: CallsOptions, args: unknown): Effect.Effect<unknown, CallError> => {
  const theirs = parseKnown(args)
  if (!theirs.ok) return Effect.fail(new CallError({ node, code: "usage", reason: theirs.reason }))
  const problem = joinProblem(gossip.state(), theirs.value, gossip.self)
  return problem === null
    ? Effect.succeed(toKnown(gossip.state()))
    : Effect.fail(new CallError({ node, code: "conflict", reason: problem }))
}

const hear = ({ gossip, node }: CallsOptions, args: unknown): Effect.Effect<unknown, CallError> =>
  Effect.gen(function*() {
    const theirs = parseKnown(args)
    if (!theirs.ok) return yield* new CallError({ node, code: "usage", reason: theirs.reason })
    const refusal = yield* gossip.merge(theirs.value)
    if (refusal !== null) return yield* new CallError({ node, code: "conflict", reason: refusal })
    return toKnown(gossip.state())
  })

const malformed = (node: string, method: string, reason: string) =>
  Effect.fail(new CallError({ node, code: "internal", reason: `its answer to ${method} is malformed: ${reason}` }))

const prepared = (self: string, args: unknown) =>
  Effect.gen(function*() {
    const parsed = parsePrepared(args)
    if (!parsed.ok) return yield* new CallError({ node: self, code: "usage", reason: parsed.reason })
    return { tenant: yield* oneTenant(self, parsed.value.tenant), upload: parsed.value.upload }
  })

/** A replica of this node; gives the digest of what it begins with. */
const prepare = (
  { imports, node, replicas }: CallsOptions,
  tenant: Tenants.Tenant,
  upload: string | null
): Effect.Effect<number | null, CallError> =>
  Effect.gen(function*() {
    const begin = (image: Image | null) =>
      // At op 0 there is nothing in it.
      Effect.map(replicas.bootstrap(tenant, image === null || image.snapshot.op === 0 ? null : image.snapshot), (refusal) =>
        ({ digest: image?.digest ?? null, refusal }))
    const { digest, refusal } = yield* upload === null ? begin(null) : imports.use(upload, begin)
    return refusal === null ? digest : yield* new CallError({ node, code: "conflict", reason: refusal })
  }).pipe(Effect.mapError((error) =>
    error._tag === "CallError" ? error : new CallError({ node, code: "internal", reason: error.message })))

const oneTenant = (self: string, args: unknown): Effect.Effect<Tenants.Tenant, CallError> => {
  const parsed = parseTenants(args)
  const [tenant] = parsed.ok ? parsed.value.values() : []
  if (tenant !== undefined) return Effect.succeed(tenant)
  const reason = `malformed tenant: ${parsed.ok ? "none" : parsed.reason}`
  return Effect.fail(new CallError({ node: self, code: "usage", reason }))
}

const sameName = (known: Tenants.Tenants, tenant: Tenants.Tenant): ReadonlyArray<Tenants.Tenant> =>
  [...known.values()].filter(({ id, name }) => id === tenant.id || (name !== null && name === tenant.name))

/** Every replica of this node, those that cannot run included, and those that leave or are to join. */
const summarize = (options: CallsOptions): Effect.Effect<ReadonlyArray<ReplicaStatus>> =>
  Effect.gen(function*() {
    const statuses = yield* Effect.forEach([...options.replicas.local()], ([tenant, state]) => {
      const known = options.gossip.state().tenants.get(tenant)
      return known === undefined ? Effect.succeed(null) : inspect(options, known, state)
    }, { concurrency: "unbounded" })
    return statuses.filter((status) => status !== null)
  })

const inspect = (options: CallsOptions, tenant: Tenants.Tenant, { failure, id }: LocalState): Effect.Effect<ReplicaStatus | null> =>
  Effect.gen(function*() {
    if (failure !== null) return describeSilent(tenant, id, "failed", failure)
    const { dispatcher } = options
    const status = yield* askReplica<ReplicaStatus>(dispatcher, tenant.id, (answer) => ({ _tag: "Inspect", answer }), summary_ms / 2)
    return status ?? describeSilent(tenant, id, "busy", "it does not say how it is")
  })
