/**
 * etcd, as Debian packages it: three nodes on loopback with its own defaults, and a generator on its own client.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import type { Trouble } from "../../../src/devrel/Trouble.ts"
import { freePorts } from "../../e2e/Cluster.ts"
import { startGenerator } from "../Generator.ts"
import { makeServer, temporaryFolder, until } from "../Server.ts"
import { firstWrite, nodes, type NodeStatus, type Running, type System, type SystemOptions } from "../System.ts"
import { built, type Need } from "./Installed.ts"

const go_path = "/usr/share/gocode"

export const needs: ReadonlyArray<Need> = [
  { what: "etcd", package: "etcd-server" },
  { what: "go", package: "golang-go" },
  { what: `${go_path}/src/go.etcd.io/etcd/clientv3`, package: "golang-etcd-server-dev" }
]

/** Before modules: the packages of Debian are found under a GOPATH. */
const build = Effect.map(
  built("etcdload.go", (source, folder) => ({
    words: ["go", "build", "-o", Path.join(folder, "etcdload"), source],
    environment: { GO111MODULE: "off", GOPATH: `${folder}${Path.delimiter}${go_path}`, GOFLAGS: "" }
  })),
  (folder) => Path.join(folder, "etcdload")
)

const wordsOf = (folder: string, clients: ReadonlyArray<string>, peers: ReadonlyArray<string>, syncs: boolean, index: number) => [
  "etcd",
  `--name=n${index}`,
  `--data-dir=${Path.join(folder, `n${index}`)}`,
  `--listen-client-urls=http://${clients[index]}`,
  `--advertise-client-urls=http://${clients[index]}`,
  `--listen-peer-urls=http://${peers[index]}`,
  `--initial-advertise-peer-urls=http://${peers[index]}`,
  `--initial-cluster=${peers.map((peer, i) => `n${i}=http://${peer}`).join(",")}`,
  `--initial-cluster-token=${Path.basename(folder)}`,
  "--logger=zap",
  "--log-level=error",
  "--log-outputs=stderr",
  ...syncs ? [] : ["--unsafe-no-fsync"]
]

interface Answer {
  readonly header: { readonly member_id: string }
  /** What is 0 is left out. */
  readonly leader?: string
  readonly raftAppliedIndex?: string
}

/** By its JSON gateway, where numbers are texts. */
const status = (endpoint: string): Effect.Effect<NodeStatus, unknown> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(`http://${endpoint}/v3/maintenance/status`, { method: "POST", body: "{}", signal })
    const answer: Answer = JSON.parse(await response.text())
    const { header, leader = "0", raftAppliedIndex = "0" } = answer
    return { leads: leader === header.member_id, serves: leader !== "0", position: Number(raftAppliedIndex) }
  })

const start = Effect.fnUntraced(function*(
  { durability, line }: SystemOptions
): Effect.fn.Return<Running, Trouble, Scope.Scope> {
  const load = yield* build
  const folder = yield* temporaryFolder
  const ports = yield* Effect.promise(() => freePorts(2 * nodes))
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  const endpoints = addresses.slice(0, nodes)
  const peers = addresses.slice(nodes)
  // What it logs of its own start and of nodes that are killed is of no use here.
  const servers = yield* Effect.forEach(endpoints, (_, i) =>
    makeServer(`etcd ${i + 1}`, wordsOf(folder, endpoints, peers, durability === "disk", i), () => {}))
  const generator = yield* startGenerator([load, ...endpoints], line)
  const ready = (index: number) => until(`etcd ${index + 1} answers`, Effect.as(status(endpoints[index]!), true))
  const first_write_ms = yield* firstWrite({ generator, ready, servers })
  return { first_write_ms, servers, endpoints, generator, ready, status: (index) => status(endpoints[index]!) }
})

/** What was fastest: writes over one connection to the leader, reads over four. */
export const etcd: System = {
  name: "etcd",
  start,
  shape: (work) =>
    work.tenants > 1 ? null : { ...work, connections: work.operation === "write" ? 1 : Math.min(4, work.outstanding) }
}
