/**
 * The configurations of the development nodes.
 *
 * @module
 */
import { assert, it } from "vitest"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { layoutOf, writeConfig } from "../../src/devrel/Layout.ts"

it("what a user added stays, what is asked for is set, and names and addresses are devrel's", () => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-layout-"))
  const [layout] = layoutOf(folder, 1, 2_000)
  Fs.mkdirSync(layout!.folder, { recursive: true })
  Fs.writeFileSync(layout!.config, JSON.stringify({ log_level: "debug", lease_ms: 200, node_name: "mine" }))
  writeConfig(layout!, { lease_ms: 300 })
  const config = JSON.parse(Fs.readFileSync(layout!.config, "utf8"))
  Fs.rmSync(folder, { recursive: true })
  assert.deepInclude(config, { log_level: "debug", lease_ms: 300, node_name: "dev1", client_host: layout!.client })
})
