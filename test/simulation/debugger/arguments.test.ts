/**
 * The command line of the debugger.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { parseArguments, UsageError } from "./Arguments.ts"

const nothing = { file: null, seed: null, commands: [], html: null, help: false }

describe("the arguments", () => {
  it.each([
    ["f.json", { file: "f.json" }],
    ["--seed 7", { seed: 7 }],
    ["--seed=7 -c p", { seed: 7, commands: ["p"] }],
    ["f.json --html", { file: "f.json", html: "" }],
    ["--html f.json", { file: "f.json", html: "" }],
    ["f.json --html out.html", { file: "f.json", html: "out.html" }],
    ["f.json --html -", { file: "f.json", html: "-" }],
    ["f.json --html=out", { file: "f.json", html: "out" }],
    ["--help", { help: true }]
  ])("%s", (line, expected) => {
    assert.deepEqual(parseArguments(line.split(" ")), { ...nothing, ...expected })
  })

  it("may hold several commands", () => {
    assert.deepEqual(parseArguments(["f", "-c", "jf view; p", "-c", " w "]).commands, ["jf view", "p", "w"])
  })

  it.each([
    ["", /which run/],
    ["a b", /one file is enough/],
    ["a --seed 1", /not both/],
    ["--seed x", /wants a number, not "x"/],
    ["--seed", /wants a number/],
    ["a --bogus", /no option --bogus/],
    ["a -c", /-c wants a value/]
  ])("complain: %s", (line, message) => {
    assert.throws(() => parseArguments(line === "" ? [] : line.split(" ")), UsageError, message)
  })
})
