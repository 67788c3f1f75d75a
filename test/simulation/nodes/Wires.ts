/**
 * What lies between hosts: which way nothing gets through, how long everything else takes, and which hosts are off.
 *
 * @module
 */
import type { Random } from "../../../src/base/Random.ts"

/** The ordinary state of the network. */
export interface Weather {
  /** One way, from the least to the most. */
  readonly latency_ms: readonly [least: number, most: number]
  /** How often what is written at once arrives in pieces, cut anywhere. */
  readonly split_chance: number
}

export class Wires {
  weather: Weather
  private readonly random: Random
  /** By `from → to`: how many faults hold this way up. */
  private readonly held = new Map<string, number>()
  /** By `from → to`: how much longer everything takes. */
  private readonly slow = new Map<string, number>()
  private readonly off = new Set<string>()
  /** Called when a way has become free. */
  onFree: () => void = () => {}

  constructor(random: Random, weather: Weather) {
    this.random = random
    this.weather = weather
  }

  /** Nothing gets through from one to the other, and nobody is told, until this many holds have ended. */
  hold(from: string, to: string): void {
    const way = `${from} → ${to}`
    this.held.set(way, (this.held.get(way) ?? 0) + 1)
  }

  release(from: string, to: string): void {
    const way = `${from} → ${to}`
    const left = (this.held.get(way) ?? 1) - 1
    if (left > 0) this.held.set(way, left)
    else this.held.delete(way)
    this.onFree()
  }

  /** The host is without power: it neither sends nor answers. */
  turnOff(host: string): void {
    this.off.add(host)
  }

  turnOn(host: string): void {
    this.off.delete(host)
    this.onFree()
  }

  slowDown(from: string, to: string, ms: number): void {
    this.slow.set(`${from} → ${to}`, ms)
  }

  speedUp(from: string, to: string): void {
    this.slow.delete(`${from} → ${to}`)
  }

  isOpen(from: string, to: string): boolean {
    return !this.off.has(from) && !this.off.has(to) && !this.held.has(`${from} → ${to}`)
  }

  /** How long the next thing takes, in ms. */
  delay(from: string, to: string): number {
    const [least, most] = this.weather.latency_ms
    return least + (most - least) * this.random.next() + (this.slow.get(`${from} → ${to}`) ?? 0) * this.random.next()
  }

  get isSplitting(): boolean {
    return this.random.next() < this.weather.split_chance
  }
}
