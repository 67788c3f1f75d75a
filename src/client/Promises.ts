/**
 * The same client for code without Effect: promises, which reject with the same tagged errors.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { NoSuchTenant, Overloaded, Unavailable } from "./Errors.ts"
import type {
  CreateOptions, DeleteOptions, Entry, ListOptions, Page, PutOptions, Stat, Value, Written
} from "./Operations.ts"
import { Tenant, type TenantOptions } from "./Tenant.ts"

/** As `TenantService`. Rejections are the errors named there: tell them apart by `_tag`, or with `instanceof`. */
export interface PromiseTenant {
  /** A UUID. */
  readonly id: string
  readonly name: string | null
  readonly create: (path: string, data?: Uint8Array, options?: CreateOptions) => Promise<Written>
  readonly put: (path: string, data: Uint8Array, options?: PutOptions) => Promise<Written>
  readonly delete: (path: string, options?: DeleteOptions) => Promise<Written>
  readonly get: (path: string) => Promise<Value>
  readonly stat: (path: string) => Promise<Stat>
  readonly list: (path: string, options?: ListOptions) => Promise<Page>
  /** A whole directory, page by page. */
  readonly listAll: (path: string) => AsyncIterable<Entry>
  /** Ends the session's calls, and closes the connections. */
  readonly close: () => Promise<void>
}

/**
 * Enters a tenant over TCP.
 *
 * ```ts
 * const tenant = await connect({ endpoints: ["127.0.0.1:2002"], tenant: "dev" })
 * await tenant.create("/greeting", new TextEncoder().encode("hello"))
 * await tenant.close()
 * ```
 */
export const connect = (options: TenantOptions): Promise<PromiseTenant> => connectWith(Tenant.layerTcp(options))

/** The same with a layer of one's own, such as one in memory. */
export const connectWith = async (layer: Layer.Layer<Tenant, Unavailable | Overloaded | NoSuchTenant>): Promise<PromiseTenant> => {
  // A scope, and no runtime of its own: its end lets the library end the calls, each with the error that is true of it.
  const scope = Scope.makeUnsafe()
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const tenant = Context.get(await Effect.runPromise(Layer.buildWithScope(layer, scope)), Tenant)
    return {
      id: tenant.id,
      name: tenant.name,
      create: (path, data, options) => Effect.runPromise(tenant.create(path, data, options)),
      put: (path, data, options) => Effect.runPromise(tenant.put(path, data, options)),
      delete: (path, options) => Effect.runPromise(tenant.delete(path, options)),
      get: (path) => Effect.runPromise(tenant.get(path)),
      stat: (path) => Effect.runPromise(tenant.stat(path)),
      list: (path, options) => Effect.runPromise(tenant.list(path, options)),
      listAll: (path) => Stream.toAsyncIterable(tenant.listAll(path)),
      close
    }
  } catch (error) {
    await close()
    throw error
  }
}
