/**
 * Draws faults: crashes with loss of memory (never more than f at once), pauses, partitions of several shapes, deaf and
 * mute replicas, broken connections, clocks that drift and jump, changes of weather.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import type { Weather } from "./Network.ts"
import type { Process } from "./Process.ts"
import type { Simulation } from "./Simulation.ts"

export const pick = <A>(random: Random, choices: ReadonlyArray<A>): A => choices[Math.floor(random.next() * choices.length)]!

export const between = (random: Random, least: number, most: number): number => least + (most - least) * random.next()

export const drawWeather = (random: Random): Weather => {
  const least = pick(random, [0.2, 1, 1, 5])
  return {
    loss: pick(random, [0, 0, 0.01, 0.05, 0.15, 0.3]),
    duplication: pick(random, [0, 0, 0.05, 0.2, 0.5]),
    straggling: pick(random, [0, 0.005, 0.02, 0.1]),
    delay_ms: [least, least + pick(random, [0.1, 2, 10, 50, 150, 2_000])],
    inOrder: random.next() < 0.4,
    straggler_ms: pick(random, [300, 1_500, 6_000])
  }
}

type Fault = (sim: Simulation) => void

const some = (sim: Simulation, matches: (process: Process) => boolean = () => true): Process | undefined => {
  const found = sim.processes.filter(matches)
  return found.length === 0 ? undefined : pick(sim.random, found)
}

/** Lost, or about to be. */
const isLoss = (process: Process): boolean => !process.remembers || process.crashAt !== null

const mayCrash = (sim: Simulation, victim: Process): boolean =>
  isLoss(victim) || sim.processes.filter(isLoss).length < sim.configuration.tolerates

const crash: Fault = (sim) => {
  const primary = sim.primary
  const victim = primary !== undefined && sim.random.next() < 0.4 ? sim.replica(primary) : some(sim, (one) => one.isUp)
  if (victim === undefined || !victim.isUp || !mayCrash(sim, victim)) return
  victim.crash()
  if (sim.random.next() < 0.5) tellPeers(sim, victim)
  const back_ms = pick(sim.random, [1, 50, 400, 3_000])
  sim.events.after(back_ms * sim.random.next(), () => victim.restart())
}

/** At a chosen point of its next turn: the most spiteful moments. */
const crashWithinTurn: Fault = (sim) => {
  const victim = some(sim, (one) => one.isUp)
  if (victim === undefined || !mayCrash(sim, victim)) return
  victim.crashAt = pick(sim.random, ["early sent", "written"])
  sim.events.after(200, () => {
    victim.crashAt = null
    victim.restart()
  })
}

const tellPeers = (sim: Simulation, gone: Process): void => {
  for (const process of sim.processes) if (process !== gone) process.input({ _tag: "PeerLost", replica: gone.id })
}

const pause: Fault = (sim) => {
  const victim = some(sim, (one) => one.isUp && !one.paused)
  if (victim === undefined) return
  victim.pause()
  sim.events.after(pick(sim.random, [50, 400, 1_500, 5_000]) * sim.random.next(), () => victim.resume())
}

const inTwo: Fault = (sim) => {
  const side = sim.processes.filter(() => sim.random.next() < 0.5)
  const oneWay = sim.random.next() < 0.3
  for (const a of side) {
    for (const b of sim.processes) {
      if (side.includes(b)) continue
      sim.network.cut(a.id, b.id)
      if (!oneWay) sim.network.cut(b.id, a.id)
    }
  }
}

const isolateOne: Fault = (sim) => {
  const victim = some(sim)!
  const [hears, speaks] = pick(sim.random, [[false, false], [false, true], [true, false]] as const)
  for (const { id } of sim.processes) {
    if (!hears) sim.network.cut(id, victim.id)
    if (!speaks) sim.network.cut(victim.id, id)
  }
}

/** The primary is cut off with a burst of writes; soon after the next one is, and the first is back with its own log. */
const handOver: Fault = (sim) => {
  const first = sim.primary
  if (first === undefined) return
  sim.isolate(first)
  for (const client of sim.clients) {
    client.target = first
    for (let i = 0; i < 4 && client.isWindowOpen; i++) client.append("a")
  }
  sim.events.after(between(sim.random, 200, 2_000), () => {
    if (sim.isCalm) return
    sim.heal()
    const next = sim.primary
    if (next !== undefined && next !== first) sim.isolate(next)
  })
}

const cutSomePaths: Fault = (sim) => {
  for (const { id: a } of sim.processes) {
    for (const { id: b } of sim.processes) if (a !== b && sim.random.next() < 0.2) sim.network.cut(a, b)
  }
}

const breakLink: Fault = (sim) => {
  const [a, b] = [some(sim)!, some(sim)!]
  if (a !== b) sim.link(a.id, b.id).breaks()
}

const heal: Fault = (sim) => sim.heal()

const changeWeather: Fault = (sim) => {
  sim.network.weather = drawWeather(sim.random)
}

const changeClock: Fault = (sim) => {
  const victim = some(sim)!
  victim.wallOffset_ms = between(sim.random, -60_000, 60_000)
  victim.drift(between(sim.random, 0.9, 1.1))
}

/** Weighted by repetition. */
const faults: ReadonlyArray<Fault> = [
  crash, crash, crash, crashWithinTurn, crashWithinTurn, pause, pause, inTwo, isolateOne, isolateOne, cutSomePaths, handOver, handOver,
  breakLink, breakLink, heal, heal, heal, changeWeather, changeClock
]

/** A fault now and then, until `until_ms`. */
export const unleash = (sim: Simulation, every_ms: number, until_ms: number): void => {
  sim.events.after(every_ms * 2 * sim.random.next(), () => {
    if (sim.events.now >= until_ms) return
    const fault = pick(sim.random, faults)
    sim.trace.note(sim.events.now, "nemesis", fault.name)
    fault(sim)
    unleash(sim, every_ms, until_ms)
  })
}

/** Faults that stay for good, of replicas that a quorum has to do without. */
const lasting: ReadonlyArray<(sim: Simulation, victim: Process) => void> = [
  (sim, { id }) => sim.isolate(id),
  // Deaf: it sends, and does not hear.
  (sim, { id }) => sim.processes.forEach((other) => other.id === id || sim.network.cut(other.id, id)),
  // Mute: it hears, and cannot send.
  (sim, { id }) => sim.processes.forEach((other) => other.id === id || sim.network.cut(id, other.id)),
  (_sim, victim) => victim.pause(),
  (_sim, victim) => victim.crash()
]

/**
 * The faults end: all of them, or, now and then, only those of a quorum, while the others stay broken for good.
 * Gives those that must be able to go on.
 */
export const relent = (sim: Simulation): ReadonlyArray<Process> => {
  const healthy = sim.random.next() < 0.4 ? aQuorum(sim) : sim.processes
  endFaults(sim)
  for (const process of sim.processes) if (!healthy.includes(process)) pick(sim.random, lasting)(sim, process)
  return healthy
}

/** A quorum with its memory; all, if so many are not there. */
const aQuorum = (sim: Simulation): ReadonlyArray<Process> => {
  const holders = sim.processes.filter((process) => process.remembers && process.crashAt === null)
  const spare = holders.length - sim.configuration.quorum
  if (spare < 0) return sim.processes
  for (let left = Math.floor(sim.random.next() * (spare + 1)); left > 0; left--) {
    holders.splice(Math.floor(sim.random.next() * holders.length), 1)
  }
  return holders
}

const endFaults = (sim: Simulation): void => {
  sim.trace.note(sim.events.now, "nemesis", "relents")
  sim.isCalm = true
  sim.heal()
  sim.network.weather = { loss: 0, duplication: 0, straggling: 0, delay_ms: [1, 5], inOrder: true, straggler_ms: 0 }
  for (const process of sim.processes) {
    process.crashAt = null
    process.resume()
    process.restart()
  }
}
