/**
 * The client protocol, `v2r2-client`: what a client and a node say to each other after the hello.
 * Each frame is one msgpack array `[type, ...fields]`; docs/CLIENT-PROTOCOL.md describes it for other languages.
 *
 * A *channel* is a number that the client chooses, unique on its connection: it stands for one session of one tenant.
 * This is a hot path: codecs are written by hand and make no garbage but the message itself.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"

/** Client → node. */
export type ClientMessage =
  /** Register a session through the log; idempotent by `nonce` while that session lives. `tenant`: a name or an id. */
  | { readonly _tag: "Open"; readonly channel: number; readonly tenant: string; readonly nonce: Uint8Array }
  /** Bind a session that exists. Answered only if it fails. */
  | { readonly _tag: "Attach"; readonly channel: number; readonly tenant: string; readonly session: number }
  /** Request 1, 2, 3… of the session. Every request ≤ `answered` needs no answer any more. */
  | {
    readonly _tag: "Write"
    readonly channel: number
    readonly request: number
    readonly answered: number
    readonly operation: Uint8Array
  }
  /** A linearizable read. `id` is chosen by the client. */
  | { readonly _tag: "Read"; readonly channel: number; readonly id: number; readonly operation: Uint8Array }
  /** Forget the channel. The session stays. */
  | { readonly _tag: "Close"; readonly channel: number }
  /** List the tenants that the node knows. */
  | { readonly _tag: "Tenants"; readonly id: number }
  | { readonly _tag: "Ping"; readonly id: number }

/** Node → client. */
export type ServerMessage =
  /** `session`: the op number of its registration; `tenant`: the id. */
  | { readonly _tag: "Opened"; readonly channel: number; readonly session: number; readonly tenant: string }
  | { readonly _tag: "Written"; readonly channel: number; readonly request: number; readonly outcome: Outcome }
  | { readonly _tag: "Answer"; readonly channel: number; readonly id: number; readonly outcome: Outcome }
  /** The channel could not be opened or attached, or it is lost as a whole. */
  | { readonly _tag: "Failed"; readonly channel: number; readonly outcome: Outcome }
  | { readonly _tag: "Tenants"; readonly id: number; readonly tenants: ReadonlyArray<TenantListing> }
  | { readonly _tag: "Pong"; readonly id: number }
  /** A complaint about what the client sent. */
  | { readonly _tag: "Error"; readonly message: string }
  /** Something newer than this client: to be ignored. Only ever decoded. */
  | { readonly _tag: "Unknown"; readonly type: number }

/** What became of a request. All but `Ok` and `Doubt` mean: this answer stands for no execution. */
export type Outcome =
  /** An encoded result of the store, which may itself say that the operation failed. */
  | { readonly _tag: "Ok"; readonly result: Uint8Array }
  /** The node named `node`, with the client address `address`, is or knows the primary. */
  | { readonly _tag: "Redirect"; readonly address: string; readonly node: string }
  | { readonly _tag: "Retry"; readonly ms: number; readonly reason: string }
  /** This is the node to ask, but it has too much to do: to be asked again, here, after about `ms` and then less often. */
  | { readonly _tag: "Overloaded"; readonly ms: number; readonly reason: string }
  /** The exception: a write that is in the log, and may be executed or not. To be asked again, with the same number. */
  | { readonly _tag: "Doubt"; readonly ms: number; readonly reason: string }
  | { readonly _tag: "NoTenant"; readonly message: string }
  /** Unknown or evicted: the session never comes back, and its unanswered requests are in doubt. */
  | { readonly _tag: "NoSession"; readonly message: string }
  /** The client had said that it needs no answer to this request. */
  | { readonly _tag: "Stale"; readonly message: string }
  | { readonly _tag: "Refused"; readonly message: string }

export interface TenantListing {
  readonly id: string
  readonly name: string | null
  /** `name` of the replica, the node it is on, and that node's client address. */
  readonly replicas: ReadonlyArray<{ readonly name: string; readonly node: string; readonly address: string }>
}

/** The payload is no message. `ignorable`: only its type is unknown, so the connection may go on. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
  readonly ignorable: boolean
}

const ClientType = { open: 1, attach: 2, write: 3, read: 4, close: 5, tenants: 6, ping: 7 } as const
const ServerType = { opened: 1, written: 3, answer: 4, failed: 5, tenants: 6, pong: 7, push: 8, error: 9 } as const
const Status = { ok: 0, redirect: 1, retry: 2, noTenant: 3, noSession: 4, stale: 5, refused: 6, doubt: 7, overloaded: 8 } as const

/** Those that say when to come again. */
const delays = { Retry: Status.retry, Doubt: Status.doubt, Overloaded: Status.overloaded } as const

const writer = new MsgpackWriter()
const reader = new MsgpackReader()

/** A whole frame, length header included. */
export const encodeClientMessage = (message: ClientMessage): Uint8Array => {
  const w = writer
  w.begin()
  switch (message._tag) {
    case "Write":
      head(5, ClientType.write, message.channel)
      w.uint(message.request)
      w.uint(message.answered)
      w.bin(message.operation)
      break
    case "Read":
      head(4, ClientType.read, message.channel)
      w.uint(message.id)
      w.bin(message.operation)
      break
    case "Open":
      head(4, ClientType.open, message.channel)
      w.string(message.tenant)
      w.bin(message.nonce)
      break
    case "Attach":
      head(4, ClientType.attach, message.channel)
      w.string(message.tenant)
      w.uint(message.session)
      break
    case "Close":
      head(2, ClientType.close, message.channel)
      break
    case "Tenants":
      head(2, ClientType.tenants, message.id)
      break
    case "Ping":
      head(2, ClientType.ping, message.id)
      break
  }
  return w.end()
}

/** A whole frame, length header included. */
export const encodeServerMessage = (message: ServerMessage): Uint8Array => {
  const w = writer
  w.begin()
  switch (message._tag) {
    case "Written":
      head(5, ServerType.written, message.channel)
      w.uint(message.request)
      writeOutcome(message.outcome)
      break
    case "Answer":
      head(5, ServerType.answer, message.channel)
      w.uint(message.id)
      writeOutcome(message.outcome)
      break
    case "Opened":
      head(4, ServerType.opened, message.channel)
      w.uint(message.session)
      w.string(message.tenant)
      break
    case "Failed":
      head(4, ServerType.failed, message.channel)
      writeOutcome(message.outcome)
      break
    case "Tenants":
      head(3, ServerType.tenants, message.id)
      writeTenants(message.tenants)
      break
    case "Pong":
      head(2, ServerType.pong, message.id)
      break
    case "Error":
      w.array(2)
      w.uint(ServerType.error)
      w.string(message.message)
      break
    case "Unknown":
      w.array(1)
      w.uint(message.type)
      break
  }
  return w.end()
}

/** One payload, without its header. Bytes in the message are views of the payload. */
export const decodeClientMessage = (payload: Uint8Array): ClientMessage | Malformed => {
  const r = reader
  r.open(payload)
  const fields = r.array("message", payload.length)
  const type = r.uint("message type")
  if (r.fault !== null) return malformed(r.fault)
  if (fields !== clientFields[type]) return oddType(type, fields, clientFields[type])
  const first = r.uint(type >= ClientType.tenants ? "id" : "channel")
  const message = readClientMessage(type, first)
  return r.close() ? message : malformed(r.fault)
}

/** One payload, without its header. Bytes in the message are views of the payload. Unknown types are not malformed. */
export const decodeServerMessage = (payload: Uint8Array): ServerMessage | Malformed => {
  const r = reader
  r.open(payload)
  const fields = r.array("message", payload.length)
  const type = r.uint("message type")
  if (r.fault !== null) return malformed(r.fault)
  const expected = serverFields[type]
  if (expected === undefined) return { _tag: "Unknown", type }
  if (fields !== expected) return oddType(type, fields, expected)
  const message = readServerMessage(type)
  return r.close() ? message : malformed(r.fault)
}

/** How many elements a message of each type has, its type included. */
const clientFields: Readonly<Record<number, number>> = { 1: 4, 2: 4, 3: 5, 4: 4, 5: 2, 6: 2, 7: 2 }
/** The same. Type 8, PUSH, is reserved for watches: unknown here. */
const serverFields: Readonly<Record<number, number>> = { 1: 4, 3: 5, 4: 5, 5: 4, 6: 3, 7: 2, 9: 2 }

const readClientMessage = (type: number, first: number): ClientMessage => {
  const r = reader
  switch (type) {
    case ClientType.write: {
      const request = r.uint("request", 1)
      const answered = r.uint("answered")
      const operation = r.bin("operation", Limits.operation_bytes_max)
      return { _tag: "Write", channel: first, request, answered, operation }
    }
    case ClientType.read: {
      const id = r.uint("id")
      return { _tag: "Read", channel: first, id, operation: r.bin("operation", Limits.operation_bytes_max) }
    }
    case ClientType.open: {
      const tenant = r.string("tenant", Limits.name_bytes_max)
      const nonce = r.bin("nonce", Limits.session_nonce_bytes)
      if (nonce.length !== Limits.session_nonce_bytes) r.fail(`nonce: expected ${Limits.session_nonce_bytes} bytes`)
      return { _tag: "Open", channel: first, tenant, nonce }
    }
    case ClientType.attach: {
      const tenant = r.string("tenant", Limits.name_bytes_max)
      return { _tag: "Attach", channel: first, tenant, session: r.uint("session", 1) }
    }
    case ClientType.close:
      return { _tag: "Close", channel: first }
    case ClientType.tenants:
      return { _tag: "Tenants", id: first }
    default:
      return { _tag: "Ping", id: first }
  }
}

const readServerMessage = (type: number): ServerMessage => {
  const r = reader
  switch (type) {
    case ServerType.written: {
      const channel = r.uint("channel")
      const request = r.uint("request", 1)
      return { _tag: "Written", channel, request, outcome: readOutcome() }
    }
    case ServerType.answer: {
      const channel = r.uint("channel")
      const id = r.uint("id")
      return { _tag: "Answer", channel, id, outcome: readOutcome() }
    }
    case ServerType.opened: {
      const channel = r.uint("channel")
      const session = r.uint("session", 1)
      return { _tag: "Opened", channel, session, tenant: r.string("tenant", Limits.name_bytes_max) }
    }
    case ServerType.failed: {
      const channel = r.uint("channel")
      return { _tag: "Failed", channel, outcome: readOutcome() }
    }
    case ServerType.tenants: {
      const id = r.uint("id")
      return { _tag: "Tenants", id, tenants: readTenants() }
    }
    case ServerType.pong:
      return { _tag: "Pong", id: r.uint("id") }
    default:
      return { _tag: "Error", message: r.string("message", Limits.client_frame_bytes_max) }
  }
}

const head = (fields: number, type: number, first: number): void => {
  writer.array(fields)
  writer.uint(type)
  writer.uint(first)
}

/** Two fields: status and payload. */
const writeOutcome = (outcome: Outcome): MsgpackWriter => {
  const w = writer
  switch (outcome._tag) {
    case "Ok":
      w.uint(Status.ok)
      return w.bin(outcome.result)
    case "Redirect":
      w.uint(Status.redirect)
      w.array(2)
      w.string(outcome.address)
      return w.string(outcome.node)
    case "Retry":
    case "Doubt":
    case "Overloaded":
      w.uint(delays[outcome._tag])
      w.array(2)
      w.uint(outcome.ms)
      return w.string(outcome.reason)
    case "NoTenant":
      w.uint(Status.noTenant)
      return w.string(outcome.message)
    case "NoSession":
      w.uint(Status.noSession)
      return w.string(outcome.message)
    case "Stale":
      w.uint(Status.stale)
      return w.string(outcome.message)
    case "Refused":
      w.uint(Status.refused)
      return w.string(outcome.message)
  }
}

const readOutcome = (): Outcome => {
  const r = reader
  const status = r.uint("status")
  switch (status) {
    case Status.ok:
      return { _tag: "Ok", result: r.bin("result", Limits.client_frame_bytes_max) }
    case Status.redirect: {
      pair()
      const address = r.string("address", Limits.address_bytes_max)
      return { _tag: "Redirect", address, node: r.string("node", Limits.name_bytes_max) }
    }
    case Status.retry:
      return { _tag: "Retry", ...readDelay() }
    case Status.doubt:
      return { _tag: "Doubt", ...readDelay() }
    case Status.overloaded:
      return { _tag: "Overloaded", ...readDelay() }
    case Status.noTenant:
      return { _tag: "NoTenant", message: r.string("message", Limits.client_frame_bytes_max) }
    case Status.noSession:
      return { _tag: "NoSession", message: r.string("message", Limits.client_frame_bytes_max) }
    case Status.stale:
      return { _tag: "Stale", message: r.string("message", Limits.client_frame_bytes_max) }
    default:
      if (status !== Status.refused) r.fail(`status: ${status} is unknown`)
      return { _tag: "Refused", message: r.string("message", Limits.client_frame_bytes_max) }
  }
}

const readDelay = (): { readonly ms: number; readonly reason: string } => {
  pair()
  const ms = reader.uint("ms")
  return { ms, reason: reader.string("reason", Limits.client_frame_bytes_max) }
}

const pair = (): void => {
  if (reader.array("payload", 2) !== 2) reader.fail("payload: expected two elements")
}

const writeTenants = (tenants: ReadonlyArray<TenantListing>): void => {
  const w = writer
  w.array(tenants.length)
  for (const tenant of tenants) {
    w.array(3)
    w.string(tenant.id)
    if (tenant.name === null) w.nil()
    else w.string(tenant.name)
    w.array(tenant.replicas.length)
    for (const replica of tenant.replicas) {
      w.array(3)
      w.string(replica.name)
      w.string(replica.node)
      w.string(replica.address)
    }
  }
}

const readTenants = (): ReadonlyArray<TenantListing> => {
  const r = reader
  const tenants: Array<TenantListing> = []
  for (let left = r.array("tenants", Limits.tenants_max); left > 0 && r.fault === null; left--) {
    if (r.array("tenant", 3) !== 3) r.fail("tenant: expected three elements")
    const id = r.string("tenant id", Limits.name_bytes_max)
    const name = r.nullable("tenant name", Limits.name_bytes_max)
    tenants.push({ id, name, replicas: readReplicas() })
  }
  return tenants
}

const readReplicas = (): TenantListing["replicas"] => {
  const r = reader
  const replicas = []
  for (let left = r.array("replicas", Limits.replicas_max); left > 0 && r.fault === null; left--) {
    if (r.array("replica", 3) !== 3) r.fail("replica: expected three elements")
    const name = r.string("replica name", Limits.name_bytes_max)
    const node = r.string("node", Limits.name_bytes_max)
    replicas.push({ name, node, address: r.string("address", Limits.address_bytes_max) })
  }
  return replicas
}

const malformed = (reason: string | null): Malformed =>
  ({ _tag: "Malformed", reason: reason ?? "malformed", ignorable: false })

const oddType = (type: number, fields: number, expected: number | undefined): Malformed =>
  expected === undefined
    ? { _tag: "Malformed", reason: `message type ${type} is unknown`, ignorable: true }
    : malformed(`message type ${type}: expected ${expected} elements, got ${fields}`)
