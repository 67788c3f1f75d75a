/**
 * The hello: what is carried, who fits whom, and that a refusal says what was got and what was expected.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { header_bytes } from "../../src/wire/Frame.ts"
import {
  decodeHello,
  encodeHello,
  encodeReject,
  type Hello,
  makeHello,
  reject,
  verifyHello
} from "../../src/wire/Hello.ts"
import { pack } from "../../src/wire/Msgpack.ts"

const limits = { frame_bytes_max: Limits.client_frame_bytes_max, value_bytes_max: Limits.value_bytes_max }
const node = makeHello("v2r2-peer", { cluster: "prod", node: "n1", limits })
const server = makeHello("v2r2-client", { cluster: "prod", node: "n1", limits })
const client = makeHello("v2r2-client", { cluster: null, node: null, limits })

const onTheWire = (hello: object): ReturnType<typeof decodeHello> => decodeHello(pack(hello))
const plain = { hello: "v2r2-client", version: 1, cluster: "prod", node: null, limits: { frame_bytes_max: 1 } }

describe("hello", () => {
  it.each([[node], [server], [client]])("carries everything, limits too", (hello) => {
    const frame = encodeHello(hello)
    assert.isAtMost(frame.length - header_bytes, Limits.hello_bytes_max)
    assert.deepStrictEqual(decodeHello(frame.subarray(header_bytes)), hello)
  })

  it("may be a reject instead", () => {
    const no = reject("busy", "4096 connections; at most 4096 are allowed")
    assert.deepStrictEqual(decodeHello(encodeReject(no).subarray(header_bytes)), no)
  })

  it("keeps the message of a reject whose code is newer than we are", () => {
    const newer = { reject: "phase-of-moon", message: "not today" }
    assert.deepStrictEqual(onTheWire(newer), reject("protocol", "not today"))
  })

  it("of another version is read, so that it can be refused by name", () => {
    const got = onTheWire({ ...plain, hello: "v9", version: 9, extra: [1] })
    assert.strictEqual(got._tag, "Hello")
  })

  it.each<[string, object, string]>([
    ["no map", [1], "not a map"],
    ["no protocol", { ...plain, hello: 1 }, "hello: expected the name of a protocol"],
    ["no version", { ...plain, version: -1 }, "version: expected an integer"],
    ["a bad cluster", { ...plain, cluster: "a b" }, "cluster: expected a name or nil"],
    ["a long node name", { ...plain, node: "n".repeat(65) }, "node: expected a name or nil"],
    ["no limits", { ...plain, limits: {} }, "limits: expected a map of integers with frame_bytes_max"],
    ["odd limits", { ...plain, limits: { frame_bytes_max: 1, x: "y" } }, "limits: expected a map of integers"],
    ["a reject without reason", { reject: "busy" }, "reject without a message"]
  ])("with %s is malformed", (_, hello, reason) => {
    const got = onTheWire(hello)
    assert.strictEqual(got._tag, "Malformed")
    assert.include(got._tag === "Malformed" ? got.reason : "", reason)
  })

  it("never throws, whatever comes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100, size: "max" }), (payload) => {
      decodeHello(payload)
    }))
    fc.assert(fc.property(fc.object(), (value) => {
      onTheWire(value)
    }))
  })
})

describe("two hellos", () => {
  const from = (change: Partial<Hello>, base = client): Hello => ({ ...base, ...change })

  it.each<[string, Hello, Hello]>([
    ["a client that takes any cluster", server, client],
    ["a client of the same cluster", server, from({ cluster: "prod" })],
    ["a server, as the client sees it", client, server],
    ["two nodes", node, from({ node: "n2" }, node)]
  ])("fit: %s", (_, expected, got) => {
    assert.isNull(verifyHello(expected, got))
  })

  it.each<[string, Hello, Hello, ReturnType<typeof reject>]>([
    [
      "another protocol",
      server,
      from({ protocol: "v2r2-admin" }),
      reject("protocol", `wrong protocol: got "v2r2-admin", expected "v2r2-client"`)
    ],
    [
      "another version",
      server,
      from({ version: 2 }),
      reject("version", "wrong version of v2r2-client: got 2, expected 1")
    ],
    [
      "another cluster",
      server,
      from({ cluster: "dev" }),
      reject("cluster", `wrong cluster: got "dev", expected "prod"`)
    ],
    [
      "a node of no cluster",
      node,
      from({ cluster: null }, node),
      reject("cluster", `wrong cluster: got none, expected "prod"`)
    ],
    ["a node without a name", node, from({ node: null }, node), reject("name", "a node must say its name: got none")]
  ])("do not fit: %s", (_, expected, got, why) => {
    assert.deepStrictEqual(verifyHello(expected, got), why)
  })

  it("do not echo endless names", () => {
    assert.isBelow(verifyHello(server, from({ protocol: "x".repeat(4000) }))?.message.length ?? Infinity, 200)
  })
})
