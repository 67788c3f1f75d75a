/**
 * A snapshot: taken at once, read at leisure, put in place whole or not at all.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { crc32 } from "../../src/base/Checksum.ts"
import type { PartReader } from "../../src/vr/Application.ts"
import { ClientTable } from "../../src/vr/ClientTable.ts"
import { partRoom, Restoration, takeSnapshot, type Whole } from "../../src/vr/Snapshot.ts"
import { append, get, readResult, Register } from "../simulation/Register.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { applyTo } from "./Applying.ts"

const history = [{ epoch: 1, replicas: ["R0", "R1", "R2"], leaving: ["R3"], op: 1, view: 0 }]

interface State extends Whole {
  readonly application: Register
  commit: number
}

const empty = (): State => ({
  history, application: new Register(), clients: new ClientTable(), commit: 0, commitTime: 1_000, sinceSnapshot: 7
})

/** A session, or a write of one that there is; the client may have acknowledged some. */
const steps = fc.array(fc.record({ session: fc.nat(4), answered: fc.nat(10) }), { minLength: 1, maxLength: 60, size: "max" })

const apply = (state: State, drawn: ReadonlyArray<{ readonly session: number; readonly answered: number }>): void => {
  for (const { answered, session } of drawn) {
    const op = ++state.commit
    const known = state.clients.sessionOf(new Uint8Array(16).fill(session))
    if (known === undefined) state.clients.register(op, new Uint8Array(16).fill(session))
    else {
      applyTo(state.clients, known, op, answered, () =>
        state.application.apply(append(`k${session}`, `${op}`), { op, time: op, session: known }))
    }
  }
}

const partsOf = (reader: PartReader): ReadonlyArray<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
  return parts
}

const restore = (parts: ReadonlyArray<Uint8Array>): { readonly state: State; readonly image: Restoration } => {
  const state = empty()
  const image = new Restoration(state.application)
  for (const part of parts) assert.isNull(image.add(part))
  assert.isTrue(image.isWhole)
  image.install(state.clients)
  state.commit = image.header!.op
  return { state, image }
}

const small = { snapshot_part_bytes_max: 50 }

describe("a snapshot", () => {
  it("is the state when it was taken, whatever is done while it is read; what it restores goes on the same", () => {
    const release = squeeze(small)
    fc.assert(fc.property(steps, steps, (before, after) => {
      const state = empty()
      apply(state, before)
      const snapshot = takeSnapshot(state)
      const expected = partsOf(snapshot.read())
      const reader = snapshot.read()
      const parts: Array<Uint8Array> = []
      for (const step of after) {
        const part = reader.next()
        if (part !== null) parts.push(part)
        apply(state, [step])
      }
      parts.push(...partsOf(reader))
      assert.deepStrictEqual(parts, expected)
      const restored = restore(parts).state
      assert.strictEqual(restored.commit, before.length)
      apply(restored, after)
      assert.deepStrictEqual(partsOf(takeSnapshot(restored).read()), partsOf(takeSnapshot(state).read()))
    }))
    release()
  })

  it("says of which op and time it is, how much log there was, and who the replicas are", () => {
    const state = empty()
    apply(state, [{ session: 1, answered: 0 }, { session: 1, answered: 0 }])
    const { header } = restore(partsOf(takeSnapshot(state).read())).image
    assert.deepStrictEqual(header, { op: 2, time: 1_000, log_bytes: 7, history })
  })

  it("tells the checksum of each part, header, sessions, data and end, in a room that is given or not", () => {
    const state = empty()
    apply(state, Array.from({ length: 9 }, () => ({ session: 1, answered: 0 })))
    for (const room of [undefined, partRoom()]) {
      const kinds = new Set<number>()
      const reader = takeSnapshot(state).read()
      for (let part = reader.next(room); part !== null; part = reader.next(room)) {
        kinds.add(part[0]!)
        assert.strictEqual(reader.checksum, crc32(part, 0))
      }
      assert.strictEqual(kinds.size, 4)
    }
  })

  it("may be taken without the sessions: as another tenant's data", () => {
    const state = empty()
    apply(state, Array.from({ length: 9 }, () => ({ session: 1, answered: 0 })))
    const other = empty()
    const image = new Restoration(other.application)
    for (const part of partsOf(takeSnapshot(state).read())) image.add(part)
    image.install(null)
    assert.strictEqual(other.clients.size, 0)
    assert.strictEqual(readResult(other.application.query(get("k1"))).length, 8)
  })

  it("leaves everything as it was until it is installed", () => {
    const state = empty()
    apply(state, Array.from({ length: 9 }, () => ({ session: 1, answered: 0 })))
    const other = empty()
    const image = new Restoration(other.application)
    for (const part of partsOf(takeSnapshot(state).read())) image.add(part)
    assert.deepStrictEqual([other.clients.size, readResult(other.application.query(get("k1"))).length], [0, 0])
  })
})

describe("parts that are not as they were", () => {
  const whole = (): ReadonlyArray<Uint8Array> => {
    const release = squeeze(small)
    const state = empty()
    apply(state, Array.from({ length: 40 }, (_, i) => ({ session: i % 3, answered: 0 })))
    const parts = partsOf(takeSnapshot(state).read())
    release()
    return parts
  }

  /** Are they refused, sooner or later? */
  const isRefused = (parts: ReadonlyArray<Uint8Array>): boolean => {
    const image = new Restoration(new Register())
    return parts.some((part) => image.add(part) !== null) || !image.isWhole
  }

  it("are refused: missing, doubled, in another order", () => {
    const parts = whole()
    assert.isFalse(isRefused(parts))
    for (let i = 0; i < parts.length; i++) {
      assert.isTrue(isRefused(parts.toSpliced(i, 1)), `without part ${i}`)
      assert.isTrue(isRefused(parts.toSpliced(i, 0, parts[i]!)), `part ${i} twice`)
      if (i > 0) assert.isTrue(isRefused(parts.with(i, parts[i - 1]!).with(i - 1, parts[i]!)), `part ${i} before its time`)
    }
  })

  it("are refused: with any bit flipped, or cut short", () => {
    const parts = whole()
    parts.forEach((part, i) => {
      for (let at = 0; at < part.length; at++) {
        const bytes = part.slice()
        bytes[at]! ^= 1 << (at % 8)
        assert.isTrue(isRefused(parts.with(i, bytes)), `part ${i}, byte ${at}`)
        assert.isTrue(isRefused(parts.with(i, part.subarray(0, at))), `part ${i}, cut at ${at}`)
      }
    })
  })

  it("are refused: of a later format", () => {
    const parts = whole()
    const header = parts[0]!.slice()
    header[2] = 9
    assert.match(new Restoration(new Register()).add(header) ?? "", /format version 9; this program knows version 2/)
  })
})
