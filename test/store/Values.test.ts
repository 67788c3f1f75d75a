/**
 * The memory of values: nobody's bytes are another's, and what is given back is used again.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it, vi } from "vitest"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { Blobs } from "../../src/store/Blobs.ts"
import { Directory } from "../../src/store/elements/Directory.ts"
import { partsOf } from "../../src/store/Parts.ts"
import type { Pin } from "../../src/store/Pin.ts"
import { makeStore } from "../../src/store/Store.ts"
import { Tree } from "../../src/store/Tree.ts"
import { type Page, Values } from "../../src/store/Values.ts"
import { squeeze } from "../simulation/Squeeze.ts"

const length = fc.oneof(
  fc.integer({ min: 0, max: Limits.value_slot_bytes_max + 40 }),
  fc.constantFrom(1, 16, 17, 256, 257, 512, 513, Limits.value_slot_bytes_max, Limits.value_slot_bytes_max + 1)
)

interface Held {
  readonly page: Page
  readonly at: number
  readonly length: number
  readonly mark: number
}

const hold = (values: Values, length: number, mark: number): Held => {
  const page = values.pageFor(length)
  const at = values.take(page)
  page.bytes.fill(mark, at, at + length)
  return { page, at, length, mark }
}

const isWhole = ({ at, length, mark, page }: Held): boolean =>
  page.bytes.length >= at + length && page.bytes.subarray(at, at + length).every((byte) => byte === mark)

describe("the memory of values", () => {
  it("is nobody else's as long as it is held", () => {
    const act = fc.oneof({ weight: 3, arbitrary: fc.record({ length }) }, { weight: 2, arbitrary: fc.record({ give: fc.nat() }) })
    fc.assert(fc.property(fc.array(act, { size: "max", maxLength: 400 }), (acts) => {
      const values = new Values()
      const held: Array<Held> = []
      for (const [index, one] of acts.entries()) {
        if ("length" in one) held.push(hold(values, one.length, index % 251))
        else if (held.length > 0) {
          const { at, page } = held.splice(one.give % held.length, 1)[0]!
          values.give(page, at)
        }
      }
      assert.isTrue(held.every(isWhole))
    }), { numRuns: 200 })
  })

  it("leaves little of a slot empty, and tells which other values fit in", () => {
    for (let length = 1; length <= Limits.value_slot_bytes_max; length++) {
      const values = new Values()
      // The first pages of the longest have one slot each.
      const held = Array.from({ length: 4 }, (_, mark) => hold(values, length, mark))
      const [first, second] = held.slice(1).map((one, i) => [held[i]!, one] as const).find(([a, b]) => a.page === b.page)!
      const slot_bytes = second.at - first.at
      assert.isTrue(slot_bytes >= length && slot_bytes - length <= Math.max(15, slot_bytes / 9), `${length} in ${slot_bytes}`)
      for (const other of [0, 1, length - 1, length, length + 1, slot_bytes, slot_bytes + 1, Limits.value_slot_bytes_max + 1]) {
        const fits = other > 0 && other <= Limits.value_slot_bytes_max && values.pageFor(other).size === first.page.size
        assert.strictEqual(first.page.fits(other), fits, `${other} for ${length}`)
      }
    }
    const own = hold(new Values(), Limits.value_slot_bytes_max + 1, 1)
    const around = [0, 1, 2].map((more) => own.page.fits(Limits.value_slot_bytes_max + more))
    assert.deepStrictEqual(around, [false, true, false])
    assert.isFalse(hold(new Values(), 0, 1).page.fits(1))
  })

  it("is little at first, and not much more than what is held", () => {
    const values = new Values()
    hold(values, 256, 1)
    assert.isAtMost(values.bytes, 1024)
    for (let i = 1; i < 10_000; i++) hold(values, 256, 1)
    assert.isAtMost(values.bytes, 10_000 * 256 * (1 + 1 / 8))
  })

  it("is in few pages, however many values there are, and none of these is a large share of it", () => {
    const values = new Values()
    const pages = new Set<Page>()
    const held = Array.from({ length: 200_000 }, () => hold(values, 256, 1))
    for (const { page } of held) pages.add(page)
    assert.isBelow(pages.size, 60)
    assert.isAtMost(values.bytes, 200_000 * 256 * (1 + 1 / 8))
    for (const { at, page } of held.splice(0, 100_000)) values.give(page, at)
    assert.isAtMost(values.bytes, 100_000 * 256 * (1 + 2 / 8))
    for (const { at, page } of held.toReversed()) values.give(page, at)
    assert.isAtMost(values.bytes, 64 * 1024)
  })

  it("is in pages of a certain length at most", () => {
    const release = squeeze({ value_page_bytes_max: 256 * 1024 })
    const values = new Values()
    const held = Array.from({ length: 50_000 }, () => hold(values, 256, 1))
    release()
    assert.strictEqual(Math.max(...held.map(({ page }) => page.bytes.length)), 256 * 1024)
  })

  it("is not taken anew each time that one value comes and goes, however much there is, nor kept when there is little", () => {
    for (const count of [100, 4_000, 50_000]) {
      const values = new Values()
      const held = Array.from({ length: count }, () => hold(values, 256, 1))
      const full = values.bytes
      while (values.bytes === full) held.push(hold(values, 256, 1))
      const { page } = held.at(-1)!
      for (let i = 0; i < 5; i++) {
        const { at } = held.pop()!
        values.give(page, at)
        assert.strictEqual(values.pageFor(256), page)
        held.push(hold(values, 256, 1))
      }
      // Those that came first: the page that is kept is the largest for a while.
      for (const { at, page } of held.splice(-1).concat(held)) values.give(page, at)
      assert.isAtMost(values.bytes, 64 * 1024)
    }
  })

  it("is used again, by page and by slot, in whatever order it is given back", () => {
    const random = seeded(7)
    const values = new Values()
    let held: Array<Held> = []
    let most = 0
    for (let round = 0; round < 20; round++) {
      while (held.length < 20_000) held.push(hold(values, 100, round))
      most = Math.max(most, values.bytes)
      const [kept, given]: [Array<Held>, Array<Held>] = [[], []]
      for (const one of held) (random.next() < 0.3 ? kept : given).push(one)
      for (const { at, page } of given.toSorted(() => random.next() - 0.5)) values.give(page, at)
      assert.isTrue(kept.every(isWhole))
      held = kept
    }
    assert.isAtMost(most, 20_000 * 112 * (1 + 2 / 8))
    for (const { at, page } of held) values.give(page, at)
    assert.isAtMost(values.bytes, 64 * 1024)
  })

  it("takes back only what was taken from it", () => {
    const [values, other] = [new Values(), new Values()]
    const { at, page } = hold(values, 100, 1)
    assert.throws(() => other.give(page, at), InvariantViolation)
    values.give(page, at)
    assert.throws(() => values.give(page, at), InvariantViolation)
  })

  it("goes by numbers that are used again", () => {
    const values = new Values()
    const numbers = new Set<number>()
    for (let i = 0; i < 100; i++) {
      const { at, page } = hold(values, 5_000, 1)
      numbers.add(page.number)
      values.give(page, at)
    }
    assert.strictEqual(numbers.size, 1)
  })

  it("is not taken anew for each value that comes and goes", () => {
    const values = new Values()
    const { at, page } = hold(values, 100, 1)
    values.give(page, at)
    assert.strictEqual(values.pageFor(100), page)
  })
})

describe("the memory of a tree", () => {
  const filled = (values: Values, count: number): { readonly tree: Tree; readonly put: (n: number, length: number) => void } => {
    const tree = new Tree(new Blobs(values))
    let version = 0
    for (let n = 0; n < count; n++) {
      const path = `/d/${n % 10}/${n}`
      tree.write({ _tag: "Create", path, type: "blob", data: new Uint8Array(200).fill(n), parents: true }, ++version)
    }
    tree.write({ _tag: "Create", path: "/kept", type: "blob", data: new Uint8Array(8), parents: false }, ++version)
    const put = (n: number, length: number): void => {
      version = Math.max(version, tree.version) + 1
      tree.write({ _tag: "Put", path: "/kept", data: new Uint8Array(length).fill(n), version: null }, version)
    }
    return { tree, put }
  }
  const allParts = (pin: Pin): ReadonlyArray<Uint8Array> => {
    const reader = partsOf(pin, 1_000)
    const parts: Array<Uint8Array> = []
    for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
    return parts
  }
  const remove = (tree: Tree, path: string): void => {
    tree.write({ _tag: "Delete", path, version: null, recursive: true }, tree.version + 1)
  }

  it("is given back by each blob that is deleted, and by one that gets another length", () => {
    const values = new Values()
    const { put, tree } = filled(values, 1_000)
    const before = values.bytes
    for (let n = 0; n < 1_000; n++) remove(tree, `/d/${n % 10}/${n}`)
    assert.isBelow(values.bytes, before / 2)
    const after = values.bytes
    for (let n = 0; n < 1_000; n++) put(n, 1 + n * 37 % 500)
    // Of each size there may be a page.
    assert.isAtMost(values.bytes, after + 24 * 1024)
  })

  it("is given back after a directory, by and by, by the writes that follow", () => {
    const values = new Values()
    const { put, tree } = filled(values, 1_000)
    const before = values.bytes
    remove(tree, "/d")
    assert.strictEqual(values.bytes, before)
    for (let n = 0; n < 80; n++) put(n, 8)
    assert.isBelow(values.bytes, before / 2)
  })

  it("is not given back while anybody has it pinned", () => {
    const values = new Values()
    const { put, tree } = filled(values, 1_000)
    const before = values.bytes
    const pins = [tree.pin(), tree.pin()]
    for (let n = 0; n < 500; n++) remove(tree, `/d/${n % 10}/${n}`)
    remove(tree, "/d")
    for (const pin of pins) {
      for (let n = 0; n < 200; n++) put(n, 8)
      assert.isAtLeast(values.bytes, before)
      tree.release(pin)
    }
    for (let n = 0; n < 80; n++) put(n, 8)
    assert.isBelow(values.bytes, before / 3)
  })

  it("is not given back while a later pin has it, though an earlier one is released", () => {
    const { tree } = filled(new Values(), 100)
    const first = tree.pin()
    remove(tree, "/d/1")
    const second = tree.pin()
    const held = allParts(second)
    remove(tree, "/d")
    tree.release(first)
    for (let n = 0; n < 200; n++) {
      tree.write({ _tag: "Create", path: `/${n}`, type: "blob", data: new Uint8Array(200).fill(99), parents: false }, tree.version + 1)
    }
    assert.deepStrictEqual(allParts(second), held)
  })

  it("is given back at once if it came, or was written, after the last pin that is held", () => {
    const values = new Values()
    const { put, tree } = filled(values, 100)
    tree.pin()
    const before = values.bytes
    for (let n = 0; n < 1_000; n++) {
      tree.write({ _tag: "Create", path: "/new/x", type: "blob", data: new Uint8Array(500).fill(n), parents: true }, tree.version + 1)
      remove(tree, n % 2 === 0 ? "/new" : "/new/x")
      if (n < 100) {
        tree.write({ _tag: "Put", path: `/d/${n % 10}/${n}`, data: new Uint8Array(200), version: null }, tree.version + 1)
        remove(tree, `/d/${n % 10}/${n}`)
      }
    }
    put(1, 8)
    assert.isBelow(values.bytes, before * 3 / 4)
  })

  it("is given back though there is always some pin, as long as each is released in the end", () => {
    const values = new Values()
    const { tree } = filled(values, 1)
    let most = 0
    const pins = [tree.pin(), tree.pin()]
    for (let n = 0; n < 300; n++) {
      for (let i = 0; i < 20; i++) {
        tree.write({ _tag: "Create", path: `/${n}/${i}`, type: "blob", data: new Uint8Array(500), parents: true }, tree.version + 1)
      }
      pins.push(tree.pin())
      remove(tree, `/${n}`)
      tree.release(pins.shift()!)
      most = Math.max(most, values.bytes)
    }
    assert.isAtMost(most, 4 * 20 * 512 + 64 * 1024)
  })

  it("keeps up with whoever creates and deletes as fast as can be", () => {
    const values = new Values()
    const tree = new Tree(new Blobs(values))
    const deep = Array.from({ length: Limits.path_depth_max - 2 }, () => "a").join("/")
    let most = 0
    for (let round = 0; round < 30; round++) {
      for (let n = 0; n < 50; n++) {
        tree.write({ _tag: "Create", path: `/t/${n}/${deep}`, type: "blob", data: new Uint8Array(500), parents: true }, tree.version + 1)
      }
      remove(tree, "/t")
      most = Math.max(most, values.bytes)
    }
    assert.isAtMost(most, 2 * 50 * 512 + 64 * 1024)
  })

  it("is given back by the store that the tree is in, when it is told of a tick", () => {
    const tidy = vi.spyOn(Tree.prototype, "tidy")
    makeStore().tidy()
    assert.deepStrictEqual(tidy.mock.calls, [[Limits.graves_per_tick_max]])
    tidy.mockRestore()
  })

  it("is given back with no writes at all, by what a tick does", () => {
    const values = new Values()
    const { tree } = filled(values, 5_000)
    const before = values.bytes
    remove(tree, "/d")
    for (let n = 0; n < 5; n++) tree.tidy(Limits.graves_per_tick_max)
    assert.isBelow(values.bytes, before / 10)
  })

  it("is not given back to those that came in the place of all, while anybody has the old ones pinned", () => {
    const old = new Values()
    const { tree } = filled(old, 100)
    const pin = tree.pin()
    const all = allParts(pin)
    remove(tree, "/d")
    const values = new Values()
    const blobs = new Blobs(values)
    tree.install(Directory.empty(blobs, 0, 0), blobs)
    for (let n = 0; n < 100; n++) {
      tree.write({ _tag: "Create", path: `/${n}`, type: "blob", data: new Uint8Array(200).fill(99), parents: false }, tree.version + 1)
    }
    assert.deepStrictEqual(allParts(pin), all)
  })
})
