/**
 * The data of simulated replicas: registers that only grow. An append's result says how long the register has become,
 * so an operation that ran twice, in another order, or not at all is seen by its client.
 *
 * @module
 */
import { invariant } from "../../src/base/Invariant.ts"
import type { ApplyContext, PinnedState, StateBuilder } from "../../src/vr/Application.ts"
import { digestOf, PinCount, readerOf, type Replicated, type Workload } from "./Data.ts"

export interface AppendResult {
  /** Op number at which it ran. */
  readonly op: number
  /** Length of the register after it. */
  readonly length: number
}

export interface ReadResult {
  /** Op number of the last append that the whole store has seen. */
  readonly version: number
  readonly length: number
  /** The tag that was appended last. */
  readonly last: string
  /** Of the whole store: equal histories give equal digests. */
  readonly digest: number
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1")
const text = (value: Uint8Array): string => Buffer.from(value).toString("latin1")

/** `tag` must be unique among all appends of a simulation: a register asserts that it sees each once. */
export const append = (key: string, tag: string): Uint8Array => bytes(`append ${key} ${tag}`)
export const get = (key: string): Uint8Array => bytes(`get ${key}`)
/** A write that no replica lets into its log. */
export const malformed: Uint8Array = bytes("malformed")

export const appendResult = (result: Uint8Array): AppendResult => JSON.parse(text(result)) as AppendResult
export const readResult = (result: Uint8Array): ReadResult => JSON.parse(text(result)) as ReadResult

export class Register implements Replicated {
  version = 0
  digest = 0
  private readonly pinned = new PinCount()
  readonly pins = this.pinned.outstanding
  private registers = new Map<string, RegisterState>()
  private seen = new Set<string>()

  readonly prefetch = (): void => {}

  /** How often it had time for what was put off. */
  tidied = 0

  readonly tidy = (): void => {
    this.tidied++
  }

  readonly refuseWrite = (operation: Uint8Array): Uint8Array | undefined =>
    text(operation).startsWith("append ") ? undefined : bytes("refused")

  readonly apply = (operation: Uint8Array, { op }: ApplyContext): Uint8Array => {
    const [, key, tag] = text(operation).split(" ")
    invariant(key !== undefined && tag !== undefined, "only appends enter the log")
    invariant(!this.seen.has(tag), "an operation runs once", { tag, op })
    invariant(op > this.version, "operations run in the order of the log", { op, version: this.version })
    this.seen.add(tag)
    this.version = op
    this.digest = digestOf(this.digest, op, operation)
    const register = this.registers.get(key) ?? { length: 0, last: "" }
    register.length++
    register.last = tag
    this.registers.set(key, register)
    return bytes(JSON.stringify({ op, length: register.length } satisfies AppendResult))
  }

  readonly query = (operation: Uint8Array): Uint8Array => {
    const register = this.registers.get(text(operation).split(" ")[1] ?? "")
    const { digest, version } = this
    const { last, length } = register ?? { last: "", length: 0 }
    return bytes(JSON.stringify({ version, length, last, digest } satisfies ReadResult))
  }

  readonly size = (): number => this.seen.size * seen_bytes

  readonly pin = (): PinnedState => {
    const { version, digest } = this
    const [registers, seen] = [[...this.registers], [...this.seen]]
    const head: Head = { version, digest, registers: registers.length, seen: seen.length }
    const parts = [head, ...registers, ...inRows(seen)].map((part) => bytes(JSON.stringify(part)))
    return this.pinned.track({ read: () => readerOf(parts), release: () => {} })
  }

  readonly restore = (): StateBuilder => {
    const parts: Array<unknown> = []
    return {
      add: (part) => {
        try {
          parts.push(JSON.parse(text(part)))
          return null
        } catch {
          return "a part is no JSON"
        }
      },
      finish: () => {
        const head = parts[0] as Head | undefined
        const expected = head === undefined ? 1 : 1 + head.registers + Math.ceil(head.seen / row_length)
        return parts.length === expected ? null : `there are ${parts.length} parts, and not ${expected}`
      },
      install: () => this.install(parts)
    }
  }

  private install([head, ...rest]: ReadonlyArray<unknown>): void {
    const { version, digest, registers } = head as Head
    this.version = version
    this.digest = digest
    this.registers = new Map(rest.slice(0, registers) as ReadonlyArray<readonly [string, RegisterState]>)
    this.seen = new Set((rest.slice(registers) as ReadonlyArray<ReadonlyArray<string>>).flat())
  }

  whole(): string {
    return JSON.stringify([...this.registers])
  }
}

interface RegisterState {
  length: number
  last: string
}

/** The first part; then come the registers, one in a part, then the tags that were seen, in rows. */
interface Head {
  readonly version: number
  readonly digest: number
  readonly registers: number
  readonly seen: number
}

const seen_bytes = 16
const row_length = 16

const inRows = (tags: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: Math.ceil(tags.length / row_length) }, (_, i) => tags.slice(i * row_length, (i + 1) * row_length))

export const registers: Workload = { replica: () => new Register(), model: () => new Register() }
