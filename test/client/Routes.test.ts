/**
 * Which address is tried next, and what is said when none helped.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { AddressBook, hintFor, Route } from "../../src/client/Routes.ts"
import { Limits } from "../../src/base/Limits.ts"

describe("a route", () => {
  it("tries every address once a round", () => {
    const route = new Route()
    const round = () => [1, 2, 3].map(() => route.next(["a", "b"]))
    assert.deepStrictEqual(round(), ["a", "b", null])
    assert.deepStrictEqual(round(), ["a", "b", null])
  })

  it("follows a redirect, but never in a circle", () => {
    const route = new Route()
    assert.strictEqual(route.next(["a", "b", "c"]), "a")
    route.redirected("a", "c", "n3")
    assert.strictEqual(route.next(["a", "b", "c"]), "c")
    route.redirected("c", "a", "n1")
    assert.strictEqual(route.next(["a", "b", "c"]), "b")
    assert.strictEqual(route.next(["a", "b", "c"]), null)
  })

  it("asks the others first when the one that worked fails", () => {
    const route = new Route()
    assert.strictEqual(route.next(["a", "b"]), "a")
    route.succeeded("a")
    route.failed("a", "reset")
    assert.strictEqual(route.next(["a", "b"]), "b")
    assert.strictEqual(route.next(["a", "b"]), null)
    assert.strictEqual(route.next(["a", "b"]), "a")
  })

  it("pauses longer after each round, and briefly again after a success or a request to wait", () => {
    const route = new Route()
    const pauses = [1, 2, 3, 4, 5, 6, 7].map(() => route.backOff())
    assert.deepStrictEqual(pauses, [20, 40, 80, 160, 320, 500, 500])
    route.delayed("a", "no primary")
    assert.strictEqual(route.backOff(), Limits.client_backoff_min_ms)
    route.backOff()
    route.succeeded("a")
    assert.strictEqual(route.backOff(), Limits.client_backoff_min_ms)
  })

  it("remembers why each address did not help, since the last success", () => {
    const route = new Route()
    route.failed("a", "refused")
    route.failed("b", "timed out")
    route.dialling("c")
    assert.deepStrictEqual(route.attempts, [
      { endpoint: "a", reason: "refused" }, { endpoint: "b", reason: "timed out" },
      { endpoint: "c", reason: "still connecting" }
    ])
    route.dialling("a")
    assert.deepStrictEqual(route.attempts[0], { endpoint: "a", reason: "refused" })
    route.waiting("a", "silent")
    assert.deepStrictEqual(route.attempts[0], { endpoint: "a", reason: "silent" })
    route.succeeded("a")
    assert.deepStrictEqual(route.attempts, [{ endpoint: "a", reason: "silent" }])
  })
})

describe("an address book", () => {
  const tenant = (id: string, ...nodes: ReadonlyArray<string>) => ({
    id,
    name: `name of ${id}`,
    replicas: nodes.map((node) => ({ name: "r", node, address: `${node}:2` }))
  })

  it("gives endpoints first, then the tenant's nodes, then all others, each once", () => {
    const book = new AddressBook(["seed:2", "n1:2"])
    book.listed([tenant("t1", "n1", "n2"), tenant("t2", "n3", "n4")])
    assert.deepStrictEqual(book.candidates("t2"), ["seed:2", "n1:2", "n3:2", "n4:2", "n2:2"])
    assert.deepStrictEqual(book.candidates("name of t2"), book.candidates("t2"))
  })

  it("knows a node that has two addresses as one, by the address that worked, until it does not", () => {
    const book = new AddressBook(["localhost:2", "other:2"])
    book.connected("localhost:2", "n1")
    book.told("n1", "n1:2")
    assert.deepStrictEqual(book.candidates(null), ["localhost:2", "other:2"])
    assert.strictEqual(book.resolve("n1", "n1:2"), "localhost:2")
    book.unreachable("localhost:2")
    assert.strictEqual(book.resolve("n1", "n1:2"), "n1:2")
    assert.deepStrictEqual(book.candidates(null), ["localhost:2", "other:2", "n1:2"])
  })

  it("forgets nothing, but does not grow for ever, and does not believe in empty addresses", () => {
    const book = new AddressBook(["a:2"])
    book.listed([{ id: "t", name: null, replicas: [{ name: "r", node: "n", address: "" }] }])
    assert.deepStrictEqual(book.candidates("t"), ["a:2"])
    for (let i = 0; i < 10_000; i++) book.told(`n${i}`, `n${i}:2`)
    assert.strictEqual(book.candidates(null).length, Limits.members_known_max + 1)
  })
})

describe("a hint", () => {
  it("is about what was seen", () => {
    const hint = (...reasons: ReadonlyArray<string>) => hintFor(reasons.map((reason) => ({ endpoint: "a", reason })))
    assert.include(hint(), "give the client address")
    assert.include(hint("refused", "refused"), "Is a node running there?")
    assert.include(hint("refused", "wrong cluster: got \"x\", expected \"y\""), "right name")
    assert.include(hint("wrong protocol: got …"), "client addresses")
    assert.include(hint("refused", "no primary is known at this moment"), "majority")
    assert.include(hint("timed out", "host name not found"), "the network between")
    assert.include(hint("refused", "silent for 2000 ms"), "allow more time")
  })
})
