/**
 * The peer protocol: what one node sends, another reads; whatever else comes is refused.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import { concat } from "../../src/base/Bytes.ts"
import { type Entry, entryKinds, type Message } from "../../src/vr/Message.ts"
import { decodeEnvelope, encodeEnvelope, encodeMessage, tailOf } from "../../src/wire/PeerProtocol.ts"

const number = fc.oneof(fc.nat(300), fc.maxSafeNat())
const tenant = "6f9619ff-8b86-4d01-8b42-00cf4fc964ff"

const entries = (first: number) =>
  fc.array(fc.record({
    view: number,
    time: number,
    kind: fc.constantFrom(...entryKinds),
    session: number,
    request: number,
    answered: number,
    operation: fc.uint8Array({ maxLength: 300, size: "max" })
  }), { maxLength: 5 }).map((list): ReadonlyArray<Entry> => list.map((entry, i) => ({ op: first + i, ...entry })))

/** Messages that carry entries from `first` on. */
const withEntries = <M>(make: (first: number, entries: ReadonlyArray<Entry>, numbers: [number, number, number]) => M) =>
  fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.tuple(number, number, number)).chain(([first, numbers]) =>
    entries(first).map((list) => make(first, list, numbers)))

const numbers = <M>(make: (a: number, b: number, c: number, d: number) => M) =>
  fc.tuple(number, number, number, number).map(([a, b, c, d]) => make(a, b, c, d))

const message: fc.Arbitrary<Message> = fc.oneof(
  withEntries((first, list, [view, commit]): Message => ({ _tag: "Prepare", view, first, entries: list, commit })),
  withEntries((first, list, [view, commit]): Message => ({ _tag: "StartView", view, first, entries: list, commit })),
  withEntries((first, list, [view, logView, commit]): Message =>
    ({ _tag: "DoViewChange", view, logView, first, entries: list, commit })),
  withEntries((first, list, [view, op, commit]): Message => ({ _tag: "NewState", view, first, entries: list, op, commit })),
  withEntries((first, list, [view]): Message => ({ _tag: "Committed", view, first, entries: list })),
  numbers((view, op): Message => ({ _tag: "PrepareOk", view, op })),
  numbers((view, op, commit, round): Message => ({ _tag: "Commit", view, op, commit, round, lease_ms: view % 1_000 })),
  numbers((view, op, round, coin): Message => ({ _tag: "CommitOk", view, op, round, promised: coin % 2 === 0 })),
  numbers((view, coin): Message => ({ _tag: "StartViewChange", view, probing: coin % 2 === 0 })),
  numbers((view, after): Message => ({ _tag: "GetState", view, after })),
  numbers((view, after, last): Message => ({ _tag: "GetCommitted", view, after, last })),
  numbers((op, index): Message => ({ _tag: "GetSnapshot", op, index })),
  fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), number, number, number, fc.uint8Array({ maxLength: 300, size: "max" })).map(
    ([op, view, index, size, bytes]): Message => ({ _tag: "SnapshotPart", view, op, index, size, bytes })
  ),
  numbers((op, view): Message => ({ _tag: "StartEpoch", op, view })),
  fc.constant<Message>({ _tag: "EpochStarted" }),
  numbers((nonce, view): Message => ({ _tag: "Recovery", nonce, view })),
  numbers((nonce, view, op, commit): Message => ({ _tag: "RecoveryResponse", nonce, view, op, commit }))
)

/** What is sent, without the length before it. */
const payloadOf = (sent: Message): Uint8Array => {
  const tail = tailOf(sent)
  return concat([encodeEnvelope(tenant, "r2::dev2", "r1::dev1", 3, encodeMessage(sent), tail), tail]).subarray(4)
}

describe("peer protocol", () => {
  it("brings every message over as it was", () => {
    fc.assert(fc.property(message, (sent) => {
      const got = decodeEnvelope(payloadOf(sent))
      assert.deepStrictEqual(got, { tenant, to: "r2::dev2", from: "r1::dev1", epoch: 3, message: sent })
    }), { numRuns: 500 })
  })

  it("says the length of the frame before it, with the tail that follows", () => {
    const part: Message = { _tag: "SnapshotPart", view: 1, op: 2, index: 0, size: 9, bytes: new Uint8Array(300) }
    for (const sent of [{ _tag: "PrepareOk", view: 1, op: 2 } satisfies Message, part]) {
      const tail = tailOf(sent)
      const frame = encodeEnvelope(tenant, "a::b", "c::d", 0, encodeMessage(sent), tail)
      assert.strictEqual(new DataView(frame.buffer, frame.byteOffset).getUint32(0), frame.length + tail.length - 4)
    }
  })

  it("refuses a message that was cut anywhere", () => {
    fc.assert(fc.property(message, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (sent, where) => {
      const payload = payloadOf(sent)
      assert.property(decodeEnvelope(payload.subarray(0, Math.floor(where * payload.length))), "reason")
    }))
  })

  it("refuses an entry of a kind that there is not", () => {
    const entry: Entry = { op: 1, view: 0, time: 0, kind: "reconfigure", session: 0, request: 0, answered: 0, operation: new Uint8Array(1) }
    const payload = payloadOf({ _tag: "Prepare", view: 0, first: 1, entries: [entry], commit: 0 }).slice()
    // From the end: the operation (3 bytes), three zeros, the kind.
    const at = payload.length - 7
    assert.strictEqual(payload[at], entryKinds.indexOf("reconfigure"))
    payload[at] = entryKinds.length
    assert.deepInclude(decodeEnvelope(payload), { reason: "no entry is of this kind" })
  })

  it("never throws, whatever comes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (bytes) => {
      assert.property(decodeEnvelope(bytes), "reason")
    }), { numRuns: 1_000 })
    fc.assert(fc.property(message, fc.nat(), fc.nat(255), (sent, at, byte) => {
      const payload = Uint8Array.from(payloadOf(sent))
      payload[at % payload.length] = byte
      decodeEnvelope(payload)
    }), { numRuns: 1_000 })
  })

  it("names a message type that it does not know", () => {
    const payload = payloadOf({ _tag: "PrepareOk", view: 1, op: 2 })
    const at = payload.length - 3 // [type, view, op] at the end, one byte each
    payload[at] = 99
    assert.deepStrictEqual(decodeEnvelope(payload), { _tag: "Malformed", reason: "no message type 99" })
  })
})
