/**
 * Forming a cluster, against admin servers that are not there: what is asked, how often, and when to give up.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type Ask, form, type Refusal } from "../../src/devrel/Forming.ts"
import { layoutOf } from "../../src/devrel/Layout.ts"

const layouts = layoutOf("dev", 2, 2000)

/** Answers from a list, command by command; the last one for ever. Keeps what was asked. */
const scripted = (script: Record<string, ReadonlyArray<unknown>>) => {
  const asked: Array<string> = []
  const ask = ((address: string, command: string, args: object) =>
    Effect.suspend(() => {
      const answers = script[command] ?? []
      const answer = answers[Math.min(asked.filter((line) => line.includes(command)).length, answers.length - 1)]
      asked.push(`${address} ${command} ${JSON.stringify(args)}`)
      return answer instanceof Error ? Effect.fail<Refusal>({ code: answer.name, message: answer.message }) : Effect.succeed(answer)
    })) as Ask
  return { ask, asked }
}

const refusal = (name: string, message: string): Error => Object.assign(new Error(message), { name })

const both = [{ name: "dev1" }, { name: "dev2" }]

describe("forming a cluster", () => {
  it.effect("joins, waits until each knows all, creates the tenant, waits for its primary", () =>
    Effect.gen(function*() {
      const { ask, asked } = scripted({
        "cluster.join": [refusal("unavailable", "refused"), { members: [] }],
        "cluster.members": [[{ name: "dev1" }], both],
        "vr.create": [{}],
        "vr.primary": [{ primary: null }, { primary: "r1::dev1" }]
      })
      const forming = yield* Effect.forkChild(form(layouts, ask))
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(forming)
      const join = `127.0.0.1:2001 cluster.join {"address":"127.0.0.1:3000"}`
      assert.deepStrictEqual(asked, [
        join,
        join,
        "127.0.0.1:2001 cluster.members {}",
        "127.0.0.1:2001 cluster.members {}",
        "127.0.0.1:3001 cluster.members {}",
        `127.0.0.1:2001 vr.create {"name":"dev","replicas":[{"name":"r1","node":"dev1"},{"name":"r2","node":"dev2"}],` +
          `"durability":"disk"}`,
        `127.0.0.1:2001 vr.primary {"tenant":"dev"}`,
        `127.0.0.1:2001 vr.primary {"tenant":"dev"}`,
        `127.0.0.1:3001 vr.primary {"tenant":"dev"}`
      ])
    }))

  it.effect("takes a tenant that is there for its own", () =>
    Effect.gen(function*() {
      const { ask } = scripted({
        "cluster.join": [{}],
        "cluster.members": [both],
        "vr.create": [refusal("conflict", "the name is taken")],
        "vr.primary": [{ primary: "r1::dev1" }]
      })
      yield* form(layouts, ask)
    }))

  it.effect("ends at once on a refusal that time does not heal", () =>
    Effect.gen(function*() {
      const { ask } = scripted({ "cluster.join": [refusal("conflict", "dev2 is another node's name")] })
      const trouble = yield* Effect.flip(form(layouts, ask))
      assert.strictEqual(trouble.message, "the nodes do not form a cluster: dev2 is another node's name")
    }))

  it.effect("gives up after 20 s, with what was said last", () =>
    Effect.gen(function*() {
      const { ask } = scripted({ "cluster.join": [{}], "cluster.members": [[{ name: "dev1" }]] })
      const forming = yield* Effect.forkChild(Effect.flip(form(layouts, ask)))
      yield* TestClock.adjust(19_000)
      assert.isUndefined(forming.pollUnsafe())
      yield* TestClock.adjust(1_000)
      assert.match((yield* Fiber.join(forming)).message, /after 20 s: dev1 does not know dev2/)
    }))
})
