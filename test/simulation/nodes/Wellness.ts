/**
 * What it means that all is well: by the nodes' own words, which operators go by as well. Null, or what is missing.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { replicaId } from "../../../src/base/Names.ts"
import type { Cluster } from "./Cluster.ts"
import { placeOf } from "./Groups.ts"
import type { Tenants } from "./Tenants.ts"

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
export const haveConverged = (cluster: Cluster, tenants: Tenants): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    for (const tenant of tenants.ids.keys()) {
      const seen = new Set<string>()
      for (const { name, node } of tenants.groupOf(tenant).replicas.map(placeOf)) {
        const machine = cluster.machines.find((one) => one.name === node)!
        if (machine.state !== "up") continue
        const status = yield* cluster.get(machine, "vr.replica", { tenant, replica: name, node })
        if (status?.state !== "primary" && status?.state !== "backup") return `${machine.name} is in ${status?.state}`
        if (status.op !== status.commit) return `${machine.name} has op ${status.op}, committed ${status.commit}`
        seen.add(`view ${status.view}, op ${status.op}, ${status.elements} elements, ${status.sessions} sessions`)
      }
      if (seen.size > 1) return `${tenant}: ${[...seen].join(" / ")}`
    }
    return null
  })

/** Every node that runs names the group that the primary has, which is the last one that any disk has. */
export const registriesAgree = (cluster: Cluster, tenants: Tenants): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    for (const tenant of tenants.ids.keys()) {
      const { epoch, replicas } = tenants.groupOf(tenant)
      const group = `epoch ${epoch}, ${replicas.join(", ")}`
      for (const machine of cluster.machines.filter(({ state }) => state === "up")) {
        const known = (yield* cluster.get(machine, "vr.tenants", {}))?.find(({ name }) => name === tenant)
        const named = known === undefined ? "nothing" : `epoch ${known.epoch}, ${known.replicas.map(replicaId).sort().join(", ")}`
        if (named !== group) return `${machine.name} names ${named} for ${tenant}, and the last group is ${group}`
        if (known?.primary == null) return `${machine.name} knows no primary of ${tenant}`
        const { name, node } = placeOf(known.primary)
        const primary = yield* cluster.get(machine, "vr.replica", { tenant, replica: name, node })
        const own = primary === null ? "nothing" : `epoch ${primary.epoch}, ${primary.replicas.join(", ")}`
        if (own !== group) return `the primary of ${tenant} has ${own}, and the last group is ${group}`
      }
    }
    return null
  })

/** No node has a client any more, as all have left. */
export const isQuiet = (cluster: Cluster): Effect.Effect<string | null> =>
  Effect.sync(() => {
    const busy = cluster.machines.filter(({ metrics }) => metrics !== null && metrics.client_connections > 0)
    return busy.length === 0 ? null : busy.map(({ metrics, name }) => `${name}: ${metrics?.client_connections}`).join(", ")
  })
