/**
 * The admin server: one command after the other from each connection, answered for the whole cluster.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Limits } from "../../base/Limits.ts"
import { replicaId } from "../../base/Names.ts"
import type { Framed } from "../../network/Framed.ts"
import type { Closed, Network } from "../../network/Network.ts"
import * as Tenants from "../../tenants/Tenants.ts"
import {
  AdminError,
  type AdminRequest,
  type Args,
  type CommandName,
  type ClusterStatus,
  decodeRequest,
  encodeError,
  encodeOk,
  type Ok,
  type ReplicaStatus
} from "../../wire/AdminProtocol.ts"
import type { Hello } from "../../wire/Hello.ts"
import type { Calls } from "../Calls.ts"
import { findTenant } from "../Claims.ts"
import { type Config, config_keys, setRuntime, unknownKeyReason } from "../Config.ts"
import { askChange, forget, handOff, planChange, withdrawChange } from "../Changing.ts"
import type { Exports } from "../Exports.ts"
import { conflictsOf, type Gossip, isOutcast } from "../Gossip.ts"
import type { Imports } from "../Imports.ts"
import { joinCluster } from "../Join.ts"
import { drainNode, leaveCluster, removeDead } from "../Lifecycle.ts"
import type { Links } from "../Links.ts"
import type { Counters } from "../Metrics.ts"
import { deleteTenant, renameTenant } from "../Renaming.ts"
import { describeMembers, describeNodes } from "../Roster.ts"
import type { Settings } from "../Settings.ts"
import { describeCluster, primaryAmong } from "../Status.ts"
import { allReplicas } from "../Survey.ts"
import { createTenant, planTenant, type TenantWish } from "../Tenancy.ts"
import { malformed } from "./Connection.ts"

export interface AdminServerOptions {
  readonly config: Config
  readonly clusterHello: Hello
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly calls: Calls
  readonly exports: Exports
  readonly imports: Imports
  readonly settings: Settings["Service"]
  readonly metrics: Counters
  /** When this node started, in ms since 1970. */
  readonly started_ms: number
}

export const frame_bytes_max = Limits.admin_frame_bytes_max

export const serveAdmin = (options: AdminServerOptions) => {
  const handlers = makeHandlers(options)
  return (framed: Framed): Effect.Effect<void, Closed, Network> =>
    Effect.forever(Effect.flatMap(framed.receive, (payloads) =>
      Effect.forEach(payloads, (payload) => answer(options, handlers, framed, payload), { discard: true })))
}

const answer = (
  { metrics }: AdminServerOptions,
  handlers: Handlers,
  framed: Framed,
  payload: Uint8Array
): Effect.Effect<void, Closed, Network> => {
  const request = decodeRequest(payload)
  if (request._tag === "Request") {
    return Effect.flatMap(run(handlers, request), (frame) => framed.send([frame]))
  }
  metrics.malformed_frames++
  if (request.id === null) return Effect.fail(malformed(request.error.message))
  return framed.send([encodeError(request.id, request.error)])
}

const run = <C extends CommandName>(
  handlers: Handlers,
  { args, command, id }: AdminRequest & { readonly command: C; readonly args: Args<C> }
): Effect.Effect<Uint8Array, never, Network> => {
  const handler: Handlers[C] = handlers[command]
  return handler(args).pipe(
    Effect.map((value) => encodeOk(id, command, value)),
    Effect.catch((error) => Effect.succeed(encodeError(id, error))),
    Effect.catchCause((cause) =>
      Effect.as(
        Effect.logError(`admin command ${command} failed`, cause),
        encodeError(id, new AdminError({ code: "internal", message: `${command}: ${String(Cause.squash(cause))}` }))
      )
    )
  )
}

type Handlers = {
  readonly [C in CommandName]: (args: Args<C>) => Effect.Effect<Ok<C>, AdminError, Network>
}

const makeHandlers = (options: AdminServerOptions): Handlers => {
  const { clusterHello, config, gossip, metrics, settings } = options
  const own = { ...options, node: gossip.self.name }
  const changing = { ...own, replicas: allReplicas(own) }
  return {
    "config.get": ({ key }) => {
      const values: Ok<"config.get"> = { ...config, ...settings.current }
      if (key === undefined || key === null) return Effect.succeed(values)
      if (!config_keys.includes(key)) return fail("not_found", `${key}: ${unknownKeyReason(key)}`)
      return Effect.succeed({ [key]: values[key] ?? null })
    },
    "config.set": ({ key, value }) => {
      const changed = setRuntime(settings.current, config.lease_ms, key, value)
      if (!changed.ok) return fail(changed.code, changed.reason)
      settings.current = changed.settings
      const values: Ok<"config.get"> = { ...settings.current }
      const now = values[key] ?? null
      return Effect.as(Effect.logInfo(`config: ${key} is now ${now}`), { key, value: now })
    },
    "cluster.join": ({ address }) =>
      Effect.map(joinCluster({ gossip, hello: clusterHello }, address), (members) => ({ members })),
    "cluster.members": () => Effect.sync(() => describeMembers(gossip)),
    "cluster.status": () => Effect.sync(() => describeNodes(options)),
    "cluster.leave": ({ node }) => leaveCluster(own, node),
    "cluster.remove": ({ node }) => removeDead(own, node),
    "cluster.drain": (args) => drainNode(own, args),
    "vr.create": ({ upload, ...wish }) => createTenant(own, wishOf(wish), upload ?? null),
    "vr.plan": (wish) => Effect.map(planTenant(own, wishOf(wish)), ({ replicas }) => ({ replicas })),
    "vr.delete": (args) => deleteTenant(own, args),
    "vr.rename": (args) => renameTenant(own, args),
    "vr.tenants": () =>
      Effect.map(allReplicas({ ...options, node: gossip.self.name }), (replicas) =>
        Tenants.list(gossip.state().tenants).map(({ durability, epoch, id, name, replicas: group }) => ({
          id, name, epoch, replicas: group, durability, primary: primaryId(replicas, id)
        }))),
    "vr.replica": (args) => findReplica(options, args),
    "vr.primary": ({ tenant }) =>
      Effect.gen(function*() {
        const { id } = yield* findTenant(options, tenant)
        return { tenant: id, primary: primaryId(yield* allReplicas({ ...options, node: gossip.self.name }), id) }
      }),
    "vr.group.plan": (wish) => Effect.flatMap(findTenant(options, wish.tenant), (tenant) => planChange(changing, tenant, wish)),
    "vr.group.ask": (args) => Effect.flatMap(findTenant(options, args.tenant), (tenant) => askChange(changing, tenant, args)),
    "vr.group.withdraw": (args) =>
      Effect.flatMap(findTenant(options, args.tenant), (tenant) => withdrawChange(changing, tenant, args)),
    "vr.forget": ({ tenant, ...place }) =>
      Effect.flatMap(findTenant(options, tenant), (found) => forget(changing, found, place)),
    "vr.handoff": ({ tenant, to }) => Effect.flatMap(findTenant(options, tenant), (found) => handOff(changing, found, to ?? null)),
    "vr.stats": () => Effect.sync(() => ({ counters: { ...metrics } })),
    "status": () => describeAll(options),
    "snapshot.open": ({ from, tenant }) =>
      Effect.flatMap(findTenant(options, tenant), (found) => options.exports.open(found, from)),
    "snapshot.part": options.exports.part,
    "snapshot.close": ({ snapshot }) => Effect.as(options.exports.close(snapshot), {}),
    "upload.begin": options.imports.begin,
    "upload.part": options.imports.part,
    "upload.end": options.imports.end,
    "upload.drop": ({ upload }) => Effect.as(options.imports.drop(upload), {})
  }
}

const wishOf = ({ durability, name, replicas }: Args<"vr.plan">): TenantWish =>
  ({ name: name ?? null, replicas: replicas ?? null, durability: durability ?? "disk" })

const fail = (code: AdminError["code"], message: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code, message }))

/** A node that is out tells of nothing but that: what it knows of the others may be long over. */
const describeAll = (options: AdminServerOptions): Effect.Effect<ClusterStatus> =>
  Effect.map(allReplicas({ ...options, node: options.gossip.self.name }), (replicas) => {
    const { config, gossip, settings } = options
    const isOut = isOutcast(gossip.state(), gossip.self)
    const nodes = describeNodes(options)
    return describeCluster({
      cluster: config.cluster_name,
      nodes: isOut ? nodes.filter(({ state }) => state === "self") : nodes,
      tenants: isOut ? [] : Tenants.list(gossip.state().tenants),
      replicas,
      conflicts: conflictsOf(gossip.state(), gossip.self, gossip.unsaved()),
      view_change_ms: settings.current.view_change_ms
    })
  })

const primaryId = (replicas: ReadonlyArray<ReplicaStatus>, tenant: string): string | null => {
  const primary = primaryAmong(replicas.filter((replica) => replica.tenant === tenant))
  return primary === null ? null : `${primary.name}::${primary.node}`
}

const findReplica = (options: AdminServerOptions, { node, replica, tenant }: Args<"vr.replica">) =>
  Effect.gen(function*() {
    const { id, replicas } = yield* findTenant(options, tenant)
    const isNamed = replicas.some((member) => member.name === replica && member.node === node)
    const statuses = yield* Effect.result(options.calls.summary(node))
    const found = Result.isSuccess(statuses) ? statuses.success.find((one) => one.tenant === id && one.name === replica) : undefined
    // One that is to join, or leaves, is known to its node only.
    if (found !== undefined) return found
    if (!isNamed) {
      const known = replicas.map(replicaId).join(", ")
      return yield* fail("not_found", `tenant ${tenant} has no replica ${replica}::${node}: it has ${known}`)
    }
    return yield* fail("unavailable", Result.isFailure(statuses)
      ? statuses.failure.message
      : `replica ${replica}::${node} does not run on its node at this moment`)
  })
