/**
 * The network between replicas and clients: messages may be lost, doubled, delayed and overtaken; single directions may
 * be cut; a test may hold messages back and let them go one by one.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import type { Message } from "../../src/vr/Message.ts"
import type { ClientRequest, Reply } from "../../src/vr/Replica.ts"
import type { EventQueue } from "./EventQueue.ts"

export type Payload =
  | { readonly _tag: "Peer"; readonly message: Message }
  | { readonly _tag: "Request"; readonly request: ClientRequest }
  | { readonly _tag: "Reply"; readonly reply: Reply }

export interface Envelope {
  readonly from: string
  readonly to: string
  readonly payload: Payload
}

export interface Weather {
  /** Probabilities. */
  loss: number
  duplication: number
  /** Of a message that takes `straggler_ms` at most, long enough to come from another age. */
  straggling: number
  /** Uniformly between the two. */
  delay_ms: readonly [number, number]
  /** Messages of one direction do not overtake each other, as in a TCP connection; they may still be lost. */
  inOrder: boolean
  straggler_ms: number
}

export const fairWeather = (): Weather => ({
  loss: 0,
  duplication: 0,
  straggling: 0,
  delay_ms: [1, 1],
  inOrder: false,
  straggler_ms: 0
})

/** Messages that a test keeps back, in the order in which they were sent. */
export interface Hold {
  readonly held: ReadonlyArray<Envelope>
  /** Lets the i-th go. */
  readonly deliver: (index?: number) => void
  /** Lets all go, and holds no more. */
  readonly release: () => void
  /** Loses all, and holds no more. */
  readonly drop: () => void
}

export class Network {
  weather: Weather
  readonly counts = { sent: 0, lost: 0, doubled: 0, cut: 0 }
  private readonly cuts = new Set<string>()
  /** When the last message of a direction arrives. */
  private readonly latest = new Map<string, number>()
  private readonly holds = new Set<{ readonly matches: (envelope: Envelope) => boolean; readonly held: Array<Envelope> }>()
  private readonly events: EventQueue
  private readonly random: Random
  private readonly receive: (envelope: Envelope) => void

  constructor(events: EventQueue, random: Random, receive: (envelope: Envelope) => void, weather: Weather) {
    this.events = events
    this.random = random
    this.receive = receive
    this.weather = weather
  }

  send(from: string, to: string, payload: Payload): void {
    const envelope: Envelope = { from, to, payload }
    this.counts.sent++
    for (const hold of this.holds) {
      if (!hold.matches(envelope)) continue
      hold.held.push(envelope)
      return
    }
    const { random, weather } = this
    if (weather.loss > 0 && random.next() < weather.loss) {
      this.counts.lost++
      return
    }
    this.deliver(envelope)
    if (weather.duplication > 0 && random.next() < weather.duplication) {
      this.counts.doubled++
      this.deliver(envelope)
    }
  }

  private deliver(envelope: Envelope): void {
    const { delay_ms: [least, most], inOrder, straggler_ms, straggling } = this.weather
    const slow = straggling > 0 && this.random.next() < straggling
    const delay = slow ? straggler_ms * this.random.next() : least === most ? least : least + (most - least) * this.random.next()
    const soonest = this.events.now + delay
    this.events.at(inOrder ? this.behindOthers(envelope, soonest) : soonest, () => {
      // A cut loses what is under way too, as a broken connection does.
      if (this.cuts.size > 0 && this.cuts.has(`${envelope.from}>${envelope.to}`)) this.counts.cut++
      else this.receive(envelope)
    })
  }

  private behindOthers({ from, to }: Envelope, soonest: number): number {
    const direction = `${from}>${to}`
    const at = Math.max(soonest, this.latest.get(direction) ?? 0)
    this.latest.set(direction, at)
    return at
  }

  /** One direction. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`)
  }

  heal(from: string, to: string): void {
    this.cuts.delete(`${from}>${to}`)
  }

  healAll(): void {
    this.cuts.clear()
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from}>${to}`)
  }

  hold(matches: (envelope: Envelope) => boolean): Hold {
    const entry = { matches, held: new Array<Envelope>() }
    this.holds.add(entry)
    return {
      held: entry.held,
      deliver: (index = 0) => {
        const [envelope] = entry.held.splice(index, 1)
        if (envelope === undefined) throw new Error(`no message ${index} is held`)
        this.deliver(envelope)
      },
      release: () => {
        this.holds.delete(entry)
        for (const envelope of entry.held.splice(0)) this.deliver(envelope)
      },
      drop: () => {
        this.holds.delete(entry)
        entry.held.length = 0
      }
    }
  }
}
