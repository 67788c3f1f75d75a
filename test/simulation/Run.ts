/**
 * One random run: faults and load for a while, then all heals, or a quorum does, and it must converge and make progress.
 *
 * @module
 */
import { seeded } from "../../src/base/Random.ts"
import type { Client } from "./Client.ts"
import { between, drawWeather, pick, relent, unleash } from "./Nemesis.ts"
import { Simulation } from "./Simulation.ts"
import { drawLimits, squeezed } from "./Squeeze.ts"

export interface RunReport {
  readonly seed: number
  readonly replicas: number
  readonly steps: number
  readonly committed: number
  readonly views: number
  readonly sessionsLost: number
  readonly simulated_ms: number
  /** From the end of the faults until a client was answered. */
  readonly served_ms: number
  /** And until everybody was served and had the same. */
  readonly converged_ms: number
}

interface Load {
  /** At most so many things outstanding. */
  readonly window: number
  readonly every_ms: number
  isOver: boolean
}

const keepAsking = (sim: Simulation, client: Client, load: Load): void => {
  const { every_ms, window } = load
  sim.events.after(every_ms * 2 * sim.random.next(), () => {
    if (load.isOver) return
    if (client.outstanding < window && client.isWindowOpen) {
      // Clients do not always know whom to ask.
      if (sim.random.next() < 0.05) client.target = pick(sim.random, sim.configuration.replicas)
      const key = pick(sim.random, ["a", "b", "c"])
      const chance = sim.random.next()
      if (chance < 0.3) client.read(key)
      else if (chance < 0.32) client.appendMalformed()
      else client.append(key)
    }
    keepAsking(sim, client, load)
  })
}

interface Started {
  readonly sim: Simulation
  readonly load: Load
  readonly faults_ms: number
}

const start = (seed: number): Started => {
  const random = seeded(seed)
  const [heartbeat_ms, view_change_ms] = pick(random, [[100, 500], [100, 500], [20, 100], [50, 1_000]] as const)
  const sim = Simulation.start({
    replicas: pick(random, [1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7]),
    seed: Math.floor(random.next() * 2 ** 32),
    timers: { heartbeat_ms, view_change_ms },
    weather: drawWeather(random),
    tick_ms: pick(random, [5, 20]),
    disk_ms: pick(random, [0, 2, 30]),
    turn_ms: pick(random, [0, 1, 5]),
    retry_ms: pick(random, [50, 300, 1_000]),
    sessionsMax: pick(random, [2, 3, 1_000, 1_000]),
    inboxMax: pick(random, [20, 1_000])
  })
  const clients = pick(random, [1, 2, 4])
  const load = { window: pick(random, [1, 4, 16]), every_ms: pick(random, [5, 30, 150]), isOver: false }
  for (let i = 0; i < clients; i++) keepAsking(sim, sim.client(), load)
  const faults_ms = between(random, 2_000, 12_000)
  unleash(sim, pick(random, [50, 200, 800]), faults_ms)
  return { sim, load, faults_ms }
}

const fail = (sim: Simulation, seed: number, cause: unknown): never => {
  const what = cause instanceof Error ? cause.stack ?? cause.message : String(cause)
  throw new Error(`seed ${seed} fails at ${sim.events.now.toFixed(0)} ms, step ${sim.steps}: ${what}\n${sim.summary()}`, { cause })
}

/** How long a healed group may take, in ms of simulated time: views are lost with a back-off of up to 32. */
const convergence_ms = 120_000

export const run = (seed: number, onFailure: (sim: Simulation) => void = () => {}): RunReport =>
  squeezed(drawLimits(seeded(seed ^ 0x5eed)), () => runWithin(seed, onFailure))

const runWithin = (seed: number, onFailure: (sim: Simulation) => void): RunReport => {
  const { faults_ms, load, sim } = start(seed)
  let served_ms = 0
  try {
    sim.run(faults_ms)
    const healthy = relent(sim)
    const [client] = sim.clients
    const before = client!.answered
    const answered = (): number => sim.clients.reduce((sum, one) => sum + one.answered, 0)
    const answeredBefore = answered()
    sim.runUntil(() => answered() > answeredBefore, convergence_ms)
    served_ms = sim.events.now - faults_ms
    sim.runUntil(() => client!.answered >= before + 30 && sim.clients.every((one) => one.answered > 0), convergence_ms)
    load.isOver = true
    sim.runUntil(() => sim.haveConverged(healthy), convergence_ms)
  } catch (cause) {
    onFailure(sim)
    return fail(sim, seed, cause)
  }
  return {
    seed,
    replicas: sim.processes.length,
    steps: sim.steps,
    committed: sim.history.op,
    views: Math.max(...sim.processes.map((process) => process.journal.head.view)),
    sessionsLost: sim.clients.reduce((sum, one) => sum + one.sessionsLost, 0),
    simulated_ms: sim.events.now,
    served_ms,
    converged_ms: sim.events.now - faults_ms
  }
}
