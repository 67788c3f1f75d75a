/**
 * ZooKeeper, as Debian packages it: three nodes on loopback with its own defaults, and a generator on its own client.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import type { Trouble } from "../../../src/devrel/Trouble.ts"
import { freePorts } from "../../e2e/Cluster.ts"
import { startGenerator } from "../Generator.ts"
import { makeServer, temporaryFolder, until } from "../Server.ts"
import { firstWrite, nodes, type NodeStatus, type Running, type System, type SystemOptions } from "../System.ts"
import { built, type Need } from "./Installed.ts"

const jars = "/usr/share/java"

export const needs: ReadonlyArray<Need> = [
  { what: "java", package: "default-jre-headless" },
  { what: "javac", package: "default-jdk-headless" },
  { what: `${jars}/zookeeper.jar`, package: "libzookeeper-java" },
  { what: `${jars}/zookeeper-jute.jar`, package: "libzookeeper-java" },
  { what: `${jars}/slf4j-simple.jar`, package: "libslf4j-java" }
]

const class_path = ["zookeeper.jar", "zookeeper-jute.jar", "slf4j-simple.jar"].map((jar) => Path.join(jars, jar)).join(Path.delimiter)

const build = built("ZooKeeperLoad.java", (source, folder) => ({ words: ["javac", "-cp", class_path, "-d", folder, source] }))

/** That of ZooKeeper's own start script. */
const heap = "-Xmx1000m"

const configOf = (folder: string, ports: ReadonlyArray<number>, syncs: boolean, index: number): string =>
  [
    "tickTime=2000",
    "initLimit=10",
    "syncLimit=5",
    `dataDir=${folder}`,
    `clientPort=${ports[index]}`,
    "clientPortAddress=127.0.0.1",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=srvr",
    `forceSync=${syncs ? "yes" : "no"}`,
    ...Array.from({ length: nodes }, (_, i) => `server.${i + 1}=127.0.0.1:${ports[nodes + i]}:${ports[2 * nodes + i]}`)
  ].join("\n")

/** Writes its configuration; gives the words that start it. */
const prepare = (folder: string, ports: ReadonlyArray<number>, syncs: boolean, index: number): ReadonlyArray<string> => {
  const own = Path.join(folder, `n${index}`)
  Fs.mkdirSync(own)
  Fs.writeFileSync(Path.join(own, "myid"), String(index + 1))
  const config = `${own}.cfg`
  Fs.writeFileSync(config, configOf(own, ports, syncs, index))
  const flags = [heap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-Dzookeeper.jmx.log4j.disable=true"]
  return ["java", ...flags, "-cp", class_path, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config]
}

const answer_within_ms = 500

/** By its command "srvr", which closes the connection once it has answered. */
const status = (port: number): Effect.Effect<NodeStatus, unknown> =>
  Effect.callback<string, Error>((resume) => {
    let text = ""
    const socket = Net.connect({ host: "127.0.0.1", port }, () => socket.write("srvr")).setTimeout(answer_within_ms)
    socket.on("data", (chunk) => text += chunk.toString())
    socket.once("timeout", () => socket.destroy(new Error("no answer")))
    socket.once("error", (error) => resume(Effect.fail(error)))
    socket.once("end", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.map((text) => ({
    leads: text.includes("Mode: leader"),
    serves: /Mode: (?:leader|follower)/.test(text),
    position: Number(/Zxid: (0x[0-9a-f]+)/.exec(text)?.[1] ?? 0)
  })))

const start = Effect.fnUntraced(function*(
  { durability, line }: SystemOptions
): Effect.fn.Return<Running, Trouble, Scope.Scope> {
  const classes = yield* build
  const folder = yield* temporaryFolder
  const ports = yield* Effect.promise(() => freePorts(3 * nodes))
  const endpoints = ports.slice(0, nodes).map((port) => `127.0.0.1:${port}`)
  const servers = yield* Effect.forEach(endpoints, (_, i) =>
    makeServer(`ZooKeeper ${i + 1}`, prepare(folder, ports, durability === "disk", i), () => {}))
  const flags = ["-Xms1g", "-Xmx2g", "-Dzookeeper.sasl.client=false", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]
  const classPath = [classes, class_path].join(Path.delimiter)
  const generator = yield* startGenerator(["java", ...flags, "-cp", classPath, "ZooKeeperLoad", ...endpoints], line)
  const ready = (index: number) =>
    until(`ZooKeeper ${index + 1} serves`, Effect.map(status(ports[index]!), ({ serves }) => serves))
  const first_write_ms = yield* firstWrite({ generator, ready, servers })
  return { first_write_ms, servers, endpoints, generator, ready, status: (index) => status(ports[index]!) }
})

/** What was fastest: four connections to the leader. A read is a sync and a get, so that it is linearizable too. */
export const zooKeeper: System = {
  name: "ZooKeeper",
  start,
  shape: (work) => work.tenants > 1 ? null : { ...work, connections: Math.min(4, work.outstanding) }
}
