/**
 * The harness is tested: it must catch every mutation of the table within its budget, and nothing else.
 * Those that take long are hunted only on demand: `V2R2_MUTATIONS=all npx vitest run test/simulation/mutations`.
 *
 * Seeds are fixed, so this changes only when the core or the simulation does. `npm run simulate -- --mutations`
 * tells after how many runs each is caught now.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { hunt } from "./Catch.ts"
import { commandWith } from "./Mutation.ts"
import { mutate, sourceOf, type Mutation } from "./Row.ts"
import { mutations } from "./Table.ts"

/** Budgets up to here are hunted at every test run; a search takes a second. */
const quick_runs = 500
const isQuick = ({ budget, by }: Mutation): boolean => by === "search" || budget <= quick_runs
const hunted = process.env["V2R2_MUTATIONS"] === "all" ? mutations : mutations.filter(isQuick)

const example: Mutation = {
  name: "example",
  what: "It adds where it should subtract.",
  file: "src/vr/Quorum.ts",
  find: "a - b",
  replace: "a + b",
  budget: 1
}

describe("the table", () => {
  it("is applied to the one place that it fits, and refuses any other number of them", () => {
    assert.strictEqual(mutate(example, "return a - b"), "return a + b")
    assert.throws(() => mutate(example, "return a - c"), /"example" does not fit src\/vr\/Quorum.ts: .* 0 times/)
    assert.throws(() => mutate(example, "a - b + (a - b)"), / 2 times/)
  })

  it("has names that tell mutations apart, and no unknown one is started", () => {
    assert.strictEqual(new Set(mutations.map(({ name }) => name)).size, mutations.length)
    assert.throws(() => commandWith("no such bug", "a.ts"), /no mutation is called "no such bug"; there are: F1/)
  })

  it("takes back each fix but that of F9, which is to say so", () => {
    const fixes = new Set(hunted.flatMap(({ name }) => /^F\d+/.exec(name)?.[0] ?? []))
    const all = ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F10", "F11", "F12", "F13", "F14", "F15", "F16"]
    assert.sameMembers([...fixes], all)
  })

  it.each(mutations)("$name: fits its source", (mutation) => {
    assert.notStrictEqual(mutate(mutation, sourceOf(mutation)), sourceOf(mutation))
  })
})

describe("the harness", () => {
  it("catches nothing in the core as it is", { timeout: 120_000 }, async () => {
    assert.deepInclude(await hunt(null, 50), { name: null, caughtAfter: null, rule: null })
  })

  it.each(hunted)("catches $name", { timeout: 120_000 }, async ({ budget, name }) => {
    const { caughtAfter, rule } = await hunt(name, budget)
    assert.isNotNull(caughtAfter, `no rule was broken within ${budget}`)
    assert.isNotNull(rule)
  })
})
