/**
 * The client protocol: the bytes are those of docs/CLIENT-PROTOCOL.md (judged by a general msgpack codec), and whatever
 * comes from a stranger is a message or malformed, never an exception.
 *
 * @module
 */
import * as fc from "fast-check"
import { pack, Unpackr } from "msgpackr/pack"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
  type Outcome,
  type ServerMessage
} from "../../src/wire/ClientProtocol.ts"
import { FrameDecoder, header_bytes } from "../../src/wire/Frame.ts"

const op = Uint8Array.of(1, 2, 3)
const nonce = new Uint8Array(16).fill(9)
const uuid = "0e9cbe3c-2a3f-4d2c-9d2a-6b7f0d6b1a55"

/** Every message beside its array in the documentation. */
const clientMessages: ReadonlyArray<[ClientMessage, ReadonlyArray<unknown>]> = [
  [{ _tag: "Open", channel: 1, tenant: "dev", nonce }, [1, 1, "dev", nonce]],
  [{ _tag: "Attach", channel: 2, tenant: uuid, session: 77 }, [2, 2, uuid, 77]],
  [{ _tag: "Write", channel: 3, request: 1024, answered: 0, operation: op }, [3, 3, 1024, 0, op]],
  [{ _tag: "Read", channel: 0, id: 70_000, operation: op }, [4, 0, 70_000, op]],
  [{ _tag: "Close", channel: 200 }, [5, 200]],
  [{ _tag: "Tenants", id: 5 }, [6, 5]],
  [{ _tag: "Ping", id: Number.MAX_SAFE_INTEGER }, [7, Number.MAX_SAFE_INTEGER]]
]

const outcomes: ReadonlyArray<[Outcome, number, unknown]> = [
  [{ _tag: "Ok", result: op }, 0, op],
  [{ _tag: "Redirect", address: "10.0.0.1:2002", node: "n2" }, 1, ["10.0.0.1:2002", "n2"]],
  [{ _tag: "Retry", ms: 250, reason: "no primary" }, 2, [250, "no primary"]],
  [{ _tag: "NoTenant", message: "no tenant \"x\"" }, 3, "no tenant \"x\""],
  [{ _tag: "NoSession", message: "evicted" }, 4, "evicted"],
  [{ _tag: "Stale", message: "" }, 5, ""],
  [{ _tag: "Refused", message: "zu groß: 2 MiB…" }, 6, "zu groß: 2 MiB…"],
  [{ _tag: "Doubt", ms: 20, reason: "gave up" }, 7, [20, "gave up"]],
  [{ _tag: "Overloaded", ms: 50, reason: "too much" }, 8, [50, "too much"]]
]

const tenants = [
  {
    id: uuid,
    name: "dev",
    replicas: [{ name: "r1", node: "n1", address: "a:1" }, { name: "r2", node: "n2", address: "b:2" }]
  },
  { id: uuid, name: null, replicas: [] }
]

const serverMessages: ReadonlyArray<[ServerMessage, ReadonlyArray<unknown>]> = [
  [{ _tag: "Opened", channel: 1, session: 300, tenant: uuid }, [1, 1, 300, uuid]],
  ...outcomes.flatMap(([outcome, status, payload]): Array<[ServerMessage, ReadonlyArray<unknown>]> => [
    [{ _tag: "Written", channel: 1, request: 2 ** 33, outcome }, [3, 1, 2 ** 33, status, payload]],
    [{ _tag: "Answer", channel: 1, id: 0, outcome }, [4, 1, 0, status, payload]],
    [{ _tag: "Failed", channel: 1, outcome }, [5, 1, status, payload]]
  ]),
  [
    { _tag: "Tenants", id: 1, tenants },
    [6, 1, [[uuid, "dev", [["r1", "n1", "a:1"], ["r2", "n2", "b:2"]]], [uuid, null, []]]]
  ],
  [{ _tag: "Pong", id: 9 }, [7, 9]],
  [{ _tag: "Error", message: "message type 99 is unknown" }, [9, "message type 99 is unknown"]]
]

const stranger = new Unpackr({ useRecords: false, int64AsType: "number" })

const payloadOf = (frame: Uint8Array): Uint8Array => {
  const decoder = new FrameDecoder(Limits.client_frame_bytes_max)
  const payloads = decoder.push(frame)
  assert.lengthOf(payloads, 1, "exactly one frame")
  assert.lengthOf(decoder.rest, 0)
  return payloads[0] ?? new Uint8Array(0)
}

const reasonOf = (decoded: ClientMessage | ServerMessage | ReturnType<typeof decodeClientMessage>): string =>
  decoded._tag === "Malformed" ? decoded.reason : `no refusal, but ${decoded._tag}`

describe("messages of the client", () => {
  it.each(clientMessages)("%o are the array of the documentation, and come back", (message, array) => {
    const payload = payloadOf(encodeClientMessage(message))
    assert.deepEqual(stranger.unpack(payload), array)
    assert.deepEqual(decodeClientMessage(payload), message)
    assert.deepEqual(decodeClientMessage(Uint8Array.from(pack(array))), message, "from another encoder")
  })

  it("of every size and number come back", () => {
    const edge = fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32)
    const number = fc.oneof(fc.nat(), fc.maxSafeNat(), edge)
    const size = fc.constantFrom(0, 1, 255, 256, 65_535, 65_536, Limits.operation_bytes_max)
    fc.assert(fc.property(number, number, number, size, (channel, request, answered, bytes) => {
      const operation = new Uint8Array(bytes).fill(5)
      const write = { _tag: "Write", channel, request: request + (request === 0 ? 1 : 0), answered, operation } as const
      assert.deepEqual(decodeClientMessage(encodeClientMessage(write).subarray(header_bytes)), write)
    }), { numRuns: 60 })
  })

  it("are not touched by those encoded after them", () => {
    const frames = Array.from({ length: 5_000 }, (_, id) =>
      encodeClientMessage({ _tag: "Read", channel: 1, id, operation: new Uint8Array(id % 97).fill(id) }))
    frames.forEach((frame, id) => {
      const message = decodeClientMessage(payloadOf(frame))
      assert.deepEqual(message, { _tag: "Read", channel: 1, id, operation: new Uint8Array(id % 97).fill(id) })
    })
  })

  it("hold their bytes as views of the payload", () => {
    const payload = payloadOf(encodeClientMessage({ _tag: "Read", channel: 1, id: 1, operation: op }))
    const message = decodeClientMessage(payload)
    assert.strictEqual(message._tag === "Read" ? message.operation.buffer : null, payload.buffer)
  })

  it.each<[string, unknown, string]>([
    ["no array", { a: 1 }, "message: expected an array"],
    ["an empty array", [], "the message ends before message type"],
    ["a type that is no number", ["open"], "message type: expected an integer from 0 to 2^53 - 1"],
    ["a field too few", [3, 1, 1, 0], "message type 3: expected 5 elements, got 4"],
    ["a field too many", [5, 1, 1], "message type 5: expected 2 elements, got 3"],
    ["a negative channel", [5, -1], "channel: expected an integer from 0"],
    ["a fraction", [5, 1.5], "channel: expected an integer from 0"],
    ["not a number", [5, NaN], "channel: expected an integer from 0"],
    ["a number beyond 2^53", [7, 2 ** 53], "id: expected an integer from 0"],
    ["request 0", [3, 1, 0, 0, op], "request: expected an integer from 1"],
    ["session 0", [2, 1, "dev", 0], "session: expected an integer from 1"],
    ["an operation that is text", [4, 1, 1, "abc"], "operation: expected binary data"],
    [
      "an operation too long",
      [4, 1, 1, new Uint8Array(Limits.operation_bytes_max + 1)],
      "operation: expected at most 1052672 bytes, got 1052673"
    ],
    ["a short nonce", [1, 1, "dev", new Uint8Array(15)], "nonce: expected 16 bytes"],
    ["a long nonce", [1, 1, "dev", new Uint8Array(17)], "nonce: expected at most 16 bytes, got 17"],
    ["a tenant that is no text", [1, 1, null, nonce], "tenant: expected a string"],
    ["a long tenant name", [1, 1, "t".repeat(65), nonce], "tenant: expected at most 64 bytes, got 65"]
  ])("with %s are malformed", (_, value, reason) => {
    const decoded = decodeClientMessage(pack(value))
    assert.include(reasonOf(decoded), reason)
    assert.isFalse(decoded._tag === "Malformed" && decoded.ignorable)
  })

  it("of an unknown type may be ignored, whatever they hold", () => {
    assert.deepStrictEqual(decodeClientMessage(pack([42, { a: [1] }, "x"])), {
      _tag: "Malformed",
      reason: "message type 42 is unknown",
      ignorable: true
    })
  })

  it("are refused at every truncation, and with bytes after them", () => {
    for (const [message] of clientMessages) {
      const payload = payloadOf(encodeClientMessage(message))
      for (let length = 0; length < payload.length; length++) {
        assert.strictEqual(decodeClientMessage(payload.subarray(0, length))._tag, "Malformed")
      }
      assert.strictEqual(reasonOf(decodeClientMessage(Uint8Array.from([...payload, 0]))), "1 bytes after the message")
    }
  })
})

describe("messages of the server", () => {
  it.each(serverMessages)("%o are the array of the documentation, and come back", (message, array) => {
    const payload = payloadOf(encodeServerMessage(message))
    assert.deepEqual(stranger.unpack(payload), array)
    assert.deepEqual(decodeServerMessage(payload), message)
    assert.deepEqual(decodeServerMessage(Uint8Array.from(pack(array))), message, "from another encoder")
  })

  it("of an unknown type are known to be unknown: pushes, and what is not invented yet", () => {
    assert.deepStrictEqual(decodeServerMessage(pack([8, 1, "event", { a: 1 }])), { _tag: "Unknown", type: 8 })
    assert.deepStrictEqual(decodeServerMessage(pack([77])), { _tag: "Unknown", type: 77 })
  })

  it.each<[string, unknown, string]>([
    ["an unknown status", [4, 1, 1, 9, "x"], "status: 9 is unknown"],
    ["a result that is text", [4, 1, 1, 0, "x"], "result: expected binary data"],
    ["half a redirect", [4, 1, 1, 1, ["a:1"]], "payload: expected two elements"],
    ["a redirect to nowhere", [4, 1, 1, 1, "a:1"], "payload: expected an array"],
    ["a long address", [4, 1, 1, 1, ["a".repeat(260), "n"]], "address: expected at most 259 bytes, got 260"],
    ["a tenant of too few parts", [6, 1, [["x", null]]], "tenant: expected three elements"],
    ["a replica of too few parts", [6, 1, [["x", null, [["r", "n"]]]]], "replica: expected three elements"],
    [
      "too many replicas",
      [6, 1, [["x", null, Array.from({ length: 8 }, () => ["r", "n", "a"])]]],
      "replicas: expected at most 7 elements, got 8"
    ],
    ["an error without words", [9, null], "message: expected a string"]
  ])("with %s are malformed", (_, value, reason) => {
    assert.include(reasonOf(decodeServerMessage(pack(value))), reason)
  })

  it("are refused at every truncation", () => {
    for (const [message] of serverMessages) {
      const payload = payloadOf(encodeServerMessage(message))
      for (let length = 0; length < payload.length; length++) {
        assert.strictEqual(decodeServerMessage(payload.subarray(0, length))._tag, "Malformed")
      }
    }
  })
})

describe("bytes from strangers", () => {
  const valid = [...clientMessages, ...serverMessages].map(([, array]) => Uint8Array.from(pack(array)))

  it("are a message or malformed", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80, size: "max" }), (payload) => {
      decodeClientMessage(payload)
      decodeServerMessage(payload)
    }), { numRuns: 5_000 })
  })

  it("are a message or malformed also when nearly right, and the next message is not affected", () => {
    const ping = pack([7, 1])
    fc.assert(fc.property(fc.constantFrom(...valid), fc.nat(), fc.nat({ max: 255 }), (payload, at, byte) => {
      const damaged = Uint8Array.from(payload)
      damaged[at % damaged.length] = byte
      decodeClientMessage(damaged)
      decodeServerMessage(damaged)
      assert.deepStrictEqual(decodeClientMessage(ping), { _tag: "Ping", id: 1 })
    }), { numRuns: 5_000 })
  })

  it("cannot make the decoder allocate what a header promises", () => {
    for (const hex of ["93ddffffffff", "94040101c6ffffffff", "930601ddffffffff"]) {
      assert.strictEqual(decodeServerMessage(Uint8Array.from(Buffer.from(hex, "hex")))._tag, "Malformed")
      assert.strictEqual(decodeClientMessage(Uint8Array.from(Buffer.from(hex, "hex")))._tag, "Malformed")
    }
  })
})
