/**
 * Devrel as bin/devrel.ts starts it, but with fake nodes and in a folder that the test names.
 *
 * @module
 */
import { fileURLToPath } from "node:url"
import { main } from "../../src/devrel/Main.ts"
import { terminal } from "../../src/devrel/Show.ts"

main({
  folder: process.env["TEST_FOLDER"] ?? "",
  program: fileURLToPath(new URL("fake-node.ts", import.meta.url)),
  screen: terminal(false)
})
