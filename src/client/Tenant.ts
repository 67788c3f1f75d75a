/**
 * One tenant as a service, for applications that need no other.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Network } from "../network/Network.ts"
import * as TcpNetwork from "../network/TcpNetwork.ts"
import { type ClientOptions, V2R2 } from "./Client.ts"
import type { NoSuchTenant, Overloaded, Unavailable } from "./Errors.ts"
import type { TenantService } from "./Operations.ts"

export type {
  CreateOptions, DeleteOptions, Entry, ListOptions, Page, PutOptions, ReadFailure, Stat, TenantService, Value,
  WriteFailure, Written
} from "./Operations.ts"

/** `tenant`: a name or an id. */
export interface TenantOptions extends ClientOptions {
  readonly tenant: string
}

/** One tenant, with a session of its own. The layer is ready once the session is. */
export class Tenant extends Context.Service<Tenant, TenantService>()("v2r2/client/Tenant") {
  static layer(options: TenantOptions): Layer.Layer<Tenant, Unavailable | Overloaded | NoSuchTenant, Network> {
    return Layer.effect(Tenant, Effect.flatMap(V2R2, (v2r2) => v2r2.tenant(options.tenant))).pipe(
      Layer.provide(V2R2.layer(options))
    )
  }

  /** The same, over TCP. */
  static layerTcp(options: TenantOptions): Layer.Layer<Tenant, Unavailable | Overloaded | NoSuchTenant> {
    return Layer.provide(Tenant.layer(options), TcpNetwork.layer)
  }
}
