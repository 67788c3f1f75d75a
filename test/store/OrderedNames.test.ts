/**
 * The B+-tree against a sorted array.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { seeded } from "../../src/base/Random.ts"
import { childIndex, firstAtLeast, insert, makeBranch, makeLeaf } from "../../src/store/NameNodes.ts"
import { OrderedNames } from "../../src/store/OrderedNames.ts"
import { kept, nobody } from "./Keepers.ts"

/** Both at once; every answer of the one is held against the other. */
class Pair {
  /** By number: every other one is kept elsewhere. */
  #kept = new Map<number, string>()
  tree = new OrderedNames<number>(kept(this.#kept))
  names: Array<string> = []
  #values = new Map<string, number>()
  #next = 0
  #epoch = 0
  /** Copies that nobody changes, and what was in them. */
  #copies: Array<readonly [OrderedNames<number>, ReadonlyArray<readonly [string, number]>]> = []

  add(name: string): void {
    assert.strictEqual(this.tree.get(name), this.#values.get(name))
    if (this.#values.has(name)) return
    this.tree.add(name, this.#assign(name), this.#epoch)
    this.names.push(name)
    this.names.sort()
  }

  replace(name: string): void {
    if (this.#values.has(name)) this.tree.replace(name, this.#assign(name), this.#epoch)
  }

  remove(name: string): void {
    if (!this.#values.delete(name)) return
    this.tree.remove(name, this.#epoch)
    assert.isUndefined(this.tree.get(name))
    this.names.splice(this.names.indexOf(name), 1)
  }

  /** One of the two stays as it is: in turn the copy, and what it was copied from. */
  copy(): void {
    const copy = this.tree.copy()
    const [kept, changed] = this.#copies.length % 2 === 0 ? [copy, this.tree] : [this.tree, copy]
    this.#copies.push([kept, this.#all()])
    this.tree = changed
    this.#epoch += 1
  }

  page(after: string | null, limit: number): void {
    const expected = this.names.filter((name) => after === null || name > after).slice(0, limit)
    assert.deepStrictEqual(this.tree.page(after, limit), expected.map((name) => [name, this.#values.get(name)!] as const))
  }

  check(): void {
    assert.strictEqual(this.tree.size, this.names.length)
    this.page(null, this.names.length + 1)
    for (const name of this.names) assert.strictEqual(this.tree.get(name), this.#values.get(name))
    for (const [tree, all] of [...this.#copies, [this.tree, this.#all()] as const]) {
      assert.strictEqual(tree.size, all.length)
      assert.deepStrictEqual(walked(tree), all)
      assert.isTrue(all.every(([name, value]) => tree.get(name) === value))
    }
  }

  #assign(name: string): number {
    this.#next += 1
    this.#values.set(name, this.#next)
    this.#kept.set(this.#next, name)
    return this.#next
  }

  #all(): ReadonlyArray<readonly [string, number]> {
    return this.names.map((name) => [name, this.#values.get(name)!] as const)
  }
}

/** Everything, step by step. */
const walked = (tree: OrderedNames<number>): ReadonlyArray<readonly [string, number]> => {
  const all: Array<readonly [string, number]> = []
  const cursor = tree.cursor()
  for (; cursor.name !== undefined; cursor.advance()) all.push([cursor.name, cursor.value!])
  cursor.advance()
  assert.deepStrictEqual([cursor.name, cursor.value], [undefined, undefined], "it stays at the end")
  return all
}

const kinds = ["add", "replace", "remove", "copy"] as const
const padded = (n: number): string => String(n).padStart(6, "0")

describe("ordered names", () => {
  it("holds what was added, in order, whatever the order of arrival", () => {
    const orders: ReadonlyArray<readonly [string, (i: number) => number]> = [
      ["rising", (i) => i],
      ["falling", (i) => 9_999 - i],
      ["scattered", (i) => (i * 7_919) % 10_000],
      ["from both ends", (i) => i % 2 === 0 ? i / 2 : 9_999 - (i - 1) / 2]
    ]
    for (const [order, number] of orders) {
      const tree = new OrderedNames<number>(nobody)
      for (let i = 0; i < 10_000; i++) tree.add(padded(number(i)), number(i), 0)
      const all = tree.page(null, 10_001)
      assert.deepStrictEqual(all, Array.from({ length: 10_000 }, (_, i) => [padded(i), i] as const), order)
      assert.strictEqual(tree.get(padded(1_234)), 1_234)
      assert.isUndefined(tree.get("1234"))
    }
  })

  it("is empty again when the last name is gone, from either side", () => {
    for (const number of [(i: number) => i, (i: number) => 4_999 - i, (i: number) => (i * 7_919) % 5_000]) {
      const tree = new OrderedNames<number>(nobody)
      for (let i = 0; i < 5_000; i++) tree.add(padded(i), i, 0)
      for (let i = 0; i < 5_000; i++) {
        tree.remove(padded(number(i)), 0)
        assert.isUndefined(tree.get(padded(number(i))))
        assert.strictEqual(tree.size, 4_999 - i)
      }
      assert.deepStrictEqual(tree.page(null, 10), [])
      tree.add("a", 1, 0)
      assert.deepStrictEqual(tree.page(null, 10), [["a", 1]])
    }
  })

  it("orders by UTF-16 code units, the empty name first", () => {
    const pair = new Pair()
    for (const name of ["b", "\uffff", "😀", "a", "", "aa", "A", "é", "e\u0301", "\ue000"]) pair.add(name)
    assert.deepStrictEqual(pair.names, ["", "A", "a", "aa", "b", "e\u0301", "é", "😀", "\ue000", "\uffff"])
    pair.check()
  })

  it("resumes behind any name, there or not", () => {
    const pair = new Pair()
    for (let i = 0; i < 1_000; i++) pair.add(padded(2 * i))
    for (let i = -1; i <= 2_001; i++) pair.page(padded(i), 3)
    pair.page("", 5)
    pair.page("\uffff", 5)
  })

  it("agrees with a sorted array through thousands of changes", () => {
    // Phases of growth and of shrinking, so that nodes split and join at every level.
    for (let seed = 1; seed <= 5; seed++) {
      const random = seeded(seed)
      const pair = new Pair()
      for (const adding of [0.9, 0.3, 0.7, 0.05, 0.8]) {
        for (let i = 0; i < 1_500; i++) {
          const any = pair.names[Math.floor(random.next() * pair.names.length)]
          if (random.next() < adding || any === undefined) pair.add(padded(Math.floor(random.next() * 3_000)))
          else pair.remove(any)
          if (any !== undefined && random.next() < 0.2) pair.replace(any)
          if (i % 300 === 100) pair.copy()
          if (i % 50 === 0) pair.page(padded(Math.floor(random.next() * 3_000)), 70)
        }
        pair.check()
      }
    }
  })

  it("finds its names again when all of their beginnings, or hardly any, are alike", () => {
    const random = seeded(6)
    const beginnings = ["", "a", "a".repeat(40), `${"a".repeat(39)}b`, "é".repeat(9), "\x7e", "\x7f", "\x80", "\uffff"]
    const pair = new Pair()
    for (let i = 0; i < 3_000; i++) {
      const name = `${beginnings[Math.floor(random.next() * beginnings.length)]!}${padded(Math.floor(random.next() * 400)).slice(3)}`
      if (random.next() < 0.7) pair.add(name)
      else pair.remove(name)
      if (i % 10 === 0) pair.page(name, 3)
      if (i % 500 === 100) pair.copy()
    }
    pair.check()
    for (const beginning of beginnings) for (const end of ["", "\0", "5", "zz", "\uffff"]) pair.page(beginning + end, 2)
  })

  it("keeps its bounds when whole stretches go and come again, three levels high", () => {
    const count = 20_000
    const names = Array.from({ length: count }, (_, i) => padded(i))
    for (let seed = 1; seed <= 4; seed++) {
      const random = seeded(seed)
      const tree = new OrderedNames<number>(nobody)
      const present = names.map(() => false)
      for (let phase = 0; phase < 60; phase++) {
        const adding = phase === 0 || random.next() < 0.5
        const from = phase === 0 ? 0 : Math.floor(random.next() * count)
        const to = phase === 0 ? count : Math.min(count, from + Math.floor(random.next() * 6_000))
        // Every name of the stretch, or a few, forwards or backwards.
        const step = random.next() < 0.6 ? 1 : 1 + Math.floor(random.next() * 70)
        const backwards = random.next() < 0.5
        for (let i = from; i < to; i += step) {
          const n = backwards ? to - 1 - (i - from) : i
          if (adding === present[n]) continue
          if (adding) tree.add(names[n]!, n, 0)
          else tree.remove(names[n]!, 0)
          present[n] = adding
        }
        const expected = names.filter((_, n) => present[n])
        assert.strictEqual(tree.size, expected.length)
        assert.strictEqual(tree.page(null, count + 1).map(([name]) => name).join(), expected.join())
        const wrong = names.filter((name, n) => tree.get(name) !== (present[n] ? n : undefined))
        assert.deepStrictEqual(wrong, [], `seed ${seed}, phase ${phase}`)
      }
    }
  })

  it("leaves a copy as it was, whatever becomes of the rest, and the other way round", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => padded(i))
    const original = new OrderedNames<number>(nobody)
    for (const [i, name] of names.entries()) original.add(name, i, 0)
    const copies = [original, original.copy(), original.copy()]
    // Each at an epoch of its own: one loses a stretch that makes nodes join, one gains between, one gets other values.
    for (let i = 100; i < 9_900; i++) copies[0]!.remove(names[i]!, 1)
    for (const name of names) copies[1]!.add(`${name}+`, -1, 2)
    for (const name of names) copies[2]!.replace(name, -2, 3)
    assert.deepStrictEqual(walked(copies[0]!).map(([name]) => name), [...names.slice(0, 100), ...names.slice(9_900)])
    assert.deepStrictEqual(walked(copies[1]!), names.flatMap((name, i) => [[name, i], [`${name}+`, -1]] as const))
    assert.deepStrictEqual(walked(copies[2]!), names.map((name) => [name, -2] as const))
    assert.deepStrictEqual(copies.map((copy) => copy.size), [200, 20_000, 10_000])
  })

  it("agrees with a sorted array on arbitrary names", () => {
    const name = fc.string({ unit: "binary", maxLength: 3 })
    const change = fc.record({ kind: fc.constantFrom(...kinds), name })
    fc.assert(fc.property(fc.array(change, { size: "+2" }), fc.option(name), fc.nat(100), (changes, after, limit) => {
      const pair = new Pair()
      for (const one of changes) {
        pair[one.kind](one.name)
      }
      pair.check()
      pair.page(after, limit)
    }), { numRuns: 40 })
  })

  it("does not trust the name in front of a branch, which may be of one that is gone", () => {
    const root = makeBranch(0, ["m5"], [makeLeaf(0, ["a8", "a9"], [0, 1])])
    const names = ["a8", "a9", ...Array.from({ length: 100 }, (_, i) => `m${i + 100}`)]
    for (const [i, name] of names.entries()) if (i > 1) insert(root, name, i, true)
    for (const name of names) {
      const leaf = root.nodes[childIndex(root, name)]!
      assert.strictEqual(leaf.names[firstAtLeast(leaf, name)], name)
    }
  })

  it("does not take a name twice, nor give up one that it has not", () => {
    const tree = new OrderedNames<number>(nobody)
    assert.throws(() => tree.remove("a", 0), InvariantViolation)
    assert.throws(() => tree.replace("a", 0, 0), InvariantViolation)
    for (let i = 0; i < 200; i++) tree.add(padded(i), i, 0)
    assert.throws(() => tree.add(padded(7), 0, 0), InvariantViolation)
    assert.throws(() => tree.remove("a", 0), InvariantViolation)
    assert.throws(() => tree.replace("a", 0, 0), InvariantViolation)
  })
})
