#!/usr/bin/env node
/**
 * `v2r2 start --config FILE`: a node, as a process.
 *
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { platform } from "../src/cli/MainLive.ts"
import * as TcpNetwork from "../src/network/TcpNetwork.ts"
import { ownerOf } from "../src/node/Config.ts"
import { program, teardown } from "../src/node/Program.ts"
import { exitInTime } from "../src/node/StopLive.ts"
import * as DataDirLive from "../src/storage/DataDirLive.ts"

const command = program((config) => Layer.merge(TcpNetwork.layer, DataDirLive.layer(config.data_dir, ownerOf(config), config.lease_ms)))

exitInTime()
NodeRuntime.runMain(
  Command.runWith(command, { version: "0.1.0" })(process.argv.slice(2)).pipe(Effect.provide(platform)),
  { disableErrorReporting: true, teardown }
)
