/**
 * A snapshot file with all that is in it: what is whole becomes data, and everything else is told apart.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { crc32 } from "node:zlib"
import { concat } from "../../src/base/Bytes.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { ClientTable } from "../../src/vr/ClientTable.ts"
import { SnapshotImage } from "../../src/wire/SnapshotImage.ts"
import { User } from "../store/User.ts"
import { history, fileOf, partsOf, snapshotOf, tenant, time } from "./SnapshotOf.ts"

const snapshot = snapshotOf(40)
const parts = partsOf(snapshot)
const file = fileOf(snapshot.op, parts)

const read = (chunks: Iterable<Uint8Array>) => {
  const image = new SnapshotImage()
  for (const chunk of chunks) image.push(chunk)
  const facts = image.finish()
  return { facts, fault: image.fault, store: image.store }
}
const faultOf = (...chunks: ReadonlyArray<Uint8Array>) => read(chunks).fault

describe("the image of a snapshot file", () => {
  it("has the facts, and the data, whatever the chunks", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: file.length }), (size) => {
      const count = Math.ceil(file.length / size)
      const { facts, fault, store } = read(Array.from({ length: count }, (_, index) => file.slice(index * size, (index + 1) * size)))
      assert.isNull(fault)
      assert.deepStrictEqual(facts, {
        tenant,
        header: { op: 42, time, log_bytes: 5_000, history },
        sessions: 2,
        elements: 40,
        parts: parts.length,
        bytes: file.length,
        digest: crc32(concat(parts))
      })
      assert.deepInclude(new User(store).get("/e7"), { _tag: "Value", version: 10 })
    }), { numRuns: 30 })
  })

  it("is that of an empty tenant, too", () => {
    const whole = { history, application: new User().store, clients: new ClientTable(), commit: 0, commitTime: 0, sinceSnapshot: 0 }
    const { facts, fault } = read([fileOf(0, partsOf(takeSnapshot(whole)))])
    assert.isNull(fault)
    assert.deepInclude(facts, { elements: 0, sessions: 0 })
  })
})

describe("what is no whole snapshot", () => {
  it("is foreign if it does not begin as one, however short", () => {
    const foreign = { kind: "foreign", reason: "it is no snapshot of a tenant" } as const
    for (const text of ["", "V2", "V2R2LOG\n", "{}", "x".repeat(1_000)]) {
      assert.deepStrictEqual(faultOf(new TextEncoder().encode(text)), foreign, text)
    }
    assert.deepStrictEqual(faultOf(...Array.from("V2R2LOG\n", (c) => new TextEncoder().encode(c))), foreign)
  })

  it("is damaged if any bit behind that is another, and says from where on", () => {
    for (let at = 8; at < file.length; at++) {
      const fault = faultOf(file.with(at, file[at]! ^ 0x10))
      // A damaged length of a part may ask for more than there is.
      assert.oneOf(fault?.kind, at >= 8 && at < 12 ? ["damaged", "newer"] : ["damaged", "cut"], `byte ${at}`)
    }
    assert.deepStrictEqual(faultOf(file.with(20, 0xff)), {
      kind: "damaged", reason: "its header is not as it was written (from byte 0 on)"
    })
    assert.deepStrictEqual(faultOf(file.with(100, file[100]! ^ 1)), {
      kind: "damaged", reason: "part 1 is not as it was written (from byte 72 on)"
    })
    assert.strictEqual(faultOf(concat([file, Uint8Array.of(1)]))?.reason, `something follows its end (from byte ${file.length} on)`)
  })

  it("is cut if its end is missing", () => {
    for (let size = 8; size < file.length; size++) assert.strictEqual(faultOf(file.slice(0, size))?.kind, "cut", `${size}`)
    assert.strictEqual(faultOf(file.slice(0, -1))?.reason, `it was cut: it ends behind part ${parts.length}`)
  })

  it("is newer if another program made the file, or what is in it", () => {
    const newer = file.with(11, 2)
    new DataView(newer.buffer).setUint32(12, crc32(newer.subarray(16, 64), crc32(newer.subarray(8, 12))))
    assert.deepStrictEqual(faultOf(newer), { kind: "newer", reason: "it has format version 2; this program knows version 1" })
    const [header, ...rest] = parts
    const inside = fileOf(snapshot.op, [header!.with(2, 9), ...rest])
    assert.deepStrictEqual(faultOf(inside), { kind: "newer", reason: "part 1: it has format version 9; this program knows version 2" })
    assert.strictEqual(faultOf(fileOf(snapshot.op, parts.slice(0, -1)))?.kind, "newer")
    assert.strictEqual(faultOf(fileOf(snapshot.op + 1, parts))?.kind, "newer")
    assert.strictEqual(faultOf(fileOf(snapshot.op, []))?.kind, "newer")
  })
})
