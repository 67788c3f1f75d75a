/**
 * The client library over stores in memory: the real operations and results, without a cluster.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { V2R2 } from "../../src/client/Client.ts"
import { NoSuchTenant, type Unavailable } from "../../src/client/Errors.ts"
import { makeTenant, type TenantService } from "../../src/client/Operations.ts"
import { decodeResult, encodeOperation, type Operation, refuseOperation, type Result } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"

export const ids = { dev: "5f0c1b52-0f5f-4c55-9d5e-0c2f2f4c9d11", other: "8c3bfb2e-6a6f-4a0e-8f2b-2d3a3a2b7e55" }

export interface FakeCluster {
  readonly client: V2R2["Service"]
  readonly tenants: { readonly [name in keyof typeof ids]: TenantService }
  /** Every call from now on meets this. */
  readonly fail: (error: Unavailable) => void
  /** Names of tenants in the order in which sessions were opened. */
  readonly opened: Array<string>
}

const resultOf = (bytes: Uint8Array): Result => {
  const result = decodeResult(bytes)
  if (result._tag === "Malformed") throw new Error(result.reason)
  return result
}

/** Two tenants, `dev` and `other`, on one store each. */
export const fakeCluster = (): FakeCluster => {
  let failure: Unavailable | null = null
  const opened: Array<string> = []

  const service = (name: keyof typeof ids): TenantService => {
    const store = makeStore()
    let op = 0
    const run = (operation: Operation): Result => {
      const refusal = refuseOperation(operation)
      if (refusal !== undefined) return refusal
      const bytes = encodeOperation(operation)
      return resultOf(operation._tag === "Create" || operation._tag === "Put" || operation._tag === "Delete"
        ? store.apply(bytes, { op: ++op, time: 0, session: 1 })
        : store.query(bytes))
    }
    const call = <A, E>(operation: Operation, read: (result: Result) => Exit.Exit<A, E>): Effect.Effect<A, E | Unavailable> =>
      Effect.suspend((): Effect.Effect<A, E | Unavailable> => failure === null ? read(run(operation)) : Effect.fail(failure))
    return makeTenant({ id: ids[name], name, sessionLost: Effect.never, write: call, read: call })
  }

  const tenants = { dev: service("dev"), other: service("other") }
  const replicas = [
    { name: "r1", node: "dev1", address: "127.0.0.1:2002" },
    { name: "r2", node: "dev2", address: "127.0.0.1:3002" }
  ]
  const list = [
    { id: ids.dev, name: "dev", replicas },
    { id: ids.other, name: "other", replicas: [] }
  ]
  const client: V2R2["Service"] = {
    tenants: Effect.suspend(() => failure === null ? Effect.succeed(list) : Effect.fail(failure)),
    tenant: (nameOrId) =>
      Effect.suspend((): Effect.Effect<TenantService, Unavailable | NoSuchTenant> => {
        if (failure !== null) return Effect.fail(failure)
        const found = Object.values(tenants).find(({ id, name }) => id === nameOrId || name === nameOrId)
        if (found === undefined) return Effect.fail(new NoSuchTenant({ tenant: nameOrId, reason: "no node knows it" }))
        opened.push(nameOrId)
        return Effect.succeed(found)
      })
  }
  return { client, tenants, fail: (error) => { failure = error }, opened }
}
