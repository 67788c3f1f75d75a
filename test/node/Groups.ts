/**
 * What tests of whole nodes do with groups: change them, and look at what became of them.
 *
 * @module
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { AdminError } from "../../src/wire/AdminProtocol.ts"
import type { ChangePlan, ChangeWish } from "../../src/wire/Changes.ts"
import type { TestNode, World } from "./World.ts"

export const places = (nodes: ReadonlyArray<TestNode>) => nodes.map(({ name }) => ({ name: null, node: name }))

/** As the command does: planned, and asked for until it is done. Gives the plan. */
export const change = (world: World, via: TestNode, wish: ChangeWish, force = false): Effect.Effect<ChangePlan, AdminError> =>
  Effect.gen(function*() {
    const plan = yield* world.ask(via, "vr.group.plan", wish)
    const { epoch, next } = plan
    const args = { tenant: wish.tenant, epoch, replicas: next, force }
    yield* world.until(`the group is ${next.join(", ")}`, Effect.map(world.ask(via, "vr.group.ask", args), ({ done }) => done))
    return plan
  })

export const groupOf = (world: World, node: TestNode, tenant: string) =>
  Effect.map(world.ask(node, "vr.tenants", {}), (tenants) => {
    const found = tenants.find(({ name }) => name === tenant)
    return { epoch: found?.epoch, replicas: found?.replicas.map(({ name, node }) => `${name}::${node}`) }
  })

/** Of that tenant, on the disks of these nodes. */
export const held = (nodes: ReadonlyArray<TestNode>): ReadonlyArray<string> =>
  nodes.flatMap(({ disk }) => [...disk.journals.keys()]).map((key) => key.slice(key.indexOf("::") + 2)).sort()

export const fails = <A>(asked: Effect.Effect<A, AdminError>, code: string, reason: RegExp) =>
  Effect.map(Effect.flip(asked), (error) => {
    assert.strictEqual(error.code, code)
    assert.match(error.message, reason)
  })
