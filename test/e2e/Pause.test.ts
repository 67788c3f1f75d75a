/**
 * A primary that stands still for five seconds (SIGSTOP) and then goes on as if nothing had happened (SIGCONT). It must
 * find out that it is not the primary any more before it answers anybody: no read may be older than the last write that
 * was acknowledged before the read began.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import { decodeResult, encodeOperation } from "../../src/store/Operation.ts"
import { decodeServerMessage, encodeClientMessage, type ServerMessage } from "../../src/wire/ClientProtocol.ts"
import { type Cluster, tenant_name, until } from "./Cluster.ts"
import { RawSocket } from "./RawSocket.ts"
import { testCluster } from "./TestCluster.ts"
import { bytes, text } from "./Workload.ts"

const path = "/counter"
const pause_ms = 5_000
/** Between the reads of a reader, and the writes of the writer. */
const beat_ms = 10

/** Counts up, one acknowledged write after the other. */
class Counter {
  acknowledged = 0
  private running = true
  private readonly done: Promise<void>

  constructor(tenant: PromiseTenant) {
    this.done = this.run(tenant)
  }

  async stop(): Promise<void> {
    this.running = false
    await this.done
  }

  private async run(tenant: PromiseTenant): Promise<void> {
    while (this.running) {
      await tenant.put(path, bytes(this.acknowledged + 1))
      this.acknowledged++
      await sleep(beat_ms)
    }
  }
}

interface Read {
  /** Acknowledged before the read began. */
  readonly floor: number
  readonly while_paused: boolean
  /** What came of it: the value, or why there is none; null: no answer yet. */
  answer: number | string | null
}

/** Asks one node, and nobody else, whatever it answers. */
class StubbornReader {
  readonly reads: Array<Read> = []
  private readonly socket: RawSocket
  private readonly counter: Counter
  private running = true
  private readonly done: Promise<void>
  paused = false

  private constructor(socket: RawSocket, counter: Counter) {
    this.socket = socket
    this.counter = counter
    socket.onPayload = (payload) => this.hear(decodeServerMessage(payload))
    this.done = this.run()
  }

  static async connect(address: string, counter: Counter): Promise<StubbornReader> {
    const socket = await RawSocket.greeted(address, "v2r2-client")
    socket.write(encodeClientMessage({ _tag: "Open", channel: 1, tenant: tenant_name, nonce: new Uint8Array(16) }))
    const opened = await socket.next()
    expect(opened === null ? null : decodeServerMessage(opened)).toMatchObject({ _tag: "Opened", channel: 1 })
    return new StubbornReader(socket, counter)
  }

  async stop(): Promise<void> {
    this.running = false
    await this.done
    await until("every read has an answer", async () => this.reads.every(({ answer }) => answer !== null))
    this.socket.destroy()
  }

  private async run(): Promise<void> {
    const operation = encodeOperation({ _tag: "Get", path })
    while (this.running) {
      this.reads.push({ floor: this.counter.acknowledged, while_paused: this.paused, answer: null })
      this.socket.write(encodeClientMessage({ _tag: "Read", channel: 1, id: this.reads.length, operation }))
      await sleep(beat_ms)
    }
  }

  private hear(message: ServerMessage | { readonly _tag: "Malformed" }): void {
    if (message._tag !== "Answer") throw new Error(`unexpected ${message._tag}`)
    const { id, outcome } = message
    const read = this.reads[id - 1]!
    if (read.answer !== null) throw new Error(`read ${id} was answered twice`)
    if (outcome._tag !== "Ok") {
      read.answer = outcome._tag
      return
    }
    const result = decodeResult(outcome.result)
    read.answer = result._tag === "Value" ? Number(text(result.data)) : result._tag
  }
}

/** Reads through the library, which may go wherever it likes. */
const followingReader = (tenant: PromiseTenant, counter: Counter) => {
  const stale: Array<string> = []
  let running = true
  let count = 0
  const run = async (): Promise<void> => {
    while (running) {
      const floor = counter.acknowledged
      const value = Number(text((await tenant.get(path)).data))
      if (value < floor) stale.push(`read ${value} after ${floor} was acknowledged`)
      count++
      await sleep(beat_ms)
    }
  }
  const done = run()
  return {
    stop: async () => {
      running = false
      await done
      return { stale, count }
    }
  }
}

const enter = (cluster: Cluster, endpoints: ReadonlyArray<string>) =>
  connect({ endpoints, tenant: tenant_name, cluster: "e2e", deadline: cluster.nodes.length * 10_000 })

it("a primary that stood still for 5 s steps down, and serves no stale read", { timeout: 120_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const old = await cluster.primary()
  const writer = await enter(cluster, cluster.endpoints)
  const reader = await enter(cluster, [old.layout.client])
  await writer.create(path, bytes(0))
  const counter = new Counter(writer)
  const stubborn = await StubbornReader.connect(old.layout.client, counter)
  const following = followingReader(reader, counter)
  const reaches = (count: number) =>
    until(`${count} writes are acknowledged`, async () => counter.acknowledged >= count)
  await reaches(20)
  const before = await cluster.replica(old)

  const pausedAt = performance.now()
  const begin = counter.acknowledged
  old.pause()
  stubborn.paused = true
  const next = await cluster.primary(tenant_name, old)
  // One may have been executed already, its answer on the way.
  await reaches(begin + 2)
  const gap_ms = Math.round(performance.now() - pausedAt)
  await reaches(begin + 50)
  await sleep(Math.max(0, pause_ms - (performance.now() - pausedAt)))
  const during = counter.acknowledged - begin
  old.resume()
  const state = await until("the old primary has stepped down", async () => {
    const replica = await cluster.replica(old)
    return replica.state === "backup" && replica.view > before.view && replica
  })
  stubborn.paused = false
  await reaches(counter.acknowledged + 50)
  await stubborn.stop()
  const { count, stale } = await following.stop()
  await counter.stop()

  console.log(`${old.name} stopped, ${next.name} took over: ${gap_ms} ms without a write, ${during} writes in ${pause_ms} ms`)
  expect(state.primary).toBe(`${(await cluster.replica(next)).name}::${next.name}`)
  expect(stale).toEqual([])
  const old_values = stubborn.reads.filter(({ answer, floor }) => typeof answer === "number" && answer < floor)
  expect(old_values).toEqual([])
  // Otherwise this test would have shown nothing.
  expect(count).toBeGreaterThan(50)
  const tempting = stubborn.reads.filter(({ floor, while_paused }) => while_paused && floor > begin + 20)
  expect(tempting.length).toBeGreaterThan(50)
  expect(tempting.filter(({ answer }) => answer === "Redirect" || answer === "Retry").length).toBeGreaterThan(50)
  expect(stubborn.reads.filter(({ answer }) => typeof answer === "number").length).toBeGreaterThan(10)
  await reader.close()
  await writer.close()
})
