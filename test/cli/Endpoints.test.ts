/**
 * The addresses that come before the command.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { takeEndpoints } from "../../src/cli/Endpoints.ts"
import { valuedFlags } from "../../src/cli/Options.ts"

const take = (line: string) => takeEndpoints(line.split(" "), valuedFlags)

describe("the addresses of a command line", () => {
  it.each([
    ["h:1 get /a", ["h:1"], "get /a"],
    ["h1:1,h2:2 h3:3 get /a", ["h1:1", "h2:2", "h3:3"], "get /a"],
    ["h:1 h:1 get", ["h:1"], "get"],
    ["[::1]:2000 status", ["[::1]:2000"], "status"],
    ["--tenant dev h:1 --json get /a", ["h:1"], "--tenant dev --json get /a"],
    ["--tenant=dev h:1 -e get", ["h:1"], "--tenant=dev -e get"],
    ["h:1 -", ["h:1"], "-"],
    ["h:1 -- h:2", ["h:1"], "-- h:2"],
    ["help", [], "help"]
  ])("takes them from: %s", (line, endpoints, rest) => {
    assert.deepStrictEqual(take(line), { endpoints, rest: rest.split(" "), problem: null })
  })

  it("leaves everything behind the command alone", () => {
    assert.deepStrictEqual(take("h:1 put /a h:2").rest, ["put", "/a", "h:2"])
    assert.deepStrictEqual(take("vr replica t::r1::dev1").endpoints, [])
  })

  it("does not take the value of a flag for an address", () => {
    assert.deepStrictEqual(take("-e h:1 h:2"), { endpoints: ["h:2"], rest: ["-e", "h:1"], problem: null })
  })

  it.each(["h:99999 get", "h:0 get", "h:1, get", "-bad-:1 get", "h:1,x get", "1.2.3.999:1 get"])("finds fault with: %s", (line) => {
    if (line.startsWith("-")) return assert.deepStrictEqual(take(line).endpoints, [])
    assert.include(take(line).problem, "expected host:port")
  })
})
