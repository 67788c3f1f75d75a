/**
 * What the store costs, alone on one thread: `node test/bench/store.ts`. Microseconds for one operation with its decoding
 * and the encoding of its result, in stores of a thousand to a million elements; and the memory that an element takes.
 * The cost must not grow with the number of elements, but for what caches and the few more levels of a tree make of it.
 *
 * @module
 */
import { seeded } from "../../src/base/Random.ts"
import { encodeOperation, type Operation } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import { median, memory, name, scattered, shapes } from "./Elements.ts"

const sizes = [1_000, 100_000, 1_000_000]
const value = new Uint8Array(32).fill(7)
/** Small enough against the smallest store; the same for all, so that the numbers can be compared. */
const batch = 100
const rounds = 300

const operations: Readonly<Record<string, (path: string) => Operation>> = {
  create: (path) => ({ _tag: "Create", path, type: "blob", data: value, parents: true }),
  put: (path) => ({ _tag: "Put", path, data: value, version: null }),
  "put, told": (path) => ({ _tag: "Put", path, data: value, version: null }),
  get: (path) => ({ _tag: "Get", path }),
  "get near": (path) => ({ _tag: "Get", path }),
  stat: (path) => ({ _tag: "Stat", path }),
  "list 100": (path) => {
    const cut = path.lastIndexOf("/")
    return { _tag: "List", path: path.slice(0, cut), limit: 100, after: path.slice(cut + 1) }
  },
  delete: (path) => ({ _tag: "Delete", path, version: null, recursive: false })
}
const isRead = (kind: string): boolean => /^(?:get|stat|list)/.test(kind)

const measure = (pathOf: (n: number) => string, count: number) => {
  const before = memory()
  const store = makeStore()
  let op = 0
  const apply = (encoded: Uint8Array): Uint8Array => store.apply(encoded, { op: ++op, time: 0, session: 1 })
  // Even numbers are there from the start; the odd ones between them come and go.
  const build = performance.now()
  for (let i = 0; i < count; i++) apply(encodeOperation(operations["create"]!(pathOf(2 * scattered(i, count)))))
  const build_us = (performance.now() - build) * 1_000 / count
  const { elements } = store.stats()
  const element_bytes = (memory() - before) / elements

  const spent = new Map(Object.keys(operations).map((kind) => [kind, [] as Array<number>]))
  const random = seeded(count)
  for (let round = 0; round < rounds; round++) {
    const first = Math.floor(random.next() * (count / batch))
    const coming = Array.from({ length: batch }, (_, i) => pathOf(2 * (first + i * (count / batch)) + 1))
    for (const [kind, make] of Object.entries(operations)) {
      const fleeting = kind === "create" || kind === "delete"
      // "Near" asks for the same few, whatever the size: it shows what of the rest is the processor's caches.
      const among = kind === "get near" ? 1_000 : count
      const paths = fleeting ? coming : coming.map(() => pathOf(2 * Math.floor(random.next() * among)))
      const encoded = paths.map((path) => encodeOperation(make(path)))
      const execute = isRead(kind) ? store.query : apply
      const start = performance.now()
      // As a replica does with a batch that is committed.
      if (kind === "put, told") store.prefetch(encoded)
      for (const one of encoded) execute(one)
      spent.get(kind)!.push((performance.now() - start) * 1_000 / batch)
    }
  }
  const costs = [...spent.values()].map(median)
  return { elements, element_bytes, build_us, costs }
}

/** The cost of cutting off a directory of so many elements. */
const measureRecursiveDelete = (count: number): number => {
  const store = makeStore()
  let op = 0
  const apply = (operation: Operation): void => {
    const encoded = encodeOperation(operation)
    store.apply(encoded, { op: ++op, time: 0, session: 1 })
  }
  for (let n = 0; n < subtrees * count; n++) apply(operations["create"]!(`/${name(n % subtrees)}/${name(n)}`))
  return median(Array.from({ length: subtrees }, (_, n) => {
    const start = performance.now()
    apply({ _tag: "Delete", path: `/${name(n)}`, version: null, recursive: true })
    return (performance.now() - start) * 1_000
  }))
}
const subtrees = 15

// The first run is for the compiler alone.
for (const pathOf of Object.values(shapes)) measure(pathOf, 1_000)

console.log(`values of ${value.length} bytes, names of ${name(0).length}; µs per operation, bytes per element\n`)
const columns = ["shape", "elements", ...Object.keys(operations), "building", "bytes"]
console.log(`| ${columns.join(" | ")} |\n|${columns.map((_, i) => i === 0 ? " --- |" : " ---: |").join("")}`)
for (const [shape, pathOf] of Object.entries(shapes)) {
  for (const count of sizes) {
    const { elements, element_bytes, build_us, costs } = measure(pathOf, count)
    const figures = [...costs, build_us].map((us) => us.toFixed(1))
    console.log(`| ${[shape, elements, ...figures, Math.round(element_bytes)].join(" | ")} |`)
  }
}

console.log("\n| recursive delete of a directory with | µs |\n| ---: | ---: |")
for (const count of [10, 1_000, 50_000]) console.log(`| ${count} | ${measureRecursiveDelete(count).toFixed(1)} |`)
