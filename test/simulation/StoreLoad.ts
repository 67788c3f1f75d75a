/**
 * What clients ask of the store: writes and reads of a few elements under a few directories, so that they get in each
 * other's way; and what they were told, call by call.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import { decodeOperation, encodeOperation, type Operation } from "../../src/store/Operation.ts"
import type { Client, Pending } from "./Client.ts"
import { dice, pick } from "./Dice.ts"
import type { Call } from "./linearizability/Linearizability.ts"
import type { Schedule } from "./Schedule.ts"
import type { Simulation } from "./Simulation.ts"
import { resultOf } from "./StoreData.ts"

const paths = ["/a", "/a/x", "/a/y", "/b", "/b/x", "/c/x"]

/** A write that no replica lets into its log. */
const malformed = Uint8Array.from([0xc1])

type Open = { -readonly [K in keyof Call]: Call[K] }

/** One client's part. */
interface Asker {
  readonly client: Client
  readonly random: Random
  values: number
}

export class StoreLoad {
  /** In the order in which they were asked. */
  readonly calls: Array<Open> = []
  isOver = false
  private moments = 0
  private readonly open = new Map<Pending, Open>()
  /** The last version that anybody saw of an element. */
  private readonly versions = new Map<string, number>()
  private readonly askers: ReadonlyArray<Asker>
  private readonly sim: Simulation
  private readonly schedule: Schedule

  constructor(sim: Simulation, schedule: Schedule) {
    this.sim = sim
    this.schedule = schedule
    this.askers = Array.from({ length: schedule.clients }, (_, i) => ({
      client: sim.client({
        onAsked: (client, pending) => this.asked(client, pending),
        onAnswered: (_client, pending) => this.answered(pending)
      }),
      random: dice(schedule.seed, `load ${i}`),
      values: 0
    }))
    sim.burst = (target, count) => {
      for (const asker of this.askers) {
        asker.client.target = target
        for (let i = 0; i < count && asker.client.isWindowOpen; i++) this.write(asker)
      }
    }
    sim.glance = (target) => {
      for (const { client, random } of this.askers) {
        // A tight bound on reads would keep what piles up for long.
        if (client.reading >= 2) continue
        client.target = target
        client.read(encodeOperation(this.drawRead(random)))
      }
    }
    for (const asker of this.askers) this.askLater(asker)
  }

  private askLater(asker: Asker): void {
    const { every_ms, window } = this.schedule
    this.sim.events.after(every_ms * 2 * asker.random.next(), () => {
      if (this.isOver) return
      if (asker.client.outstanding < window && asker.client.isWindowOpen) this.ask(asker)
      this.askLater(asker)
    })
  }

  private ask(asker: Asker): void {
    const { client, random } = asker
    // Clients do not always know whom to ask.
    if (random.next() < 0.05) client.target = pick(random, this.sim.configuration.replicas)
    const chance = random.next()
    if (chance < 0.3) client.read(encodeOperation(this.drawRead(random)))
    else if (chance < 0.32) client.write(malformed)
    else this.write(asker)
  }

  private write(asker: Asker): void {
    asker.client.write(encodeOperation(this.drawWrite(asker)))
  }

  private drawRead(random: Random): Operation {
    const path = pick(random, paths)
    const chance = random.next()
    if (this.schedule.reads_root && chance < 0.2) return { _tag: "List", path: "/", limit: pick(random, [1, 10]), after: null }
    if (chance < 0.6) return { _tag: "Get", path }
    if (chance < 0.8) return { _tag: "Stat", path }
    return { _tag: "List", path: pick(random, ["/a", "/b", "/c"]), limit: pick(random, [1, 10]), after: pick(random, [null, "x"]) }
  }

  private drawWrite(asker: Asker): Operation {
    const { client, random } = asker
    const path = pick(random, paths)
    const data = Buffer.from(`${client.name}-${++asker.values}`)
    const chance = random.next()
    const version = random.next() < 0.3 ? this.versions.get(path) ?? null : null
    if (chance < 0.5) return { _tag: "Put", path, data, version }
    if (chance < 0.85) {
      const isDirectory = random.next() < 0.2
      return {
        _tag: "Create",
        path,
        type: isDirectory ? "directory" : "blob",
        data: isDirectory ? Uint8Array.of() : data,
        parents: random.next() < 0.5
      }
    }
    return { _tag: "Delete", path, version, recursive: random.next() < 0.5 }
  }

  private asked(client: Client, pending: Pending): void {
    const { request } = pending
    if (request.kind === "register" || request.operation === malformed) return
    const operation = decodeOperation(request.operation)
    if (operation._tag === "Error") throw new Error("only what the store takes is asked")
    const call: Open = { client: client.name, operation, invoked: ++this.moments, returned: null, result: null }
    this.calls.push(call)
    this.open.set(pending, call)
  }

  private answered(pending: Pending): void {
    const call = this.open.get(pending)
    if (call === undefined) return
    this.open.delete(pending)
    call.returned = ++this.moments
    call.result = resultOf(pending.reply!.result!)
    const version = "version" in call.result ? call.result.version : undefined
    if (version !== undefined) this.versions.set(call.operation.path, version)
  }
}
