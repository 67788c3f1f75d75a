/**
 * The admin protocol, `v2r2-admin`: commands to one node and its replies. Each frame is one msgpack map,
 * `{id, command, args}` one way, `{id, ok}` or `{id, error: {code, message}}` the other. `commands` is the whole table.
 *
 * @module
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Limits } from "../base/Limits.ts"
import { durabilities } from "../tenants/Tenants.ts"
import { ChangePlan, ChangeProgress, ChangeWish } from "./Changes.ts"
import { encodeFrame } from "./Frame.ts"
import { pack, unpack } from "./Msgpack.ts"

const { Natural, NullOr, String: Text, Struct } = Schema
const ArrayOf = Schema.Array
const Optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(NullOr(schema))

/** Where a replica is: its own name and its node's. */
export const ReplicaPlace = Struct({ name: Text, node: Text })
export type ReplicaPlace = typeof ReplicaPlace.Type

/** `disk`: all that was acknowledged survives the loss of all nodes at once; `memory`: that of fewer than half. */
export const Durability = Schema.Literals(durabilities)
export type Durability = typeof Durability.Type

/** `draining`: no new replicas come to it; `left` and `dead`: it is out for good, and its name is free. */
export const Life = Schema.Literals(["joined", "draining", "left", "dead"])
export type Life = typeof Life.Type

/** One node with its four addresses, the last ones if it is out; `self`: the node that answers. */
export const Member = Struct({
  name: Text,
  self: Schema.Boolean,
  life: Life,
  cluster: Text,
  admin: Text,
  client: Text,
  peer: Text
})
export type Member = typeof Member.Type

/**
 * A node as another one sees it. `since_ms`: when that began, in ms since 1970. `address`: its cluster server. `gone`: it
 * is out for good, so nobody looks for it.
 */
export const NodeStatus = Struct({
  name: Text,
  life: Life,
  state: Schema.Literals(["self", "connected", "disconnected", "gone"]),
  address: Text,
  since_ms: Natural,
  /** Why it is not connected, or null. */
  reason: NullOr(Text)
})
export type NodeStatus = typeof NodeStatus.Type

/** A tenant as it was created. `id` is a UUID. */
export const CreatedTenant = Struct({
  id: Text,
  name: NullOr(Text),
  epoch: Natural,
  replicas: ArrayOf(ReplicaPlace),
  durability: Durability
})
export type CreatedTenant = typeof CreatedTenant.Type

/** `primary`: a replica's id, such as "r1::dev1", or null if the node that answers knows none. */
export const TenantInfo = Struct({ ...CreatedTenant.fields, primary: NullOr(Text) })
export type TenantInfo = typeof TenantInfo.Type

/** One replica, asked of the node that it lives on. */
export const ReplicaStatus = Struct({
  tenant: Text,
  name: Text,
  node: Text,
  state: Schema.Literals(["primary", "backup", "view change", "state transfer", "recovery", "learner", "leaving", "failed", "busy"]),
  durability: Durability,
  epoch: Natural,
  /** The group of that epoch, by replica ids. `learner`: it is not in it yet; `leaving`: not any more. */
  replicas: ArrayOf(Text),
  view: Natural,
  /** The last view in which it was normal. */
  log_view: Natural,
  op: Natural,
  commit: Natural,
  primary: NullOr(Text),
  sessions: Natural,
  elements: Natural,
  /** Of the log that it holds in memory: that of the ops above `log_base`. */
  log_bytes: Natural,
  log_base: Natural,
  /** The last one that it has written. `digest`: equal at equal ops, at all replicas of a tenant. */
  snapshot: NullOr(Struct({ op: Natural, digest: Natural })),
  /** What it waits for, or why it failed. */
  detail: NullOr(Text),
  /** Of a primary: for so long it may read without asking its backups; null: it holds no lease. */
  lease_ms: NullOr(Natural),
  /** Of a primary: the group that it is asked to become, and whether that is in its log, and so will come about; or null. */
  change: NullOr(Struct({ next: ArrayOf(Text), in_log: Schema.Boolean })),
  /** By replica id: the highest op that it has acknowledged to this primary, be it of the group or to join it. */
  acked: Schema.Record(Text, Natural)
})
export type ReplicaStatus = typeof ReplicaStatus.Type

/** A tenant in the status. `lag`: ops behind the primary, by replica id. `tolerates`: how many more may fail. */
export const TenantStatus = Struct({
  id: Text,
  name: NullOr(Text),
  durability: Durability,
  primary: NullOr(Text),
  epoch: Natural,
  view: Natural,
  commit: Natural,
  lag: Schema.Record(Text, Natural),
  replicas_up: Natural,
  replicas_total: Natural,
  tolerates: Natural
})
export type TenantStatus = typeof TenantStatus.Type

/** What an operator sees first. */
export const ClusterStatus = Struct({
  cluster: Text,
  verdict: Schema.Literals(["OK", "DEGRADED", "DOWN"]),
  nodes: ArrayOf(NodeStatus),
  /** `remedy`: a command that helps, or null. */
  problems: ArrayOf(Struct({ message: Text, remedy: NullOr(Text) })),
  tenants: ArrayOf(TenantStatus),
  /** The longest that a tenant is without a primary after one died, and the one that is to follow it too. */
  failover_ms_worst: Natural
})
export type ClusterStatus = typeof ClusterStatus.Type

/** A snapshot that a node has taken, to be read part by part. */
export const OpenedSnapshot = Struct({
  /** A UUID: by this it is asked for. */
  snapshot: Text,
  tenant: Text,
  name: NullOr(Text),
  /** The replica that has it: its id. */
  replica: Text,
  op: Natural,
  elements: Natural,
  /** About how many bytes all parts have. */
  size: Natural
})
export type OpenedSnapshot = typeof OpenedSnapshot.Type

/** The value of a config key; null if it is not set. */
export const ConfigValue = Schema.Union([Text, Schema.Finite, Schema.Null])
export type ConfigValue = typeof ConfigValue.Type

/** Nodes that have not heard of a change yet: they will once they can be reached, and until then go by what was before. */
const unheard = ArrayOf(Text)

/** An empty map; `Struct({})` would take anything. */
const Nothing = Schema.Record(Text, Schema.Never)

/** A tenant to be. `durability`: "disk" if it is left out; `replicas`: the node chooses. */
const wish = {
  name: Optional(Text),
  replicas: Optional(ArrayOf(ReplicaPlace)),
  durability: Optional(Durability)
}

/** How long nodes may take to make data of a snapshot of so many bytes. */
export const importing_ms = (bytes: number): number => 10_000 + Math.ceil(bytes / Limits.import_bytes_per_second_min) * 1_000

/** Every command: what it takes and what it gives. A tenant is named by its name or its id. */
export const commands = {
  "config.get": { args: Struct({ key: Optional(Text) }), ok: Schema.Record(Text, ConfigValue) },
  "config.set": { args: Struct({ key: Text, value: Text }), ok: Struct({ key: Text, value: ConfigValue }) },
  "cluster.join": { args: Struct({ address: Text }), ok: Struct({ members: ArrayOf(Text) }) },
  "cluster.members": { args: Nothing, ok: ArrayOf(Member) },
  "cluster.status": { args: Nothing, ok: ArrayOf(NodeStatus) },
  /** Takes a node out for good that has no replicas. */
  "cluster.leave": { args: Struct({ node: Text }), ok: Struct({ node: Text, unheard }) },
  /** The same for one that will never answer again. */
  "cluster.remove": { args: Struct({ node: Text }), ok: Struct({ node: Text, unheard }) },
  /** Whether new replicas are to stay away from a node; those that are there stay. */
  "cluster.drain": {
    args: Struct({ node: Text, draining: Schema.Boolean }),
    ok: Struct({ node: Text, draining: Schema.Boolean, unheard })
  },
  "vr.create": {
    /** `upload`: the id of a snapshot of so many bytes, that every node of a replica was sent: it begins with that. */
    args: Struct({ ...wish, upload: Optional(Struct({ id: Text, bytes: Natural })) }),
    ok: CreatedTenant
  },
  /** Where a creation would put the replicas; refused as that would be, and nothing is done. */
  "vr.plan": { args: Struct(wish), ok: Struct({ replicas: ArrayOf(ReplicaPlace) }) },
  /** Takes a tenant out for good, with all that it holds. By its id, also one whose creation has not come to an end. */
  "vr.delete": { args: Struct({ tenant: Text }), ok: Struct({ tenant: Text, name: NullOr(Text), unheard }) },
  /** `was`: its name before. */
  "vr.rename": {
    args: Struct({ tenant: Text, name: Text }),
    ok: Struct({ tenant: Text, name: Text, was: NullOr(Text), unheard })
  },
  "vr.tenants": { args: Nothing, ok: ArrayOf(TenantInfo) },
  "vr.replica": { args: Struct({ tenant: Text, replica: Text, node: Text }), ok: ReplicaStatus },
  "vr.primary": { args: Struct({ tenant: Text }), ok: Struct({ tenant: Text, primary: NullOr(Text) }) },
  /** What a change of the group would do; nothing is done. */
  "vr.group.plan": { args: ChangeWish, ok: ChangePlan },
  /**
   * Asks for a change, and says how far it is: to be repeated until it is done. `epoch`: of the group that it changes.
   * `force`: also if the next group has no quorum that is there.
   */
  "vr.group.ask": {
    args: Struct({ tenant: Text, epoch: Natural, replicas: ArrayOf(Text), force: Optional(Schema.Boolean) }),
    ok: ChangeProgress
  },
  /** Takes a change back, if it is not in the log yet: this one, or whatever is under way. `reason`: why not, or null. */
  "vr.group.withdraw": {
    args: Struct({ tenant: Text, epoch: Optional(Natural), replicas: Optional(ArrayOf(Text)) }),
    ok: Struct({ withdrawn: Schema.Boolean, reason: NullOr(Text) })
  },
  /** A replica that is to join no more, and is in no group, goes. */
  "vr.forget": { args: Struct({ tenant: Text, replica: Text, node: Text }), ok: Nothing },
  /** The primary hands off: to this one, or to the one of the others that is furthest. */
  "vr.handoff": {
    args: Struct({ tenant: Text, to: Optional(ReplicaPlace) }),
    ok: Struct({ tenant: Text, from: Text, to: Text })
  },
  "vr.stats": { args: Nothing, ok: Struct({ counters: Schema.Record(Text, Schema.Finite) }) },
  "status": { args: Nothing, ok: ClusterStatus },
  /** Takes a snapshot of the replica on this node. `from`: it has to be the primary, or may be any that is normal. */
  "snapshot.open": {
    args: Struct({ tenant: Text, from: Schema.Literals(["primary", "any"]) }),
    ok: OpenedSnapshot
  },
  /** The next part, from 0, or the one that was asked for last. Null: the one before was the last one. */
  "snapshot.part": { args: Struct({ snapshot: Text, index: Natural }), ok: Struct({ bytes: NullOr(Schema.Uint8Array) }) },
  /** It is needed no more. No harm if it is not there. */
  "snapshot.close": { args: Struct({ snapshot: Text }), ok: Nothing },
  /** Announces a snapshot file of so many bytes. `upload`: a new UUID, which every node that gets it is told. */
  "upload.begin": { args: Struct({ upload: Text, bytes: Natural }), ok: Nothing },
  /** The next bytes of the file, from part 0 on; the part that came last may come again. */
  "upload.part": { args: Struct({ upload: Text, index: Natural, bytes: Schema.Uint8Array }), ok: Nothing },
  /** The file is there as a whole. What it is of is told. */
  "upload.end": { args: Struct({ upload: Text }), ok: Struct({ op: Natural, digest: Natural }) },
  /** It is needed no more. No harm if it is not there. */
  "upload.drop": { args: Struct({ upload: Text }), ok: Nothing }
} as const

export type CommandName = keyof typeof commands
export type Args<C extends CommandName> = (typeof commands)[C]["args"]["Type"]
export type Ok<C extends CommandName> = (typeof commands)[C]["ok"]["Type"]

export const AdminErrorCode = Schema.Literals([
  "usage",
  "not_found",
  "conflict",
  "unavailable",
  "denied",
  "timeout",
  "internal"
])
export type AdminErrorCode = typeof AdminErrorCode.Type

/** A command that did not succeed: what a node answers and what an admin client fails with. */
export class AdminError extends Schema.TaggedError<AdminError>()("AdminError", {
  code: AdminErrorCode,
  message: Text
}) {}

/** A command to run; `id` comes back in the reply. */
export type AdminRequest = {
  readonly [C in CommandName]: {
    readonly _tag: "Request"
    readonly id: number
    readonly command: C
    readonly args: Args<C>
  }
}[CommandName]

/** No command. `id`: where the error is to be sent; null if there is none, and then the connection is beyond help. */
export interface BadRequest {
  readonly _tag: "BadRequest"
  readonly id: number | null
  readonly error: AdminError
}

/** A reply; `value` is still to be checked by {@link decodeOk}, for only who asked knows the command. */
export type AdminReply =
  | { readonly _tag: "Ok"; readonly id: number; readonly value: unknown }
  | { readonly _tag: "Error"; readonly id: number; readonly error: AdminError }

/** What came is not of this protocol. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
}

/** A whole frame. */
export const encodeRequest = <C extends CommandName>(id: number, command: C, args: Args<C>): Uint8Array =>
  encodeFrame(pack({ id, command, args }))

/** A whole frame. */
export const encodeOk = <C extends CommandName>(id: number, _command: C, value: Ok<C>): Uint8Array =>
  encodeFrame(pack({ id, ok: value }))

/** A whole frame. */
export const encodeError = (id: number, { code, message }: AdminError): Uint8Array =>
  encodeFrame(pack({ id, error: { code, message } }))

const Request = Struct({ id: Natural, command: Text, args: Schema.Unknown })
const Numbered = Struct({ id: Natural })
const Success = Struct({ id: Natural, ok: Schema.Unknown })
const Failure = Struct({ id: Natural, error: Struct({ code: AdminErrorCode, message: Text }) })

/** One payload. Arguments that a command does not have are an error: they would be a wish that is not granted. */
export const decodeRequest = (payload: Uint8Array): AdminRequest | BadRequest => {
  const unpacked = unpack(payload)
  if (!unpacked.ok) return badRequest(null, `not msgpack: ${unpacked.reason}`)
  const request = Schema.decodeUnknownResult(Request)(unpacked.value)
  if (Result.isFailure(request)) {
    const numbered = Schema.decodeUnknownResult(Numbered)(unpacked.value)
    return badRequest(Result.isSuccess(numbered) ? numbered.success.id : null, inOneLine(request.failure))
  }
  const { id, command, args } = request.success
  if (!isCommand(command)) return badRequest(id, `unknown command ${JSON.stringify(command.slice(0, 64))}`)
  return decodeArgs(id, command, args)
}

const decodeArgs = <C extends CommandName>(id: number, command: C, input: unknown): AdminRequest | BadRequest => {
  const args = Schema.decodeUnknownResult(commands[command].args, { onExcessProperty: "error" })(input)
  return Result.isSuccess(args)
    ? { _tag: "Request", id, command, args: args.success } as AdminRequest // Name and schema are of one row.
    : badRequest(id, `${command}: ${inOneLine(args.failure)}`)
}

/** One payload. */
export const decodeReply = (payload: Uint8Array): AdminReply | Malformed => {
  const unpacked = unpack(payload)
  if (!unpacked.ok) return { _tag: "Malformed", reason: `not msgpack: ${unpacked.reason}` }
  const failure = Schema.decodeUnknownResult(Failure)(unpacked.value)
  if (Result.isSuccess(failure)) {
    return { _tag: "Error", id: failure.success.id, error: new AdminError(failure.success.error) }
  }
  const success = Schema.decodeUnknownResult(Success)(unpacked.value)
  return Result.isSuccess(success)
    ? { _tag: "Ok", id: success.success.id, value: success.success.ok }
    : { _tag: "Malformed", reason: "a reply is {id, ok} or {id, error: {code, message}}" }
}

/** The value of an `Ok` reply to `command`. Fields that this version does not know are left out. */
export const decodeOk = <C extends CommandName>(command: C, value: unknown): Result.Result<Ok<C>, AdminError> => {
  const schema: (typeof commands)[C]["ok"] = commands[command].ok
  return Result.mapError(
    Schema.decodeUnknownResult(schema)(value),
    (error) =>
      new AdminError({ code: "internal", message: `the answer to ${command} is malformed: ${inOneLine(error)}` })
  )
}

/** Is there such a command? */
export const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)

const badRequest = (id: number | null, message: string): BadRequest =>
  ({ _tag: "BadRequest", id, error: new AdminError({ code: "usage", message }) })

/** For people: a path in it may be as long as the sender likes. */
const inOneLine = (error: Schema.SchemaError): string => error.message.slice(0, 300).replaceAll(/\s*\n\s*/g, " ")
