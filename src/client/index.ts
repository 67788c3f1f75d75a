/**
 * V2R2's client library.
 *
 * ```ts
 * import { Tenant } from "v2r2"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const tenant = yield* Tenant
 *   yield* tenant.create("/config/colour", new TextEncoder().encode("blue"), { parents: true })
 *   const { data, version } = yield* tenant.get("/config/colour")
 *   yield* tenant.put("/config/colour", data, { version })
 * })
 *
 * Effect.runPromise(Effect.provide(program, Tenant.layerTcp({ endpoints: ["127.0.0.1:2002"], tenant: "dev" })))
 * ```
 *
 * `V2R2` is for several tenants over one set of connections; `connect` for code without Effect.
 *
 * @module
 */
export { type ClientOptions, type TenantInfo, V2R2 } from "./Client.ts"
export {
  AlreadyExists, Attempt, CasFailed, Indeterminate, Invalid, LimitExceeded, NoSuchTenant, NotEmpty, NotFound,
  Overloaded, ParentNotFound, SessionLost, type StoreError, Unavailable, WrongType
} from "./Errors.ts"
export type {
  CreateOptions, DeleteOptions, Entry, ListOptions, Page, PutOptions, ReadFailure, Stat, TenantService, Value,
  WriteFailure, Written
} from "./Operations.ts"
export { connect, connectWith, type PromiseTenant } from "./Promises.ts"
export { Tenant, type TenantOptions } from "./Tenant.ts"
export type {
  ElementType, ErrorResult, OkResult, Operation, ReadOperation, Result, WriteOperation
} from "../store/Operation.ts"
