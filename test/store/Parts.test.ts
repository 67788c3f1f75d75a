/**
 * What the parts of a state look like: in order, full, and the same for equal states.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { concat } from "../../src/base/Bytes.ts"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import type { Result } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import { partsOf, recordsIn, restore, restored } from "./Snapshots.ts"
import { User } from "./User.ts"

describe("parts", () => {
  it("have a record for each element, in the order of a walk", () => {
    const user = new User()
    user.mkdir("/d")
    user.create("/d/b", "two")
    user.create("/d.", "dot")
    user.create("/d/a/é", "one", { parents: true })
    user.put("/d/b", "2")
    assert.deepStrictEqual(recordsIn(partsOf(user.store.pin())), [
      [0, "", "directory", 0, 5, 5],
      [1, "d", "directory", 1, 5, 3],
      [2, "a", "directory", 4, 4, 1],
      [3, "é", "blob", 4, 4, Buffer.from("one")],
      [2, "b", "blob", 2, 5, Buffer.from("2")],
      [1, "d.", "blob", 3, 3, Buffer.from("dot")]
    ])
  })

  it("are the same for equal states, however these came about", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const plainly = partsOf(grown(seed, "plainly").store.pin())
      assert.isAbove(plainly.length, 10)
      assert.deepStrictEqual(partsOf(grown(seed, "with detours").store.pin()), plainly)
      assert.deepStrictEqual(partsOf(grown(seed, "restored on the way").store.pin()), plainly)
    }
  })

  it("are as full as they can be, and not longer than their bound unless one element is", () => {
    const max = Limits.snapshot_part_bytes_max
    const user = new User()
    const random = seeded(1)
    const lengths = [0, 1, 255, 256, 512, 513, 65_535, max - 100, max, max + 1, Limits.value_bytes_max]
    user.mkdir("/d")
    for (let n = 0; n < 700; n++) {
      const length = n < 60 ? lengths[n % lengths.length]! : Math.floor(random.next() * 2_000)
      const path = `/d/${Math.floor(random.next() * 1e9)}`
      user.execute({ _tag: "Create", path, type: "blob", data: new Uint8Array(length).fill(n), parents: false })
    }
    const parts = partsOf(user.store.pin())
    const records = parts.map((part) => recordLengths(part))
    assert.strictEqual(records.flat().length, 702)
    for (const [i, part] of parts.entries()) {
      if (part.length > max) assert.strictEqual(records[i]!.length, 1)
      if (i > 0) assert.isAbove(parts[i - 1]!.length + records[i]![0]!, max)
    }
    assert.isTrue(Buffer.compare(concat(partsOf(restored(parts).pin())), concat(parts)) === 0)
  })

  it("have no more elements than one gets done in one go", () => {
    const user = new User()
    const max = Limits.snapshot_part_elements_max
    for (let n = 1; n < 2 * max; n++) user.create(`/${n}`)
    const parts = partsOf(user.store.pin())
    assert.deepStrictEqual(parts.map((part) => recordsIn([part]).length), [max, max])
    assert.deepStrictEqual(partsOf(restored(parts).pin()), parts)
  })

  it("end where the next record would be too much by a byte", () => {
    const length = (part_bytes_max: number): ReadonlyArray<number> => {
      const user = new User(makeStore(part_bytes_max))
      for (const name of ["a", "b", "c"]) user.create(`/${name}`, name)
      return partsOf(user.store.pin()).map((part) => part.length)
    }
    const [whole] = length(1_000)
    const [root, child] = length(1)
    assert.deepStrictEqual(length(whole!), [whole!])
    assert.deepStrictEqual(length(whole! - 1), [root! + 2 * child!, child!])
  })

  it("are about as long as the store said", () => {
    for (const length of [0, 32, 256, 5_000]) {
      const user = new User()
      for (let n = 0; n < 1_000; n++) user.create(`/some/elements/element-${n}`, "x".repeat(length), { parents: true })
      const written = concat(partsOf(user.store.pin())).length
      assert.isBelow(Math.abs(user.store.size() - written), 10 * 1_000)
    }
  })

  it("lie in the room that is given, if they fit", () => {
    const user = new User(makeStore(100))
    for (const n of [1, 2, 3, 4, 5]) user.create(`/${n}`, "x".repeat(30 * n))
    const pinned = user.store.pin()
    for (const length of [0, 50, 1_000]) {
      const room = new Uint8Array(length)
      const reader = pinned.read()
      for (const expected of partsOf(pinned)) {
        const part = reader.next(room)!
        assert.deepStrictEqual(part, expected)
        assert.strictEqual(part.buffer === room.buffer, part.length <= length)
      }
      assert.isNull(reader.next(room))
    }
  })

  it("of an empty store are one, with the root alone", () => {
    const parts = partsOf(makeStore().pin())
    assert.deepStrictEqual(recordsIn(parts), [[0, "", "directory", 0, 0, 0]])
    assert.deepStrictEqual(new User(restored(parts)).dump(), new User().dump())
    assert.isString(restore([]))
  })
})

/** The lengths of the records of a part, by reading it record after record. */
const recordLengths = (part: Uint8Array): ReadonlyArray<number> => {
  const ends: Array<number> = []
  let at = 0
  for (const record of recordsIn([part])) {
    const [depth, name, type, created, version, state] = record as [number, string, string, number, number, number | Uint8Array]
    const before = at
    at += 1 + uintBytes(depth) + 1 + name.length + 1 + type.length + uintBytes(created) + uintBytes(version)
    at += typeof state === "number" ? uintBytes(state) : state.length + (state.length < 0x100 ? 2 : state.length < 0x10000 ? 3 : 5)
    ends.push(at - before)
  }
  assert.strictEqual(at, part.length)
  return ends
}

const uintBytes = (value: number): number => value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : 5

/**
 * The same state at the end, by way of the same writes at the same op numbers; in between there may be others, which in
 * the end nothing is left of but the shape of the tree in memory.
 */
const grown = (seed: number, way: "plainly" | "with detours" | "restored on the way"): User => {
  const random = seeded(seed)
  let user = new User(makeStore(200))
  const number = (): string => String(Math.floor(random.next() * 1_000)).padStart(3, "0")
  const paths = [...new Set(Array.from({ length: 300 }, () => `/${"ab"[Math.floor(random.next() * 2)]!}/${number()}`))]
  const other: Array<string> = []
  const detour = (): void => {
    if (way === "with detours") {
      const path = `/${"ab"[Math.floor(random.next() * 2)]!}/${number()}-`
      if (random.next() < 0.7 && user.create(path)._tag === "Written") other.push(path)
      else if (other.length > 0) user.delete(other.splice(Math.floor(random.next() * other.length), 1)[0]!)
      if (random.next() < 0.1) user.store.pin()
    }
    if (way === "restored on the way" && random.next() < 0.02) user = new User(restored(partsOf(user.store.pin()), 200), user.op)
  }
  const at = (op: number, write: () => Result): void => {
    for (let i = 0; i < 3; i++) detour()
    user.op = op * 8 - 1
    assert.strictEqual(write()._tag, "Written")
  }
  at(1, () => user.mkdir("/a"))
  at(2, () => user.mkdir("/b"))
  for (const [i, path] of paths.entries()) at(3 + i, () => user.create(path, path))
  while (other.length > 0) user.delete(other.pop()!)
  user.op = 10_000
  for (const path of paths) user.put(path, `${path} again`)
  return user
}
