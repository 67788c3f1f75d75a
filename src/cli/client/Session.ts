/**
 * What `v2r2-cli` keeps between commands: the client library, the tenant that was entered, and the sessions in use.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type { V2R2 } from "../../client/Client.ts"
import type { NoSuchTenant, Overloaded, Unavailable } from "../../client/Errors.ts"
import type { TenantService } from "../../client/Operations.ts"
import { type Failure, usage } from "../Failure.ts"
import { currentOptions, Defaults, tenantOfLine } from "../Options.ts"

export class Session extends Context.Service<Session, {
  readonly client: Effect.Effect<V2R2["Service"]>
  /** The tenant that commands are for: of `--tenant` in the line, else entered, else of `--tenant` at the start. */
  readonly chosen: Effect.Effect<string | null>
  readonly tenant: Effect.Effect<TenantService, Failure | Unavailable | Overloaded | NoSuchTenant, Scope.Scope>
  /** Makes it the tenant of the following commands, if it exists. */
  readonly enter: (tenant: string) => Effect.Effect<TenantService, Unavailable | Overloaded | NoSuchTenant, Scope.Scope>
}>()("v2r2/cli/client/Session") {}

/** A tenant that no command was for in so long is left. */
const idle_ms = 60_000

/** `connect` makes the client library when the first command needs it, with that command's deadline. */
export const layerSession = <R>(
  connect: (deadline_ms: number | null) => Effect.Effect<V2R2["Service"], never, R>
): Layer.Layer<Session, never, Exclude<R, Scope.Scope>> =>
  Layer.effect(Session, Effect.gen(function*() {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<Exclude<R, Scope.Scope>>()
    const client = yield* Effect.cached(Effect.gen(function*() {
      const { timeout_ms } = yield* currentOptions
      return yield* connect(timeout_ms).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(context))
    }))
    const entered = yield* Ref.make<string | null>(null)
    const tenants = yield* RcMap.make({
      lookup: (name: string) => Effect.flatMap(client, (v2r2) => v2r2.tenant(name)),
      idleTimeToLive: idle_ms
    })
    const open = (name: string) => Effect.tapError(RcMap.get(tenants, name), () => RcMap.invalidate(tenants, name))
    const chosen = Effect.gen(function*() {
      return (yield* tenantOfLine) ?? (yield* Ref.get(entered)) ?? (yield* Defaults).tenant
    })
    return Session.of({
      client,
      chosen,
      tenant: Effect.gen(function*() {
        const name = yield* chosen
        if (name !== null) return yield* open(name)
        return yield* usage(
          "no tenant was chosen",
          "give --tenant <tenant>, or in the shell: enter <tenant>; to see them all: tenants"
        )
      }),
      enter: (name) => Effect.tap(open(name), () => Ref.set(entered, name))
    })
  }))
