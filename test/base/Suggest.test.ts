/**
 * "Did you mean".
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { nearest } from "../../src/base/Suggest.ts"

const known = ["admin_host", "client_host", "log_level", "put", "get"]

describe("the nearest word", () => {
  it.each([
    ["admin_hots", "admin_host"],
    ["adminhost", "admin_host"],
    ["adminHost", "admin_host"],
    ["clint_host", "client_host"],
    ["LOG_LEVEL", "log_level"],
    ["pt", "put"],
    ["gte", "get"]
  ])("to %s is %s", (word, expected) => assert.strictEqual(nearest(word, known), expected))

  it.each(["", "x", "port", "level", "a".repeat(100_000), "höst"])("to %s is none", (word) => {
    assert.isUndefined(nearest(word, known))
  })
})
