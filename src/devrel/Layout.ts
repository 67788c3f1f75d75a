/**
 * Where the development nodes live: their names, addresses, and folders under `dev/`.
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Trouble } from "./Trouble.ts"

/** One node's place. Addresses are `host:port`. */
export interface Layout {
  readonly name: string
  readonly folder: string
  readonly config: string
  readonly cluster: string
  readonly admin: string
  readonly client: string
  readonly peer: string
}

export const servers = ["cluster", "admin", "client", "peer"] as const

const host = "127.0.0.1"
const data_dir = "data"
export const base_port_default = 2000
export const ports_apart = 1000
export const nodes_default = 3

/** Nodes dev1 to devN; the first has the ports from `base_port` on, each further one those 1000 higher. */
export const layoutOf = (folder: string, nodes: number, base_port: number): ReadonlyArray<Layout> =>
  Array.from({ length: nodes }, (_, index) => {
    const name = `dev${index + 1}`
    const address = (offset: number) => `${host}:${base_port + ports_apart * index + offset}`
    return {
      name,
      folder: Path.join(folder, name),
      config: Path.join(folder, name, "config.json"),
      cluster: address(0),
      admin: address(1),
      client: address(2),
      peer: address(3)
    }
  })

const nodeFolders = (folder: string): ReadonlyArray<string> =>
  Fs.readdirSync(folder).filter((name) => /^dev\d+$/.test(name)).map((name) => Path.join(folder, name))

/** Did these very nodes run here, at these addresses, and has each of them written something? */
export const isSame = (folder: string, layouts: ReadonlyArray<Layout>): boolean => {
  const known = nodeFolders(folder).toSorted()
  const wanted = layouts.map((layout) => layout.folder).toSorted()
  return known.length === wanted.length && known.every((path, index) => path === wanted[index]) &&
    layouts.every((layout) => {
      const config = new Map(Object.entries(readConfig(layout.config)))
      return Fs.existsSync(Path.join(layout.folder, data_dir)) && config.get("node_name") === layout.name &&
        servers.every((server) => config.get(`${server}_host`) === layout[server])
    })
}

/** Removes what nodes wrote beside their configuration; or, `all`, their folders. True if there was anything. */
export const removeState = (folder: string, all: boolean): boolean => {
  const old = nodeFolders(folder).flatMap((node) =>
    all ? [node] : Fs.readdirSync(node).filter((name) => name !== "config.json").map((name) => Path.join(node, name)))
  for (const path of old) Fs.rmSync(path, { recursive: true, force: true })
  return old.length > 0
}

/** What a user added to a node's configuration stays; `more` is set as well; names and addresses are devrel's. Throws a {@link Trouble}. */
export const writeConfig = (layout: Layout, more: object = {}): void => {
  const config = {
    ...readConfig(layout.config),
    ...more,
    node_name: layout.name,
    cluster_name: "devrel",
    admin_host: layout.admin,
    client_host: layout.client,
    cluster_host: layout.cluster,
    peer_host: layout.peer,
    data_dir
  }
  Fs.mkdirSync(layout.folder, { recursive: true })
  Fs.writeFileSync(layout.config, `${JSON.stringify(config, null, 2)}\n`)
}

const readConfig = (path: string): object => {
  if (!Fs.existsSync(path)) return {}
  try {
    const config: unknown = JSON.parse(Fs.readFileSync(path, "utf8"))
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config
  } catch { /* Not JSON: as below. */ }
  throw new Trouble({
    exit: "usage",
    message: `${path} is not a JSON object`,
    hint: "correct it, or start with fresh ones: npm run devrel -- --clean"
  })
}
