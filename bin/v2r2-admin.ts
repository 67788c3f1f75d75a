#!/usr/bin/env node
/**
 * `v2r2-admin <host:port> …`: looks after a cluster.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { adminProgram } from "../src/cli/admin/Program.ts"
import { main } from "../src/cli/Main.ts"
import { layer, runProcess, teardown } from "../src/cli/MainLive.ts"
import * as TcpNetwork from "../src/network/TcpNetwork.ts"

runProcess(
  main(adminProgram, process.argv.slice(2)).pipe(Effect.provide(Layer.merge(layer, TcpNetwork.layer))),
  { disableErrorReporting: true, teardown }
)
