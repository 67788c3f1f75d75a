/**
 * A generator of too much load, a process of its own, started by `overload.ts`, which says what to do and when. Either
 * many callers of the client library, each with one call after the other; or, without the library, so many requests a
 * second whatever becomes of those before, from somebody who heeds no answer.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parseAddress } from "../../src/base/Address.ts"
import { Limits } from "../../src/base/Limits.ts"
import { type TenantService, V2R2 } from "../../src/client/index.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import { decodeServerMessage, encodeClientMessage } from "../../src/wire/ClientProtocol.ts"
import { FrameDecoder } from "../../src/wire/Frame.ts"
import { encodeHello, makeHello } from "../../src/wire/Hello.ts"
import { type Counted, Histogram } from "./Histogram.ts"
import { elementOf, keys, type Operation, pathOf, value_bytes } from "./Plan.ts"

export interface FloodPlan {
  readonly endpoints: ReadonlyArray<string>
  readonly tenant: string
  readonly operation: Operation
  readonly connections: number
  /** Calls under way, in all; or requests a second, in all. */
  readonly load: { readonly callers: number } | { readonly per_second: number }
}

/** What it reports at the end of what was to be counted. */
export interface FloodReport {
  readonly latency: Counted
  /** Requests that were sent: more than were answered where they are sent again. */
  readonly begun: number
  /** By tag of the error or outcome. */
  readonly failures: Readonly<Record<string, number>>
  readonly cpu_s: number
}

export type ToGenerator = "begin" | "count" | "report" | "end"

const plan: FloodPlan = JSON.parse(process.argv[2] ?? "")
const value = new Uint8Array(value_bytes).fill(7)

let latency = new Histogram()
let begun = 0
let failures: Record<string, number> = {}
let cpu = process.cpuUsage()
let running = true

/** All sessions of all generators are open before the first request: who comes to a node that is flooded has to wait. */
const isReady = (): Promise<void> =>
  new Promise((resolve) => {
    process.once("message", () => resolve())
    process.send?.("ready")
  })

const failed = (tag: string): void => void (failures[tag] = (failures[tag] ?? 0) + 1)

let turns = Math.floor(Math.random() * 1_000)
const nextPath = (): string => pathOf(elementOf(turns++, keys))
let mixed = 0
const isWrite = (): boolean => plan.operation === "write" || (plan.operation === "mix" && mixed++ % 10 === 0)

/** One call after the other. Whoever fails goes on at once: the library has waited already. */
const caller = (tenant: TenantService): Effect.Effect<void> =>
  Effect.suspend(() => {
    const begin_ms = performance.now()
    begun++
    const call: Effect.Effect<unknown, { readonly _tag: string }> = isWrite() ? tenant.put(nextPath(), value) : tenant.get(nextPath())
    return Effect.match(call, {
      onSuccess: () => latency.add(performance.now() - begin_ms),
      onFailure: ({ _tag }) => failed(_tag)
    })
  }).pipe(Effect.repeat({ while: () => running }), Effect.asVoid)

const call = (callers: number) =>
  Effect.scoped(Effect.gen(function*() {
    const tenants = yield* Effect.forEach(Array.from({ length: plan.connections }), () =>
      Effect.flatMap(Layer.build(Layer.fresh(V2R2.layerTcp({ endpoints: plan.endpoints }))), (context) =>
        Context.get(context, V2R2).tenant(plan.tenant)), { concurrency: 8 })
    yield* Effect.promise(isReady)
    yield* Effect.forEach(Array.from({ length: callers }, (_, i) => tenants[i % tenants.length]!), caller, {
      concurrency: "unbounded",
      discard: true
    })
  }))

/** A session that sends what it is told to, and waits for nothing; but a window full that is not answered is the end of it. */
class Raw {
  private readonly socket: Net.Socket
  private readonly decoder = new FrameDecoder(Limits.client_frame_bytes_max)
  private readonly sentAt = { write: new Map<number, number>(), read: new Map<number, number>() }
  private next = 1
  private answered = 0
  private greeted = false
  private readonly opened: () => void

  constructor(address: string, opened: () => void) {
    const parsed = parseAddress(address)
    if (!parsed.ok) throw new Error(parsed.reason)
    this.opened = opened
    this.socket = Net.connect({ ...parsed.value, noDelay: true })
    const limits = { frame_bytes_max: Limits.client_frame_bytes_max }
    this.socket.write(encodeHello(makeHello("v2r2-client", { cluster: null, node: null, limits })))
    const nonce = crypto.getRandomValues(new Uint8Array(Limits.session_nonce_bytes))
    this.socket.write(encodeClientMessage({ _tag: "Open", channel: 1, tenant: plan.tenant, nonce }))
    this.socket.on("data", (chunk) => {
      for (const payload of this.decoder.push(chunk)) this.receive(payload)
    })
    this.socket.on("error", ({ message }) => failed(message))
    this.socket.on("close", () => failed("closed"))
  }

  /** False: its window is full, or the node does not read. */
  send(): boolean {
    const { read, write } = this.sentAt
    if (this.socket.writableNeedDrain || this.next > this.answered + Limits.session_window_max) return false
    const kind = isWrite() ? "write" : "read"
    if (kind === "read" && read.size >= Limits.session_window_max) return false
    const path = nextPath()
    const now = performance.now()
    if (kind === "write") {
      write.set(this.next, now)
      const operation = encodeOperation({ _tag: "Put", path, data: value, version: null })
      this.socket.write(encodeClientMessage({ _tag: "Write", channel: 1, request: this.next++, answered: this.answered, operation }))
    } else {
      const id = turns
      read.set(id, now)
      this.socket.write(encodeClientMessage({ _tag: "Read", channel: 1, id, operation: encodeOperation({ _tag: "Get", path }) }))
    }
    return true
  }

  turn(count: number): number {
    this.socket.cork()
    let sent = 0
    while (sent < count && this.send()) sent++
    this.socket.uncork()
    return sent
  }

  end(): void {
    this.socket.destroy()
  }

  private receive(payload: Uint8Array): void {
    if (!this.greeted) {
      this.greeted = true
      return
    }
    const message = decodeServerMessage(payload)
    if (message._tag === "Opened") return this.opened()
    if (message._tag === "Written") this.settle(this.sentAt.write, message.request, message.outcome._tag)
    else if (message._tag === "Answer") this.settle(this.sentAt.read, message.id, message.outcome._tag)
    else if (running) failed(message._tag)
    while (this.answered + 1 < this.next && !this.sentAt.write.has(this.answered + 1)) this.answered++
  }

  private settle(sentAt: Map<number, number>, number: number, outcome: string): void {
    const sent_ms = sentAt.get(number)
    sentAt.delete(number)
    if (outcome === "Ok" && sent_ms !== undefined) latency.add(performance.now() - sent_ms)
    else failed(outcome)
  }
}

const turn_ms = 2

const flood = async (per_second: number): Promise<void> => {
  const address = plan.endpoints[0]!
  const raws = await Promise.all(Array.from({ length: plan.connections }, () =>
    new Promise<Raw>((resolve) => {
      const raw = new Raw(address, () => resolve(raw))
    })))
  await isReady()
  let last = performance.now()
  let owed = 0
  while (running) {
    await sleep(turn_ms)
    const now = performance.now()
    // What could not be sent in time is not made up for later: the load is so many a second, not a backlog.
    owed = Math.min(owed + (now - last) / 1_000 * per_second, per_second / 10)
    last = now
    const each = Math.ceil(owed / raws.length)
    for (const raw of raws) {
      const sent = raw.turn(Math.min(each, Math.ceil(owed)))
      owed -= sent
      begun += sent
      if (owed <= 0) break
    }
  }
  for (const raw of raws) raw.end()
}

process.on("message", (message: ToGenerator) => {
  if (message === "begin") return
  if (message === "end") {
    running = false
    // Callers that wait for an answer have none to come: all is counted.
    return setTimeout(() => process.exit(0), 200)
  }
  if (message === "report") {
    const { system, user } = process.cpuUsage(cpu)
    process.send?.({ latency: latency.toJSON(), begun, failures, cpu_s: (system + user) / 1e6 } satisfies FloodReport)
    return
  }
  latency = new Histogram()
  begun = 0
  failures = {}
  cpu = process.cpuUsage()
})

process.once("disconnect", () => process.exit(0))

if ("callers" in plan.load) await Effect.runPromise(call(plan.load.callers))
else await flood(plan.load.per_second)
