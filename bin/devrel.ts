/**
 * `npm run devrel`: a development cluster on this machine.
 *
 * @module
 */
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { main } from "../src/devrel/Main.ts"
import { terminal } from "../src/devrel/Show.ts"

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
main({
  folder: "dev",
  program: "bin/v2r2.mjs",
  screen: terminal(process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "")
})
