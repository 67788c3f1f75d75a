/**
 * `v2r2-debugger FILE`: looks into a saved run of the simulation.
 *
 * @module
 */
import { main } from "../test/simulation/debugger/main.ts"

process.exitCode = await main(process.argv.slice(2))
