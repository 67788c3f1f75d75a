/**
 * The network between replicas and clients: messages may be lost, doubled, delayed and overtaken; single directions may
 * be cut, or clogged for a while; a test may hold messages back and let them go one by one.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import type { Epoch, Message } from "../../src/vr/Message.ts"
import type { ClientRequest, Reply } from "../../src/vr/Replica.ts"
import { dice } from "./Dice.ts"
import type { EventQueue } from "./EventQueue.ts"

export type Payload =
  | { readonly _tag: "Peer"; readonly epoch: Epoch; readonly message: Message }
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

/** From one to another. */
interface Direction {
  readonly random: Random
  isCut: boolean
  /** Nothing arrives before then. */
  cloggedUntil: number
  /** When the last message arrives. */
  latest: number
}

/** Memory that the sender uses again is copied, as the kernel does. */
const onTheWire = (payload: Payload): Payload =>
  payload._tag === "Peer" && payload.message._tag === "SnapshotPart"
    ? { ...payload, message: { ...payload.message, bytes: payload.message.bytes.slice() } }
    : payload

export class Network {
  weather: Weather
  readonly counts = { sent: 0, lost: 0, doubled: 0, cut: 0, clogged: 0 }
  /** How often all that was under way was lost. */
  private losses = 0
  private readonly directions = new Map<string, Map<string, Direction>>()
  private readonly holds = new Set<{ readonly matches: (envelope: Envelope) => boolean; readonly held: Array<Envelope> }>()
  private readonly events: EventQueue
  private readonly seed: number
  private readonly receive: (envelope: Envelope) => void

  constructor(events: EventQueue, seed: number, receive: (envelope: Envelope) => void, weather: Weather) {
    this.events = events
    this.seed = seed
    this.receive = receive
    this.weather = weather
  }

  send(from: string, to: string, payload: Payload): void {
    const envelope: Envelope = { from, to, payload: onTheWire(payload) }
    this.counts.sent++
    for (const hold of this.holds) {
      if (!hold.matches(envelope)) continue
      hold.held.push(envelope)
      return
    }
    const { weather } = this
    const { random } = this.direction(from, to)
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

  private direction(from: string, to: string): Direction {
    let ways = this.directions.get(from)
    if (ways === undefined) this.directions.set(from, ways = new Map())
    let direction = ways.get(to)
    if (direction === undefined) {
      direction = { random: dice(this.seed, `${from}>${to}`), isCut: false, cloggedUntil: 0, latest: 0 }
      ways.set(to, direction)
    }
    return direction
  }

  private deliver(envelope: Envelope): void {
    const { delay_ms: [least, most], inOrder, straggler_ms, straggling } = this.weather
    const direction = this.direction(envelope.from, envelope.to)
    const { random } = direction
    const slow = straggling > 0 && random.next() < straggling
    const delay = slow ? straggler_ms * random.next() : least === most ? least : least + (most - least) * random.next()
    let at = this.events.now + delay
    if (at < direction.cloggedUntil) {
      this.counts.clogged++
      at = direction.cloggedUntil + delay
    }
    if (inOrder) {
      at = Math.max(at, direction.latest)
      direction.latest = at
    }
    const { losses } = this
    this.events.at(at, () => {
      // A cut loses what is under way too, as a broken connection does.
      if (direction.isCut || losses !== this.losses) this.counts.cut++
      else this.receive(envelope)
    })
  }

  /** One direction. */
  cut(from: string, to: string): void {
    this.direction(from, to).isCut = true
  }

  heal(from: string, to: string): void {
    this.direction(from, to).isCut = false
  }

  healAll(): void {
    for (const ways of this.directions.values()) {
      for (const direction of ways.values()) {
        direction.isCut = false
        direction.cloggedUntil = 0
      }
    }
  }

  /** What is under way, in all directions. */
  loseAll(): void {
    this.losses++
  }

  isCut(from: string, to: string): boolean {
    return this.direction(from, to).isCut
  }

  /** What is sent from now on in one direction arrives later. */
  clog(from: string, to: string, for_ms: number): void {
    this.direction(from, to).cloggedUntil = this.events.now + for_ms
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
