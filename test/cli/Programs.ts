/**
 * The two programs, ready to be called by tests.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { adminProgram } from "../../src/cli/admin/Program.ts"
import { clientProgram } from "../../src/cli/client/Program.ts"
import { main } from "../../src/cli/Main.ts"
import type { FakeCluster } from "./FakeCluster.ts"
import { runIn, type Situation } from "./Terminal.ts"

/** `v2r2-cli 127.0.0.1:2002 --tenant dev …` */
export const cli = (cluster: FakeCluster, args: ReadonlyArray<string>, situation?: Situation) =>
  cliBare(cluster, ["127.0.0.1:2002", "--tenant", "dev", ...args], situation)

/** `v2r2-cli …` */
export const cliBare = (cluster: FakeCluster, args: ReadonlyArray<string>, situation?: Situation) =>
  runIn(main(clientProgram(() => Effect.succeed(cluster.client)), args), situation)

/** `v2r2-admin n1:2001 …`, on the network that is provided. */
export const admin = (args: ReadonlyArray<string>, situation?: Situation) =>
  runIn(main(adminProgram, ["n1:2001", ...args]), situation)
