#!/usr/bin/env node
/**
 * `v2r2-cli <host:port>… --tenant <tenant> …`: reads and writes data.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { clientProgram } from "../src/cli/client/Program.ts"
import { main } from "../src/cli/Main.ts"
import { layer, runProcess, teardown } from "../src/cli/MainLive.ts"
import { V2R2 } from "../src/client/Client.ts"

const program = clientProgram((endpoints, deadline_ms) =>
  Effect.map(
    Layer.build(V2R2.layerTcp({ endpoints, ...(deadline_ms === null ? {} : { deadline: deadline_ms }) })),
    (services) => Context.get(services, V2R2)
  ))

runProcess(
  main(program, process.argv.slice(2)).pipe(Effect.provide(layer)),
  { disableErrorReporting: true, teardown }
)
