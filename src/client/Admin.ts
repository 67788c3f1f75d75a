/**
 * A client of the admin protocol: commands to one node, which answers for the whole cluster.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Limits } from "../base/Limits.ts"
import { connectFramed, type Framed } from "../network/Framed.ts"
import { Network } from "../network/Network.ts"
import {
  AdminError, type Args, type CommandName, decodeOk, decodeReply, encodeRequest, type Ok
} from "../wire/AdminProtocol.ts"
import { makeHello } from "../wire/Hello.ts"
import { type Attempt, Unavailable } from "./Errors.ts"

export { AdminError }

/** A command that changes something was sent, and its answer did not come: it may or may not have been done. */
export class AdminIndeterminate extends Schema.TaggedError<AdminIndeterminate>()("AdminIndeterminate", {
  endpoint: Schema.String,
  command: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.endpoint} may or may not have done ${this.command}: ${this.reason}`
  }
}

export interface AdminOptions {
  /** Admin addresses, `host:port`. The first that can be reached is used, for as long as the connection holds. */
  readonly endpoints: ReadonlyArray<string>
  /** How long to wait for an answer, once connected. The default is 10 seconds. */
  readonly deadline?: Duration.Input
  /** Talk to the nodes of this cluster only. */
  readonly cluster?: string
}

/** `deadline_ms`: instead of that of the connection, for what takes longer. */
export interface CallOptions {
  readonly deadline_ms?: number
}

/** Connects if need be. Calls may run at the same time. What only reads is tried once more when a connection breaks. */
export type Call = <C extends CommandName>(
  command: C,
  args: Args<C>,
  options?: CallOptions
) => Effect.Effect<Ok<C>, AdminError | Unavailable | AdminIndeterminate>

export class Admin extends Context.Service<Admin, {
  readonly call: Call
  /** Over a connection of its own, to the first of these that can be reached. The end of the Scope closes it. */
  readonly at: (endpoints: ReadonlyArray<string>) => Effect.Effect<Call, never, Scope.Scope>
}>()("v2r2/client/Admin") {
  static readonly layer = (options: AdminOptions): Layer.Layer<Admin, never, Network> =>
    Layer.effect(Admin, makeAdmin(options))
}

/** Commands that change something, so that one without an answer is in doubt. */
const changes: ReadonlySet<CommandName> = new Set<CommandName>([
  "config.set", "cluster.join", "cluster.leave", "cluster.remove", "cluster.drain", "vr.create", "vr.delete", "vr.rename", "vr.handoff"
])

/** The connection is gone; `sent`: the command may have arrived. */
class Lost extends Schema.TaggedError<Lost>()("Lost", { endpoint: Schema.String, reason: Schema.String }) {}

interface Connection {
  readonly endpoint: string
  readonly framed: Framed
  readonly scope: Scope.Closeable
  /** What is being waited for, by request id. */
  readonly waiting: Map<number, Deferred.Deferred<unknown, AdminError | Lost>>
  open: boolean
}

/** The end of the Scope closes the connection. */
export const makeAdmin = Effect.fnUntraced(function*(
  options: AdminOptions
): Effect.fn.Return<Admin["Service"], never, Network | Scope.Scope> {
  const network = yield* Network
  const parent = yield* Effect.scope
  const connecting = yield* Semaphore.make(1)
  const usual_ms = Duration.toMillis(Duration.fromInputUnsafe(options.deadline ?? "10 seconds"))
  let current: Connection | null = null
  let requests = 0

  const connected = connecting.withPermit(Effect.gen(function*() {
    if (current?.open === true) return current
    const connection = yield* dial(options, parent)
    current = connection
    return connection
  })).pipe(Effect.provideService(Network, network))

  const ask = <C extends CommandName>(command: C, args: Args<C>, deadline_ms: number) =>
    Effect.gen(function*() {
      const connection = yield* connected
      const id = ++requests
      const answer = yield* Deferred.make<unknown, AdminError | Lost>()
      connection.waiting.set(id, answer)
      const { endpoint } = connection
      const value = yield* connection.framed.send([encodeRequest(id, command, args)]).pipe(
        Effect.mapError(({ reason }) => new Lost({ endpoint, reason })),
        Effect.andThen(Deferred.await(answer)),
        Effect.timeoutOrElse({
          duration: deadline_ms,
          orElse: () => new Lost({ endpoint, reason: `no answer within ${Duration.format(Duration.millis(deadline_ms))}` })
        }),
        Effect.ensuring(Effect.sync(() => connection.waiting.delete(id)))
      )
      const decoded = decodeOk(command, value)
      return Result.isSuccess(decoded) ? decoded.success : yield* decoded.failure
    })

  return Admin.of({
    at: (endpoints) =>
      Effect.map(makeAdmin({ ...options, endpoints }), ({ call }) => call).pipe(
        Effect.provideService(Network, network)
      ),
    call: (command, args, { deadline_ms = usual_ms } = {}) => {
      const attempt = ask(command, args, deadline_ms)
      if (changes.has(command)) {
        return Effect.catchTag(attempt, "Lost", ({ endpoint, reason }) =>
          new AdminIndeterminate({ endpoint, command, reason }))
      }
      // A connection that broke while nobody looked is no reason to trouble the user: reading again does no harm.
      return attempt.pipe(
        Effect.retry({ times: 1, while: (error) => error._tag === "Lost" && current?.open === false }),
        Effect.catchTag("Lost", ({ endpoint, reason }) => unavailable([{ endpoint, reason }]))
      )
    }
  })
})

const unavailable = (attempts: ReadonlyArray<Attempt>): Unavailable =>
  new Unavailable({ attempts, hint: "Check that a node runs there, and that it is its admin address." })

const hello = (cluster: string | null) =>
  makeHello("v2r2-admin", { cluster, node: null, limits: { frame_bytes_max: Limits.admin_frame_bytes_max } })

/** The first endpoint that takes our hello. */
const dial = Effect.fnUntraced(function*(options: AdminOptions, parent: Scope.Scope) {
  const attempts: Array<Attempt> = []
  for (const endpoint of options.endpoints) {
    const scope = yield* Scope.fork(parent)
    const framed = yield* connectFramed(endpoint, hello(options.cluster ?? null)).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.result
    )
    if (Result.isSuccess(framed)) {
      const connection: Connection = { endpoint, framed: framed.success, scope, waiting: new Map(), open: true }
      yield* Effect.forkIn(listen(connection), scope, { startImmediately: true })
      return connection
    }
    attempts.push({ endpoint, reason: framed.failure.reason })
  }
  return yield* unavailable(attempts)
})

/** Hands the replies to those who wait, until the connection ends. */
const listen = Effect.fnUntraced(function*(connection: Connection) {
  const { endpoint, framed, scope, waiting } = connection
  const lose = (reason: string) =>
    Effect.suspend(() => {
      connection.open = false
      const lost = [...waiting.values()]
      waiting.clear()
      return Effect.forEach(lost, (answer) => Deferred.fail(answer, new Lost({ endpoint, reason })), { discard: true })
    })
  yield* Effect.forever(Effect.gen(function*() {
    for (const payload of yield* framed.receive) {
      const reply = decodeReply(payload)
      if (reply._tag === "Malformed") return yield* Effect.fail({ reason: `its reply is malformed: ${reply.reason}` })
      const answer = waiting.get(reply.id)
      // Nobody waits for it any more: it came too late.
      if (answer === undefined) continue
      yield* reply._tag === "Ok" ? Deferred.succeed(answer, reply.value) : Deferred.fail(answer, reply.error)
    }
  })).pipe(
    Effect.catch(({ reason }: { readonly reason: string }) => lose(reason)),
    // Not from within: closing the scope waits for this fiber.
    Effect.ensuring(Effect.forkDetach(Scope.close(scope, Exit.void)))
  )
})
