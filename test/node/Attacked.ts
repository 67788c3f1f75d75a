/**
 * A real node to be attacked, with somebody who behaves: after every test that one is still served, and memory is within
 * bounds.
 *
 * @module
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import { type ClientMessage, decodeServerMessage, encodeClientMessage } from "../../src/wire/ClientProtocol.ts"
import type { Protocol } from "../../src/wire/Hello.ts"
import { Cluster, tenant_name, type TestNode } from "../e2e/Cluster.ts"
import { RawSocket } from "../e2e/RawSocket.ts"
import { bytes } from "../e2e/Workload.ts"

export const ports = ["client", "admin", "cluster", "peer"] as const
export type Port = (typeof ports)[number]
export const protocolOf = (port: Port): Protocol => `v2r2-${port}`

/** Above what the node has after its start: much less than any of these attacks would cost an unbounded one. */
const memory_growth_mib_max = 600

/** Instead of what is logged of bad connections, when there are very many. */
export const left_out = /more of these lines were left out/

export class Attacked {
  readonly cluster: Cluster
  readonly friend: PromiseTenant
  private readonly memory_mib: number
  private peak_mib = 0
  private rounds = 0
  /** Where each connection leads, and how long the log was when it was made. */
  private readonly sockets = new WeakMap<RawSocket, { readonly port: Port; readonly from: number }>()

  private constructor(cluster: Cluster, friend: PromiseTenant) {
    this.cluster = cluster
    this.friend = friend
    this.memory_mib = this.node.memory_mib()
  }

  static async start(): Promise<Attacked> {
    const cluster = await Cluster.start({ nodes: 1, config: { log_level: "debug" } })
    const friend = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "30 seconds" })
    await friend.create("/friend", bytes(0))
    await friend.create("/big", new Uint8Array(Limits.value_bytes_max))
    return new Attacked(cluster, friend)
  }

  get node(): TestNode {
    return this.cluster.nodes[0]!
  }

  open(port: Port): Promise<RawSocket> {
    return this.watch(port, RawSocket.open(this.node.layout[port]))
  }

  /** Says hello first. */
  greeted(port: Port): Promise<RawSocket> {
    return this.watch(port, RawSocket.greeted(this.node.layout[port], protocolOf(port)))
  }

  /** What the log says about the end of this connection; if it says too much at that time, that lines were left out. */
  async ending(socket: RawSocket): Promise<string> {
    const { from, port } = this.sockets.get(socket)!
    const own = new RegExp(`${port} connection (from ${socket.name} |refused: ${socket.name}:)`)
    const any = await this.node.says(new RegExp(`${own.source}|bad ${port} connections: .*${left_out.source}`), from)
    return this.node.lines.slice(from).find((line) => own.test(line)) ?? any
  }

  /** Those who behave are served, on the connections that they had and on new ones. */
  async serves(): Promise<void> {
    const { cluster, friend, node } = this
    await friend.put("/friend", bytes(++this.rounds))
    const newcomer = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "30 seconds" })
    expect((await newcomer.get("/friend")).data).toEqual(bytes(this.rounds))
    await newcomer.close()
    expect((await node.admin("status", {})).verdict).toBe("OK")
    this.peak_mib = Math.max(this.peak_mib, node.memory_mib())
    expect(this.peak_mib - this.memory_mib).toBeLessThan(memory_growth_mib_max)
  }

  async close(): Promise<void> {
    console.log(`memory: ${Math.round(this.memory_mib)} MiB at first, at most ${Math.round(this.peak_mib)} MiB`)
    await this.friend.close()
    await this.cluster.close()
  }

  private async watch(port: Port, opening: Promise<RawSocket>): Promise<RawSocket> {
    const from = this.node.lines.length
    const socket = await opening
    this.sockets.set(socket, { port, from })
    return socket
  }
}

/** One node for all tests of a file. `prepare` may begin what takes its time. */
export const attackedNode = (prepare: (attacked: Attacked) => Promise<void> = async () => {}): (() => Attacked) => {
  let attacked: Attacked | undefined
  beforeAll(async () => {
    attacked = await Attacked.start()
    await prepare(attacked)
  }, 60_000)
  afterAll(() => attacked?.close())
  beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(attacked?.cluster.logs())))
  afterEach(() => attacked?.serves())
  return () => attacked!
}

/** The first four bytes of a frame. */
export const header = (length: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, length)
  return bytes
}

export const noise = (seed: number, length: number): Uint8Array => {
  const random = seeded(seed)
  return Uint8Array.from({ length }, () => Math.floor(random.next() * 256))
}

export const send = (socket: RawSocket, messages: ReadonlyArray<ClientMessage>): boolean =>
  socket.write(Buffer.concat(messages.map(encodeClientMessage)))

/** The next message to a client; null once the connection has ended. */
export const told = async (socket: RawSocket): Promise<ReturnType<typeof decodeServerMessage> | null> => {
  const payload = await socket.next()
  return payload === null ? null : decodeServerMessage(payload)
}

/** A session of its own for each `number`. */
export const openChannel = (channel: number, number = channel): ClientMessage => {
  const nonce = new Uint8Array(Limits.session_nonce_bytes)
  new DataView(nonce.buffer).setUint32(0, number)
  return { _tag: "Open", channel, tenant: tenant_name, nonce }
}
