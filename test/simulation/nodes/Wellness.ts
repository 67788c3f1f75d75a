/**
 * What it means that all is well: by the nodes' own words, which operators go by as well. Null, or what is missing.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { Cluster } from "./Cluster.ts"

/** Every node that was started says that nothing is wrong with the cluster, and knows all that is there. */
export const isWell = (cluster: Cluster): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    const started = cluster.machines.filter(({ state }) => state !== "off")
    for (const machine of started) {
      const status = yield* cluster.get(machine, "status", {})
      if (status === null) return `${machine.name} does not say how it is`
      if (status.nodes.length !== started.length) return `${machine.name} knows ${status.nodes.length} nodes`
      if (status.verdict !== "OK") return `${machine.name}: ${status.problems.map(({ message }) => message).join("; ")}`
    }
    return null
  })

/** Whoever is left knows a primary of each tenant. */
export const isServing = (cluster: Cluster): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    for (const machine of cluster.machines.filter(({ state }) => state === "up")) {
      const status = yield* cluster.get(machine, "status", {})
      if (status === null) return `${machine.name} does not say how it is`
      if (status.verdict === "DOWN") return `${machine.name}: ${status.problems.map(({ message }) => message).join("; ")}`
    }
    return null
  })

/** All replicas of each tenant that are left are normal in one view, and have the same, all of it committed. */
export const haveConverged = (
  cluster: Cluster,
  groups: ReadonlyMap<string, ReadonlyArray<string>>
): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    for (const [tenant, nodes] of groups) {
      const seen = new Set<string>()
      for (const machine of cluster.machines.filter(({ name, state }) => state === "up" && nodes.includes(name))) {
        const known = yield* cluster.get(machine, "vr.tenants", {})
        const own = known?.find(({ name }) => name === tenant)?.replicas.find(({ node }) => node === machine.name)
        if (own === undefined) return `${machine.name} does not know its replica of ${tenant}`
        const status = yield* cluster.get(machine, "vr.replica", { tenant, replica: own.name, node: machine.name })
        if (status?.state !== "primary" && status?.state !== "backup") return `${machine.name} is in ${status?.state}`
        if (status.op !== status.commit) return `${machine.name} has op ${status.op}, committed ${status.commit}`
        seen.add(`view ${status.view}, op ${status.op}, ${status.elements} elements, ${status.sessions} sessions`)
      }
      if (seen.size > 1) return `${tenant}: ${[...seen].join(" / ")}`
    }
    return null
  })

/** No node has a client any more, as all have left. */
export const isQuiet = (cluster: Cluster): Effect.Effect<string | null> =>
  Effect.sync(() => {
    const busy = cluster.machines.filter(({ metrics }) => metrics !== null && metrics.client_connections > 0)
    return busy.length === 0 ? null : busy.map(({ metrics, name }) => `${name}: ${metrics?.client_connections}`).join(", ")
  })
