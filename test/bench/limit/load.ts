/**
 * The client of the three bare processes, a generator as `Generator.ts` says: writes, over one connection.
 *
 * @module
 */
import * as Net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Latencies } from "../Latencies.ts"
import { elementOf, keys, pathOf, value_bytes } from "../Plan.ts"
import { loadOrder, measured, obey, say } from "../Telling.ts"
import { frameOf, pack, splitter, unpack } from "./Frames.ts"

const port = Number(process.argv[2])
const value = new Uint8Array(value_bytes).fill(7)
let elements = keys
let request = 0

/** Answers that arrive together are followed by as many writes, which leave together. */
const load = async (words: ReadonlyArray<string>): Promise<void> => {
  const { measure_ms, warm_ms, work: { outstanding } } = loadOrder(words)
  const socket = Net.connect({ port, host: "127.0.0.1", noDelay: true })
  const latencies = new Latencies()
  const begun = new Map<number, number>()
  let running = true
  let ended = (): void => {}
  const send = (count: number): void => {
    const frames: Array<Buffer> = []
    const now_ms = performance.now()
    for (let i = 0; i < count; i++) {
      request++
      begun.set(request, now_ms)
      frames.push(frameOf([request, pack([pathOf(elementOf(request, elements)), value])]))
    }
    socket.write(Buffer.concat(frames))
  }
  socket.on("data", splitter((bodies) => {
    const now_ms = performance.now()
    const answered = bodies.flatMap((body) => unpack(body) as ReadonlyArray<number>)
    for (const number of answered) {
      latencies.add(now_ms - (begun.get(number) ?? Number.NaN))
      begun.delete(number)
    }
    if (running) send(answered.length)
    else if (begun.size === 0) ended()
  }))
  send(outstanding)
  await sleep(warm_ms)
  const took = await measured(async () => {
    latencies.recording = true
    await sleep(measure_ms)
    latencies.recording = false
  })
  await new Promise<void>((resolve) => {
    ended = resolve
    running = false
  })
  socket.destroy()
  say({ event: "sample", ...took, operations: latencies.count, ...latencies.percentiles(), failed: 0 })
}

await obey({
  fill: async ([count]) => {
    elements = Number(count)
    say({ event: "filled" })
  },
  load
})
