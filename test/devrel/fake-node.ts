/**
 * Stands in for `v2r2 start --config FILE`: four ports, and as much of the admin protocol as devrel asks for. The nodes
 * share what they know in one file, dev1's. `fake` in the configuration makes one misbehave.
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Net from "node:net"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { FrameDecoder } from "../../src/wire/Frame.ts"
import { AdminError, decodeRequest, encodeError, encodeOk, type Args, type CommandName } from "../../src/wire/AdminProtocol.ts"
import { encodeHello, makeHello } from "../../src/wire/Hello.ts"

const frame_bytes_max = 65_536
const config_path = process.argv[process.argv.indexOf("--config") + 1] ?? ""
const config = JSON.parse(Fs.readFileSync(config_path, "utf8"))
const cluster_path = dirname(dirname(config_path))
const shared_path = join(cluster_path, "dev1", "shared.json")

interface Shared {
  readonly members: ReadonlyArray<string>
  readonly tenant: Args<"vr.create"> | null
  /** The primary is known only after this many questions. */
  readonly asked: number
}

const shared = (): Shared => {
  const text = Fs.existsSync(shared_path) ? Fs.readFileSync(shared_path, "utf8") : ""
  return text === "" ? { members: ["dev1"], tenant: null, asked: 0 } : JSON.parse(text)
}

const share = (change: Partial<Shared>): void => Fs.writeFileSync(shared_path, JSON.stringify({ ...shared(), ...change }))

const configOf = (name: string) => JSON.parse(Fs.readFileSync(join(cluster_path, name, "config.json"), "utf8"))

const nameAt = (address: string): string | undefined =>
  Fs.readdirSync(cluster_path).filter((name) => /^dev\d+$/.test(name)).find((name) => configOf(name).cluster_host === address)

const member = (name: string) => {
  const { cluster_host, admin_host, client_host, peer_host } = configOf(name)
  const life = "joined" as const
  return { name, self: name === config.node_name, life, cluster: cluster_host, admin: admin_host, client: client_host, peer: peer_host }
}

const answers: { readonly [C in CommandName]?: (id: number, args: never) => Uint8Array } = {
  "cluster.join": (id, { address }: Args<"cluster.join">) => {
    const name = nameAt(address)
    if (name === undefined) return encodeError(id, new AdminError({ code: "not_found", message: `nobody at ${address}` }))
    const members = [...new Set([...shared().members, name])]
    share({ members })
    return encodeOk(id, "cluster.join", { members })
  },
  "cluster.members": (id) => encodeOk(id, "cluster.members", shared().members.map(member)),
  "vr.create": (id, args: Args<"vr.create">) => {
    if (shared().tenant !== null) return encodeError(id, new AdminError({ code: "conflict", message: "the name is taken" }))
    share({ tenant: args })
    return encodeOk(id, "vr.create", {
      id: "t", name: args.name ?? null, epoch: 1, replicas: args.replicas ?? [], durability: args.durability ?? "disk"
    })
  },
  "vr.primary": (id) => {
    const { asked } = shared()
    share({ asked: asked + 1 })
    return encodeOk(id, "vr.primary", { tenant: "t", primary: asked < 2 ? null : "r1::dev1" })
  }
}

const hello = makeHello("v2r2-admin", { cluster: "devrel", node: config.node_name, limits: { frame_bytes_max } })

const admin = (socket: Net.Socket): void => {
  const decoder = new FrameDecoder(frame_bytes_max)
  let greeted = false
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    for (const payload of decoder.push(new Uint8Array(chunk))) {
      if (!greeted) {
        greeted = true
        socket.write(encodeHello(hello))
        continue
      }
      const request = decodeRequest(payload)
      if (request._tag === "BadRequest") throw new Error(request.error.message)
      const answer = answers[request.command]
      if (answer === undefined) throw new Error(`the fake does not know ${request.command}`)
      socket.write(answer(request.id, request.args as never))
    }
  })
}

const listen = (address: string, serve: (socket: Net.Socket) => void): void => {
  const [host, port] = address.split(":")
  Net.createServer(serve).listen({ host, port: Number(port) })
}

process.on("SIGTERM", () => {
  if (config.fake !== "ignores SIGTERM") process.exit(0)
  console.log("not yet")
})
console.log(`${config.node_name} says hello`)
if (config.fake === "dies at once") {
  console.error("cannot go on")
  process.exit(3)
}
Fs.mkdirSync(join(dirname(config_path), config.data_dir), { recursive: true })
// One by one, and not at once: "ready" means all four.
for (const address of [config.cluster_host, config.client_host, config.peer_host]) {
  listen(address, (socket) => socket.on("error", () => socket.destroy()).resume())
}
await sleep(50)
listen(config.admin_host, admin)
console.log("ready")
