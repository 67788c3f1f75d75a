/**
 * Misfortunes of whole nodes and of what is between them. Each begins at once and gives what ends it, or null if it
 * cannot befall anybody now.
 *
 * @module
 */
import type { Random } from "../../../src/base/Random.ts"
import { between, pick } from "../Dice.ts"
import type { Client } from "./Clients.ts"
import type { Cluster, Machine } from "./Cluster.ts"
import type { Tenants } from "./Tenants.ts"

export interface Ground {
  readonly cluster: Cluster
  readonly tenants: Tenants
  readonly clients: ReadonlyArray<Client>
  readonly random: Random
}

type End = () => void
export type Fault = (ground: Ground) => End | null

/** One that is up, and whose group can do without it. */
const expendable = ({ cluster, random, tenants }: Ground): Machine | null => {
  const up = cluster.machines.filter((machine) => machine.state === "up" && machine.process?.isPaused === false)
  const chosen = up.filter((machine) => tenants.canLose(machine, "memory"))
  return chosen.length === 0 ? null : pick(random, chosen)
}

const down = (take: (cluster: Cluster, machine: Machine) => void): Fault => (ground) => {
  const machine = expendable(ground)
  if (machine === null) return null
  const { cluster, tenants } = ground
  tenants.onLost(machine, "memory")
  take(cluster, machine)
  return () => restart(cluster, machine)
}

/** A node that was told to stop is cut off if it has not ended by then. */
const restart = (cluster: Cluster, machine: Machine): void => {
  if (machine.state === "stopping") cluster.kill(machine, false)
  if (machine.state === "off") cluster.start(machine)
}

const hosts = ({ clients, cluster }: Ground): ReadonlyArray<string> =>
  [...cluster.machines, ...clients.map(({ plan }) => plan)].map(({ name }) => name)

/** Holds up every way from one of `from` to one of `to`. */
const cut = ({ cluster }: Ground, from: ReadonlyArray<string>, to: ReadonlyArray<string>): End => {
  const ways = from.flatMap((a) => to.flatMap((b) => a === b ? [] : [[a, b] as const]))
  cluster.note("nemesis", `cuts ${from.join(", ")} → ${to.join(", ")}`)
  for (const [a, b] of ways) cluster.sockets.wires.hold(a, b)
  return () => {
    for (const [a, b] of ways) cluster.sockets.wires.release(a, b)
  }
}

const both = (...ends: ReadonlyArray<End>): End => () => {
  for (const end of ends) end()
}

const pair = ({ cluster, random }: Ground): readonly [string, string] => {
  const names = cluster.machines.map(({ name }) => name)
  const first = pick(random, names)
  return [first, pick(random, names.filter((name) => name !== first))]
}

export const faults: Readonly<Record<string, Fault>> = {
  kill: down((cluster, machine) => cluster.kill(machine, false)),
  "power loss": down((cluster, machine) => cluster.kill(machine, true)),
  /** As many as may, at the same moment: with tenants on disk only, that are all. */
  "power loss of all": ({ cluster, tenants }) => {
    const gone: Array<Machine> = []
    for (const machine of cluster.machines) {
      if (machine.state !== "up" || machine.process?.isPaused === true || !tenants.canLose(machine, "memory")) continue
      tenants.onLost(machine, "memory")
      cluster.kill(machine, true)
      gone.push(machine)
    }
    return gone.length === 0 ? null : () => gone.forEach((machine) => restart(cluster, machine))
  },
  /** Its disk garbles what it has of the logs, and its node finds that out when it starts again. */
  "damaged disk": (ground) => {
    const machine = expendable(ground)
    const { cluster, tenants } = ground
    if (machine === null || !tenants.canLose(machine, "disk")) return null
    for (const loss of ["memory", "disk"] as const) tenants.onLost(machine, loss)
    cluster.kill(machine, true)
    cluster.garble(machine)
    return () => restart(cluster, machine)
  },
  stop: down((cluster, machine) => cluster.stop(machine)),
  pause: ({ cluster, random }) => {
    const machine = pick(random, cluster.machines)
    const { process } = machine
    if (machine.state !== "up" || process === null || process.isPaused) return null
    cluster.note(machine.name, "— is paused")
    process.isPaused = true
    return () => {
      process.isPaused = false
    }
  },
  pair: (ground) => {
    const [a, b] = pair(ground)
    return both(cut(ground, [a], [b]), cut(ground, [b], [a]))
  },
  "one way": (ground) => {
    const [a, b] = pair(ground)
    return cut(ground, [a], [b])
  },
  isolate: (ground) => {
    const one = pick(ground.random, ground.cluster.machines).name
    const others = ground.random.next() < 0.5 ? hosts(ground) : ground.cluster.machines.map(({ name }) => name)
    return both(cut(ground, [one], others), cut(ground, others, [one]))
  },
  halves: (ground) => {
    const left = hosts(ground).filter(() => ground.random.next() < 0.5)
    const right = hosts(ground).filter((host) => !left.includes(host))
    return both(cut(ground, left, right), cut(ground, right, left))
  },
  /** It hears all clients, and they do not hear it; or the other way round. */
  mute: (ground) => {
    const one = pick(ground.random, ground.cluster.machines).name
    const clients = ground.clients.map(({ plan }) => plan.name)
    return ground.random.next() < 0.5 ? cut(ground, [one], clients) : cut(ground, clients, [one])
  },
  reset: (ground) => {
    const { cluster, random } = ground
    const one = pick(random, hosts(ground))
    const chance = pick(random, [1, 0.3])
    const count = cluster.sockets.reset((a, b) => (a === one || b === one) && a !== "operator" && random.next() < chance)
    cluster.note("nemesis", `resets ${count} connections of ${one}`)
    return count === 0 ? null : () => {}
  },
  slow: ({ cluster, random }) => {
    const one = pick(random, cluster.machines).name
    const ms = pick(random, [20, 200, 1_000])
    const ways = cluster.machines.flatMap(({ name }) => name === one ? [] : [[one, name], [name, one]] as const)
    cluster.note("nemesis", `slows ${one} down by up to ${ms} ms`)
    for (const [a, b] of ways) cluster.sockets.wires.slowDown(a, b, ms)
    return () => {
      for (const [a, b] of ways) cluster.sockets.wires.speedUp(a, b)
    }
  },
  "wall clock": ({ cluster, random }) => {
    const { name, process } = pick(random, cluster.machines)
    if (process === null) return null
    process.wall_offset_ms += between(random, -60_000, 60_000)
    cluster.note(name, `— the clock on its wall jumps to ${process.wall_offset_ms.toFixed(0)} ms`)
    return () => {}
  },
  "client killed": ({ clients, cluster, random }) => {
    const client = pick(random, clients)
    if (client.process === null || client.isOver) return null
    cluster.note(client.plan.name, "— is killed")
    client.kill()
    return () => client.start()
  }
}
