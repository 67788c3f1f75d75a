/**
 * Addresses: what is accepted, and that every refusal says why.
 *
 * @module
 */
import * as fc from "fast-check"
import { isIPv4, isIPv6 } from "node:net"
import { assert, describe, it } from "vitest"
import { addressProblem, formatAddress, hostProblem, isWildcard, parseAddress } from "../../src/base/Address.ts"

const form = "expected host:port, such as 127.0.0.1:2000 or [::1]:2000"

describe("addresses", () => {
  it.each([
    ["127.0.0.1:2000", "127.0.0.1", 2000],
    ["localhost:1", "localhost", 1],
    ["db_1.example-site.com:65535", "db_1.example-site.com", 65535],
    ["[::1]:2000", "::1", 2000],
    ["[fe80::1:2]:80", "fe80::1:2", 80],
    ["[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80]
  ])("reads %s and writes it the same way", (text, host, port) => {
    const address = parseAddress(text)
    assert.deepStrictEqual(address, { ok: true, value: { host, port } })
    assert.strictEqual(formatAddress({ host, port }), text)
  })

  it.each([
    ["", "got an empty text"],
    ["localhost", `got "localhost" without a port`],
    ["[::1]", `got "[::1]" without a port`],
    [":2000", `got ":2000": the host is missing`],
    ["::1:2000", `got "::1:2000": an IPv6 address is written in brackets`],
    ["[::1:2000", `got "[::1:2000": the bracket is not closed`],
    ["[::g]:2000", `got "[::g]:2000": "::g" is no IPv6 address`],
    ["256.1.1.1:2000", `got "256.1.1.1:2000": "256.1.1.1" is no IPv4 address`],
    ["10.0.1:2000", `got "10.0.1:2000": "10.0.1" is no IPv4 address`],
    ["a..b:2000", `got "a..b:2000": "" cannot be part of a host name`],
    ["-a:2000", `got "-a:2000": "-a" cannot be part of a host name`],
    ["http://a:2000", `got "http://a:2000": "http://a" cannot be part of a host name`],
    ["a b:2000", `got "a b:2000": "a b" cannot be part of a host name`],
    ["a:", `got "a:": the port is a number from 1 to 65535`],
    ["a:0", `got "a:0": the port is a number from 1 to 65535`],
    ["a:65536", `got "a:65536": the port is a number from 1 to 65535`],
    ["a:080", `got "a:080": the port is a number from 1 to 65535`],
    ["a:1e3", `got "a:1e3": the port is a number from 1 to 65535`],
    ["a: 80", `got "a: 80": the port is a number from 1 to 65535`]
  ])("refuses %j", (text, reason) => {
    assert.strictEqual(addressProblem(text), `${form}, ${reason}`)
  })

  it("has port 0 only where a listener may choose", () => {
    assert.isNull(addressProblem("127.0.0.1:0", true))
    assert.isString(addressProblem("127.0.0.1:0"))
    assert.isString(addressProblem("127.0.0.1:-1", true))
  })

  it("limits a host name to what DNS allows", () => {
    assert.isNull(hostProblem(`${"a".repeat(63)}.b`))
    assert.isString(hostProblem(`${"a".repeat(64)}.b`))
    assert.isString(hostProblem("a.".repeat(127).slice(0, -1) + "bc"))
  })

  it("knows the hosts that nobody can dial", () => {
    assert.deepStrictEqual(["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::1", "10.0.0.0"].map(isWildcard), [
      true,
      true,
      true,
      false,
      false
    ])
  })

  it("agrees with the platform on IPv4 and IPv6", () => {
    const v4ish = fc.array(fc.nat(300), { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."))
    fc.assert(fc.property(v4ish, (text) => assert.strictEqual(hostProblem(text) === null, isIPv4(text), text)))
    const hex = fc.nat(65_535).map((n) => n.toString(16))
    const part = fc.oneof(fc.constantFrom("", ":", "::", "1.2.3.4", "0", "12345", "g"), hex)
    const v6ish = fc.oneof(
      fc.ipV6(),
      fc.array(part, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(":"))
    ).filter((text) => !text.includes("%"))
    fc.assert(fc.property(v6ish, (text) => assert.strictEqual(hostProblem(`[${text}]`) === null, isIPv6(text), text)), {
      numRuns: 2_000
    })
  })

  it("never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      const address = parseAddress(text)
      if (address.ok) assert.isNull(addressProblem(formatAddress(address.value)))
    }))
  })
})
