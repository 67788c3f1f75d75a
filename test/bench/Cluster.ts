/**
 * A fresh cluster of three real nodes of V2R2, on free ports, in a temporary folder; gone with its Scope.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { Tenant } from "../../src/client/index.ts"
import { ask } from "../../src/devrel/Asking.ts"
import { form, replicasOf, tenant_name } from "../../src/devrel/Forming.ts"
import { writeConfig } from "../../src/devrel/Layout.ts"
import { untilAccepting } from "../../src/devrel/Ports.ts"
import { Trouble } from "../../src/devrel/Trouble.ts"
import { freePorts, makeLayout } from "../e2e/Cluster.ts"
import { startGenerator } from "./Generator.ts"
import type { Target } from "./load.ts"
import { makeServer, temporaryFolder } from "./Server.ts"
import { nodes, type Running, type System, type SystemOptions } from "./System.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const program = Path.join(root, "bin/v2r2.mjs")

/** Joined, with one tenant on all nodes that knows its primary. */
const start = Effect.fnUntraced(function*(
  { durability, lease_ms, line, profile }: SystemOptions
): Effect.fn.Return<Running, Trouble, Scope.Scope> {
  const flags = profile === null ? [] : ["--cpu-prof", "--cpu-prof-interval", "500", "--cpu-prof-dir", Path.resolve(profile)]
  const folder = yield* temporaryFolder
  const ports = yield* Effect.promise(() => freePorts(4 * nodes))
  const layouts = Array.from({ length: nodes }, (_, i) => makeLayout(folder, `bench${i + 1}`, ports.slice(4 * i, 4 * i + 4)))
  const servers = yield* Effect.forEach(layouts, ({ config, name }) =>
    makeServer(name, [process.execPath, ...flags, program, "start", "--config", config], (text) => line(`${name}: ${text}`)))
  const begin_ms = performance.now()
  yield* Effect.forEach(layouts, (layout, i) => {
    writeConfig(layout, { lease_ms })
    return servers[i]!.start(untilAccepting(layout))
  }, { concurrency: "unbounded" })
  yield* form(layouts, ask, durability)
  const endpoints = layouts.map(({ client }) => client)
  yield* writeFirst(endpoints)
  const first_write_ms = performance.now() - begin_ms
  const target: Target = {
    endpoints,
    durability,
    admins: layouts.map(({ admin }) => admin),
    names: layouts.map(({ name }) => name),
    tenant: tenant_name
  }
  const places = replicasOf(layouts)
  return {
    first_write_ms,
    servers,
    endpoints,
    generator: yield* startGenerator([process.execPath, ...flags, Path.join(root, "test/bench/load.ts"), JSON.stringify(target)], line),
    ready: (index) => untilAccepting(layouts[index]!),
    status: (index) => {
      const { name, node } = places[index]!
      return Effect.map(ask(layouts[index]!.admin, "vr.replica", { tenant: tenant_name, replica: name, node }), ({ commit, state }) => ({
        leads: state === "primary",
        serves: state === "primary" || state === "backup",
        position: commit
      }))
    }
  }
})

const writeFirst = (endpoints: ReadonlyArray<string>): Effect.Effect<unknown, Trouble> =>
  Effect.flatMap(Tenant, (service) => service.create("/first")).pipe(
    Effect.provide(Tenant.layerTcp({ endpoints, tenant: tenant_name })),
    Effect.mapError(({ message }) => new Trouble({ exit: "failed", message: `the first write failed: ${message}` }))
  )

export const v2r2: System = { name: "V2R2", start, shape: (work) => work }
