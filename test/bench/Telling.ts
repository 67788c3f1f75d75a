/**
 * The other end of `Generator.ts`, for generators that are programs of Node.js.
 *
 * @module
 */
import { createInterface } from "node:readline"
import type { Said } from "./Generator.ts"
import { type Operation, operations, type Work } from "./Plan.ts"

export const say = (said: Said): void => void process.stdout.write(`${JSON.stringify(said)}\n`)

export interface LoadOrder {
  readonly work: Work
  readonly warm_ms: number
  readonly measure_ms: number
}

/** Of the words that follow "load". */
export const loadOrder = (words: ReadonlyArray<string>): LoadOrder => {
  const [name, ...numbers] = words
  const operation = operations.find((operation) => operation === name)
  const [outstanding = 0, connections = 0, tenants = 0, warm_ms = 0, measure_ms = 0] = numbers.slice(0, 5).map(Number)
  if (operation === undefined) throw new Error(`cannot load "${words.join(" ")}"`)
  return { work: { operation, outstanding, connections, tenants }, warm_ms, measure_ms }
}

/** One command after the other, until there is no more input; whatever is still under way then ends with the process. */
export const obey = async (
  commands: Readonly<Record<string, (words: ReadonlyArray<string>) => Promise<void>>>
): Promise<void> => {
  // An end in order: processor profiles are written then.
  process.once("SIGTERM", () => process.exit(0))
  say({ event: "ready" })
  for await (const line of createInterface({ input: process.stdin })) {
    const [name = "", ...words] = line.split(" ")
    const command = commands[name]
    if (command === undefined) throw new Error(`no such command: "${line}"`)
    await command(words)
  }
  process.exit(0)
}

let mixed = 0
export const isWrite = (operation: Operation): boolean => operation === "write" || (operation === "mix" && mixed++ % 10 === 0)

const usage = () => ({ at_ms: performance.now(), own_us: process.cpuUsage() })

/** Says when a measurement begins and ends; gives what it took. */
export const measured = async (body: () => Promise<void>): Promise<{ elapsed_s: number; generator_cpu_s: number }> => {
  const before = usage()
  say({ event: "measuring" })
  await body()
  const { at_ms, own_us } = usage()
  say({ event: "measured" })
  const cpu_us = own_us.user + own_us.system - before.own_us.user - before.own_us.system
  return { elapsed_s: (at_ms - before.at_ms) / 1_000, generator_cpu_s: cpu_us / 1e6 }
}
