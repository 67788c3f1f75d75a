/**
 * Numbered writes without end, and a book of what was acknowledged: so that a lost write shows, and one that was
 * applied twice.
 *
 * - *Creators* create `/seq/<n>`. A second execution would answer AlreadyExists, and a lost one is missing at the end.
 * - The *chain* replaces one element by compare-and-set on the version that it was told last. Its content counts. A lost
 *   link, or one applied twice, breaks the chain at once.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { PromiseTenant } from "../../src/client/index.ts"

const directory = "/seq"
/** Of which there is one, made before a workload has started. */
export const chain = "/chain"
/** Of each writer, after each write: it leaves a small machine some room to start nodes. */
const breath_ms = 3

export const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(String(value))
export const text = (data: Uint8Array): string => new TextDecoder().decode(data)

export interface Verdict {
  readonly acknowledged: number
  /** In words; none on a good day. */
  readonly problems: ReadonlyArray<string>
}

export class Workload {
  private readonly tenant: PromiseTenant
  /** Numbers of creations that were acknowledged, with the version that was told. */
  private readonly created = new Map<number, number>()
  private readonly problems: Array<string> = []
  private readonly writers: Array<Promise<void>> = []
  private next = 0
  private links = 0
  private linkVersion = 0
  private stopped = false
  private acknowledged = 0
  private lastAt = performance.now()
  private gap_ms = 0

  private constructor(tenant: PromiseTenant) {
    this.tenant = tenant
  }

  /** `creators`: how many creations are under way at any time. */
  static async start(tenant: PromiseTenant, creators: number): Promise<Workload> {
    const workload = new Workload(tenant)
    await tenant.create(directory, undefined, { type: "directory" })
    const { version } = await tenant.create(chain, bytes(0))
    workload.linkVersion = version
    workload.writers.push(workload.extendChain())
    for (let i = 0; i < creators; i++) workload.writers.push(workload.createForEver())
    return workload
  }

  /** How many writes have been acknowledged. */
  get count(): number {
    return this.acknowledged
  }

  /** What went wrong so far. */
  get trouble(): ReadonlyArray<string> {
    return this.problems
  }

  /** The longest time without an acknowledgement since this was asked last, in ms. */
  takeGap(): number {
    const gap_ms = Math.max(this.gap_ms, performance.now() - this.lastAt)
    this.gap_ms = 0
    return gap_ms
  }

  /** Stops writing, waits for what is under way, reads everything back. */
  async finish(): Promise<Verdict> {
    this.stopped = true
    await Promise.all(this.writers)
    await this.readBack()
    return { acknowledged: this.acknowledged, problems: this.problems }
  }

  private async createForEver(): Promise<void> {
    while (!this.stopped) {
      const number = this.next++
      await this.write(`create ${number}`, async () => {
        const { version } = await this.tenant.create(`${directory}/${number}`, bytes(number))
        this.created.set(number, version)
      })
    }
  }

  private async extendChain(): Promise<void> {
    while (!this.stopped) {
      await this.write(`link ${this.links + 1}`, async () => {
        const { version } = await this.tenant.put(chain, bytes(this.links + 1), { version: this.linkVersion })
        this.links++
        this.linkVersion = version
      })
    }
  }

  /** A refusal by the store would be a write applied twice, or one lost before it: nothing else could refuse. */
  private async write(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.problems.push(`${what}: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`)
      this.stopped = true
      return
    }
    const now = performance.now()
    this.acknowledged++
    this.gap_ms = Math.max(this.gap_ms, now - this.lastAt)
    this.lastAt = now
    await sleep(breath_ms)
  }

  private async readBack(): Promise<void> {
    const found = new Map<number, number>()
    for await (const { name, version } of this.tenant.listAll(directory)) found.set(Number(name), version)
    for (const [number, version] of this.created) {
      const actual = found.get(number)
      if (actual === undefined) this.problems.push(`create ${number} was acknowledged and is lost`)
      else if (actual !== version) this.problems.push(`create ${number}: told version ${version}, has ${actual}`)
    }
    for (const number of found.keys()) {
      if (!this.created.has(number)) this.problems.push(`create ${number} is there, and was never acknowledged`)
    }
    const { data, version } = await this.tenant.get(chain)
    if (text(data) !== String(this.links) || version !== this.linkVersion) {
      this.problems.push(
        `the chain ends with ${text(data)} at version ${version}; acknowledged were ${this.links} at ${this.linkVersion}`
      )
    }
  }
}
