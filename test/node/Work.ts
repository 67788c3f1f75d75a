/**
 * What clients of a tenant do in the tests of whole nodes: numbered elements, each created once.
 *
 * @module
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { TenantService } from "../../src/client/index.ts"
import { bytes, text, type TestNode, type World } from "./World.ts"

export const enter = (world: World, nodes: ReadonlyArray<TestNode>, tenant: string) =>
  Effect.flatMap(world.client(nodes), (client) => client.tenant(tenant))

/** Creates /<from> … /<to>: a second execution would fail. */
export const write = (tenant: TenantService, from: number, to: number) =>
  Effect.forEach(Array.from({ length: to - from + 1 }, (_, index) => from + index), (n) =>
    tenant.create(`/${n}`, bytes(String(n))), { concurrency: "unbounded", discard: true })

/** /1 … /<count> are there, and nothing else. */
export const holds = (tenant: TenantService, count: number) =>
  Effect.gen(function*() {
    assert.strictEqual((yield* tenant.stat("/")).children, count)
    assert.strictEqual(text((yield* tenant.get(`/${count}`)).data), String(count))
  })
