/**
 * `npm run chaos`: kills the primary of a fresh cluster again and again, and checks that no write is lost.
 *
 * @module
 */
import { main } from "../test/e2e/Chaos.ts"

process.exitCode = await main(process.argv.slice(2))
