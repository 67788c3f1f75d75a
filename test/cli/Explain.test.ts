/**
 * Every error of the client library and of the admin client has its exit code, its words and a way on.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { explain, type Explainable } from "../../src/cli/Explain.ts"
import { ExitCode, failureJson, failureText, usage } from "../../src/cli/Failure.ts"
import { AdminIndeterminate } from "../../src/client/Admin.ts"
import {
  AlreadyExists, CasFailed, Indeterminate, Invalid, LimitExceeded, NoSuchTenant, NotEmpty, NotFound, ParentNotFound,
  SessionLost, Unavailable, WrongType
} from "../../src/client/Errors.ts"

const errors: ReadonlyArray<readonly [error: Explainable, exit: number, words: string]> = [
  [new NotFound({ path: "/a/b" }), 3, "list /a"],
  [new ParentNotFound({ path: "/a/b", parent: "/a" }), 3, "the directory /a does not exist"],
  [new AlreadyExists({ path: "/a" }), 4, "put /a <data>"],
  [new CasFailed({ path: "/a", expected: 1, actual: 2 }), 4, "its version is 2, not 1"],
  [new WrongType({ path: "/a", expected: "blob", actual: "directory" }), 4, "/a is a directory"],
  [new NotEmpty({ path: "/a", children: 3 }), 4, "3 children"],
  [new Invalid({ path: "a", reason: "a path starts with /" }), 2, "a path starts with /"],
  [new LimitExceeded({ path: "/a", what: "value_bytes_max", limit: 10, actual: 11 }), 8, "11 is more than value_bytes_max"],
  [new Unavailable({ attempts: [{ endpoint: "h:1", reason: "refused" }], hint: "Look." }), 6, "h:1: refused"],
  [new Indeterminate({ path: "/a", reason: "no answer" }), 7, "look at /a"],
  [new SessionLost({ tenant: "t", session: 1, reason: "evicted" }), 6, "evicted"],
  [new NoSuchTenant({ tenant: "x", reason: "unknown" }), 3, "there is no tenant \"x\""],
  [new AdminIndeterminate({ endpoint: "h:1", command: "vr.create", reason: "closed" }), 7, "may or may not"]
]

describe("an error is explained", () => {
  it.each(errors)("$_tag", (error, exit, words) => {
    const failure = explain(error, "do it")
    const text = failureText(failure, (red) => red)
    assert.strictEqual(ExitCode[failure.exit], exit)
    assert.isTrue(text.startsWith("error: do it: "))
    assert.include(text, words)
    assert.isAtMost(text.split("\n").length, 2)
    assert.deepInclude(JSON.parse(failureJson(failure)).error, { code: failure.code, exit, attempt: "do it" })
  })

  it("keeps what a command itself has said", () => {
    assert.deepInclude(explain(usage("no", "so", "there"), "here"), { attempt: "there", message: "no", hint: "so", exit: "usage" })
    assert.strictEqual(explain(usage("no"), "here").attempt, "here")
  })
})
