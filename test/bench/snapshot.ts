/**
 * What snapshots cost the store: `node test/bench/snapshot.ts`, with a million elements of 256 bytes. How long a pin
 * takes, each part, and the restoring; what writes cost before a pin, at their first touch of what it has seen, and at
 * the next; what memory a pin holds; and how long a turn of the event loop takes while parts are read in between.
 *
 * Parts are read and restored several times, and each call counts as what it took at best: so the longest of them is not
 * a pause of the collector, nor one of a busy machine. The turns of the event loop have all that in them.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { encodeOperation, type Operation } from "../../src/store/Operation.ts"
import { makeStore, type Store } from "../../src/store/Store.ts"
import type { PartReader } from "../../src/vr/Application.ts"
import { median, memory, name, scattered, shapes } from "./Elements.ts"

const count = 1_000_000
const value = new Uint8Array(256).fill(7)
const room = new Uint8Array(Limits.snapshot_part_bytes_max + Limits.operation_bytes_max)
const random = seeded(1)

/** How long each call of one kind took, in milliseconds. */
class Calls {
  readonly spent: Array<number> = []

  time<A>(call: () => A): A {
    const start = performance.now()
    const result = call()
    this.spent.push(performance.now() - start)
    return result
  }

  get total_ms(): number {
    return this.spent.reduce((sum, one) => sum + one, 0)
  }
}

/** Of the same calls, made again and again, each at its best. */
const best = (rounds: ReadonlyArray<Calls>): Calls => {
  const calls = new Calls()
  for (let i = 0; i < rounds[0]!.spent.length; i++) calls.spent.push(Math.min(...rounds.map(({ spent }) => spent[i]!)))
  return calls
}

class Written {
  readonly store: Store = makeStore()
  private readonly pathOf: (n: number) => string
  private op = 0

  constructor(pathOf: (n: number) => string) {
    this.pathOf = pathOf
    for (let i = 0; i < count; i++) {
      this.apply({ _tag: "Create", path: pathOf(scattered(i, count)), type: "blob", data: value, parents: true })
    }
  }

  put(n: number, calls: Calls): void {
    const operation = encodeOperation({ _tag: "Put", path: this.pathOf(n), data: value, version: null })
    calls.time(() => this.store.apply(operation, { op: ++this.op, time: 0, session: 1 }))
  }

  apply(operation: Operation): void {
    this.store.apply(encodeOperation(operation), { op: ++this.op, time: 0, session: 1 })
  }
}

const anywhere = (): number => Math.floor(random.next() * count)
const MB = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
const ms = (time: number): string => `${time.toFixed(2)} ms`
const us = (time: number): string => `${(time * 1_000).toFixed(1)} µs`
const row = (what: string, ...figures: ReadonlyArray<string>): void => console.log(`| ${what} | ${figures.join("; ")} |`)

const costs = ({ spent }: Calls): ReadonlyArray<string> => {
  const sorted = spent.toSorted((a, b) => a - b)
  const at = (part: number): string => us(sorted[Math.floor(part * (sorted.length - 1))]!)
  return [`median ${at(0.5)}`, `99.9 % ${at(0.999)}`]
}
const longest = ({ spent }: Calls): string => `longest ${ms(Math.max(...spent))}`

const readAll = (reader: PartReader, calls: Calls, take: (part: Uint8Array) => void): void => {
  for (let part = calls.time(() => reader.next(room)); part !== null; part = calls.time(() => reader.next(room))) take(part)
}

const pinning = (written: Written): void => {
  const pins = new Calls()
  for (let round = 0; round < 1_001; round++) {
    const pinned = pins.time(() => written.store.pin())
    for (let i = 0; i < 20; i++) written.put(anywhere(), new Calls())
    pinned.release()
  }
  row("pin", ...costs(pins))
}

const reading = (written: Written): void => {
  const pinned = written.store.pin()
  let bytes = 0
  const rounds = Array.from({ length: 5 }, () => {
    const calls = new Calls()
    bytes = 0
    readAll(pinned.read(), calls, (part) => {
      bytes += part.length
    })
    return calls
  })
  const calls = best(rounds)
  row("reading all parts", ms(calls.total_ms), `${Math.round(bytes / calls.total_ms / 1_000)} MB/s`)
  row("one part", ms(median(calls.spent)), longest(calls))
  row("size", `estimated ${MB(written.store.size())}`, `written ${MB(bytes)}`)
}

/** The same places three times: before a pin, for the first time after it, and once more. */
const writing = (written: Written): void => {
  const places = Array.from({ length: 100_000 }, anywhere)
  const puts = [new Calls(), new Calls(), new Calls()] as const
  const all = (calls: Calls): number => {
    const cpu = process.threadCpuUsage()
    for (const n of places) written.put(n, calls)
    const { user, system } = process.threadCpuUsage(cpu)
    return (user + system) / 1_000 / places.length
  }
  const show = (what: string, calls: Calls): void => row(what, `with the collector ${us(all(calls))} of the processor`, ...costs(calls))
  // What they would otherwise touch for the first time after an earlier pin.
  all(new Calls())
  const before = memory()
  show("put before a pin", puts[0])
  const pinned = written.store.pin()
  show("put, first touch after it", puts[1])
  show("put, next touch", puts[2])
  const held = memory() - before
  readAll(pinned.read(), new Calls(), () => undefined)
  row(`memory of a pin after puts to ${new Set(places).size} elements`, MB(held))
}

const restoring = (written: Written): void => {
  const pinned = written.store.pin()
  const before = memory()
  const ends = new Calls()
  let other = makeStore()
  const rounds = Array.from({ length: 4 }, (_, round) => {
    const calls = new Calls()
    other = makeStore()
    memory()
    // So that the collector comes at other parts than in the rounds before.
    Array.from({ length: round * 100_000 }, () => ({}))
    const builder = other.restore()
    readAll(pinned.read(), new Calls(), (part) => calls.time(() => builder.add(part)))
    ends.time(() => builder.finish())
    ends.time(() => builder.install())
    return calls
  })
  const calls = best(rounds)
  row("restoring", ms(calls.total_ms), `${ms(Math.min(...rounds.map(({ total_ms }) => total_ms)))} with the collector`)
  row("one part", ms(median(calls.spent)), longest(calls))
  row("finish, install", longest(ends))
  row("bytes of an element, restored", ((memory() - before) / other.stats().elements).toFixed(0))
}

/** Turns of the event loop in which some writes are done, and a part is read if there is a reader. The collector counts. */
const turning = async (written: Written, what: string, read: (() => Uint8Array | null) | null): Promise<void> => {
  memory()
  const turns = new Calls()
  const puts = new Calls()
  for (let turn = 0, over = false; !over; turn++) {
    turns.time(() => {
      for (let i = 0; i < 40; i++) written.put(anywhere(), puts)
      over = read === null ? turn === 2_000 : read() === null
    })
    await setImmediate()
  }
  const slowest = turns.spent.toSorted((a, b) => b - a).slice(0, 5)
  row(`turns of 40 puts${what}`, `longest ${slowest.map((one) => one.toFixed(1)).join(", ")} ms`)
}

const cutting = (written: Written): void => {
  written.store.pin()
  const calls = new Calls()
  calls.time(() => written.apply({ _tag: "Delete", path: `/${name(0)}`, version: null, recursive: true }))
  row("deleting a directory of 10000 right after a pin", us(calls.total_ms))
}

const measure = async (shape: string, pathOf: (n: number) => string): Promise<void> => {
  console.log(`\n| ${count} elements of ${value.length} bytes, ${shape} | |\n| --- | --- |`)
  // Lets go of what was measured before.
  await setImmediate()
  const before = memory()
  const written = new Written(pathOf)
  row("bytes of an element, written", ((memory() - before) / written.store.stats().elements).toFixed(0))
  pinning(written)
  reading(written)
  writing(written)
  restoring(written)
  await turning(written, "", null)
  const [shared, own] = [written.store.pin().read(), written.store.pin().read()]
  await turning(written, " and a part in the same room", () => shared.next(room))
  await turning(written, " and a part in memory of its own", () => own.next())
  if (shape.startsWith("a tree")) cutting(written)
}

for (const [shape, pathOf] of Object.entries(shapes)) await measure(shape, pathOf)
