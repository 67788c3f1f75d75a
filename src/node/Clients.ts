/**
 * The dispatcher's dealings with clients: their messages become requests to a local replica, or an answer at once;
 * replicas' replies become messages to the client. Synchronous, no Effect: this is the hot path.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { ClientRequest, Reply } from "../vr/Replica.ts"
import { type ClientMessage, encodeServerMessage, type Outcome, type ServerMessage } from "../wire/ClientProtocol.ts"
import { encodeListingHead } from "../wire/Listing.ts"
import { type Channel, type ClientConnection, hasRoom, makeChannel } from "./ClientConnection.ts"
import type { Directory } from "./Directory.ts"
import type { Counters } from "./Metrics.ts"
import type { LocalReplica } from "./Queues.ts"

/** What the dispatcher knows, as far as clients are concerned. */
export interface Routes {
  readonly self: string
  readonly directory: Directory
  readonly local: (tenant: string) => LocalReplica | undefined
  readonly isConnected: (node: string) => boolean
  readonly connection: (id: number) => ClientConnection | undefined
  /** Hands a request to a local replica at the end of the turn. */
  readonly request: (replica: LocalReplica, request: ClientRequest) => void
  /** Sends a frame to a client at the end of the turn. */
  readonly answer: (connection: ClientConnection, frame: Uint8Array) => void
  readonly metrics: Counters
}

const retry_unknown_ms = 50
const retry_starting_ms = 100
const retry_busy_ms = 20
/** A part of what a full pipeline takes, so that it does not run empty. Whoever is told so again waits longer each time. */
const overloaded_ms = 20

export const onClientMessage = (routes: Routes, connection: ClientConnection, message: ClientMessage): void => {
  // Cut off, perhaps by a message before this one: whatever is done for it now, nobody hears of it.
  if (connection.fault !== null) return
  routes.metrics.client_messages++
  switch (message._tag) {
    case "Write":
    case "Read":
      return onRequest(routes, connection, message)
    case "Open":
    case "Attach":
      return onOpen(routes, connection, message)
    case "Close":
      connection.channels.delete(message.channel)
      return
    case "Ping":
      return tell(routes, connection, { _tag: "Pong", id: message.id })
    case "Tenants":
      return tellTenants(routes, connection, message.id)
  }
}

const tell = (routes: Routes, connection: ClientConnection, message: ServerMessage): void => {
  routes.metrics.client_replies++
  routes.answer(connection, encodeServerMessage(message))
}

/** A request of a few bytes for megabytes: all that wait for the list share one copy of it. */
const tellTenants = (routes: Routes, connection: ClientConnection, id: number): void => {
  const { listing } = routes.directory
  routes.metrics.client_replies++
  routes.answer(connection, encodeListingHead(id, listing))
  routes.answer(connection, listing)
}

const onRequest = (
  routes: Routes,
  connection: ClientConnection,
  message: Extract<ClientMessage, { readonly _tag: "Write" | "Read" }>
): void => {
  const channel = connection.channels.get(message.channel)
  if (channel === undefined || (message._tag === "Write" && channel.session === 0)) {
    const outcome = refused(`channel ${message.channel} is not open`)
    return tell(routes, connection, answerTo(message, outcome))
  }
  const replica = routes.local(channel.tenant)
  if (replica === undefined) return tell(routes, connection, answerTo(message, elsewhere(routes, channel.tenant)))
  if (message._tag === "Write") channel.writes.set(message.request, true)
  else channel.reads++
  routes.request(
    replica,
    message._tag === "Write"
      ? {
        kind: "write",
        to: channel.to,
        session: channel.session,
        request: message.request,
        answered: message.answered,
        operation: message.operation
      }
      : { kind: "read", to: channel.to, request: message.id, operation: message.operation }
  )
}

const answerTo = (
  message: Extract<ClientMessage, { readonly _tag: "Write" | "Read" }>,
  outcome: Outcome
): ServerMessage =>
  message._tag === "Write"
    ? { _tag: "Written", channel: message.channel, request: message.request, outcome }
    : { _tag: "Answer", channel: message.channel, id: message.id, outcome }

const onOpen = (
  routes: Routes,
  connection: ClientConnection,
  message: Extract<ClientMessage, { readonly _tag: "Open" | "Attach" }>
): void => {
  const fail = (outcome: Outcome) => tell(routes, connection, { _tag: "Failed", channel: message.channel, outcome })
  if (connection.channels.size >= Limits.channels_per_connection_max && !connection.channels.has(message.channel)) {
    return fail(refused(`a connection has at most ${Limits.channels_per_connection_max} channels`))
  }
  const tenant = routes.directory.tenant(message.tenant)
  if (tenant === undefined) return fail(noTenant(message.tenant))
  const replica = routes.local(tenant.id)
  if (replica === undefined) return fail(elsewhere(routes, tenant.id))
  const to = { connection: connection.id, channel: message.channel }
  const session = message._tag === "Attach" ? message.session : 0
  connection.channels.set(message.channel, makeChannel(tenant.id, to, session))
  if (message._tag === "Attach") return
  routes.request(replica, { kind: "register", to, nonce: message.nonce })
}

const refused = (message: string): Outcome => ({ _tag: "Refused", message })

const noTenant = (nameOrId: string): Outcome =>
  ({ _tag: "NoTenant", message: `tenant ${JSON.stringify(nameOrId)} does not exist` })

/** No replica of the tenant runs here, or not yet, or not any more: another node of its group knows better. */
const elsewhere = (routes: Routes, id: string): Outcome => {
  const tenant = routes.directory.tenant(id)
  // Withdrawn: no node will ever have a replica of it again.
  if (tenant === undefined) return noTenant(id)
  const others = tenant.replicas.filter(({ node }) => node !== routes.self)
  const there = others.find(({ node }) => routes.isConnected(node)) ?? others[0]
  return (there === undefined ? null : redirect(routes, there.node)) ??
    { _tag: "Retry", ms: retry_starting_ms, reason: "no replica of this tenant runs on a node that is known here" }
}

/** The replica on this node has stopped: whoever waits for it is told to look elsewhere. */
export const onReplicaStopped = (routes: Routes, connection: ClientConnection, tenant: string): void => {
  for (const [channel, { tenant: bound }] of connection.channels) {
    if (bound !== tenant) continue
    connection.channels.delete(channel)
    tell(routes, connection, { _tag: "Failed", channel, outcome: elsewhere(routes, tenant) })
  }
}

const redirect = (routes: Routes, node: string): Outcome | null => {
  const address = routes.directory.clientOf(node)
  if (address === undefined || node === routes.self) return null
  routes.metrics.client_redirects++
  return { _tag: "Redirect", address, node }
}

/** A replica has answered. The connection may be gone by now: then nobody waits. */
export const onReply = (routes: Routes, replica: LocalReplica, reply: Reply): void => {
  const connection = routes.connection(reply.to.connection)
  if (connection === undefined) return
  const channel = connection.channels.get(reply.to.channel)
  // Closed meanwhile, or closed and opened again for another session: this answer is for nobody.
  if (channel === undefined || channel.to !== reply.to) return
  if (reply.kind === "write") channel.writes.delete(reply.request)
  else if (reply.kind === "read") channel.reads--
  if (reply.kind === "register") return onRegistered(routes, connection, channel, replica, reply)
  const fits = reply.kind === "write" || reply.result === null || hasRoom(connection, reply.result.length)
  const outcome = fits ? outcomeOf(routes, reply) : overloaded(routes, "the answers before are not read yet")
  tell(
    routes,
    connection,
    reply.kind === "write"
      ? { _tag: "Written", channel: reply.to.channel, request: reply.request, outcome }
      : { _tag: "Answer", channel: reply.to.channel, id: reply.request, outcome }
  )
}

const onRegistered = (
  routes: Routes,
  connection: ClientConnection,
  channel: Channel,
  replica: LocalReplica,
  reply: Reply
): void => {
  if (reply.status !== "ok") {
    connection.channels.delete(reply.to.channel)
    const outcome = outcomeOf(routes, reply)
    return tell(routes, connection, { _tag: "Failed", channel: reply.to.channel, outcome })
  }
  channel.session = reply.session
  tell(routes, connection, {
    _tag: "Opened",
    channel: reply.to.channel,
    session: reply.session,
    tenant: replica.tenant
  })
}

const outcomeOf = (routes: Routes, reply: Reply): Outcome => {
  switch (reply.status) {
    case "ok":
      return { _tag: "Ok", result: reply.result! }
    case "not primary": {
      const node = reply.primary === null ? undefined : routes.directory.nodeOf(reply.primary)
      const known = node === undefined ? null : redirect(routes, node)
      return known ?? retry(routes, retry_unknown_ms, "no primary is known at this moment")
    }
    case "in doubt":
      routes.metrics.client_retries++
      return { _tag: "Doubt", ms: retry_busy_ms, reason: "the primary gave up before the write was committed" }
    case "busy":
      return retry(routes, retry_busy_ms, "the group is about to change, or its primary to hand off")
    case "overloaded":
      return overloaded(routes, "too many operations are under way")
    case "no session":
      return { _tag: "NoSession", message: "the session is not known: it was evicted, or never registered" }
    case "stale":
      return { _tag: "Stale", message: `the client said that it has the answer to request ${reply.request}` }
    case "log full":
      return refused(`the tenant takes no more writes: its log, which is held in memory, has ${Limits.log_bytes_max} bytes`)
    case "beyond window":
      return refused(`request ${reply.request} is more than ${Limits.session_window_max} beyond the answered ones`)
  }
}

const retry = (routes: Routes, ms: number, reason: string): Outcome => {
  routes.metrics.client_retries++
  return { _tag: "Retry", ms, reason }
}

const overloaded = (routes: Routes, reason: string): Outcome => {
  routes.metrics.client_overloaded++
  return { _tag: "Overloaded", ms: overloaded_ms, reason }
}

/** The replica's inbox is full: what was not accepted is answered, so that no client waits for it. */
export const onOverload = (routes: Routes, replica: LocalReplica, requests: ReadonlyArray<ClientRequest>): void => {
  for (const request of requests) {
    onReply(routes, replica, {
      to: request.to,
      kind: request.kind,
      request: request.kind === "register" ? 0 : request.request,
      status: "overloaded",
      result: null,
      session: 0,
      primary: null
    })
  }
}
