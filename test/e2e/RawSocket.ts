/**
 * A TCP socket that says whatever a test likes, and hears frames: a client without manners.
 *
 * @module
 */
import * as Net from "node:net"
import { makeHello, encodeHello, type Protocol } from "../../src/wire/Hello.ts"
import { FrameDecoder } from "../../src/wire/Frame.ts"
import { unpack } from "../../src/wire/Msgpack.ts"

const frame_bytes_max = 64 * 1024 * 1024

export class RawSocket {
  /** As the node sees it: what its log says of this connection. */
  readonly name: string
  /** Settled once the connection is gone, however it ended. */
  readonly closed: Promise<void>
  /** Called with every payload, instead of gathering it. */
  onPayload: ((payload: Uint8Array) => void) | null = null
  private readonly socket: Net.Socket
  private readonly decoder = new FrameDecoder(frame_bytes_max)
  private readonly payloads: Array<Uint8Array> = []
  private waiting: ((payload: Uint8Array | null) => void) | null = null
  private over = false

  private constructor(socket: Net.Socket) {
    this.socket = socket
    this.name = `127.0.0.1:${socket.localPort}`
    socket.on("data", (chunk: Buffer) => {
      for (const payload of this.decoder.push(new Uint8Array(chunk))) this.take(payload)
    })
    socket.on("error", () => {})
    this.closed = new Promise((resolve) => socket.once("close", () => {
      this.over = true
      this.waiting?.(null)
      resolve()
    }))
  }

  /** `host:port`. */
  static open(address: string): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const [host = "", port] = address.split(":")
      const socket = Net.connect({ host, port: Number(port), noDelay: true })
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        resolve(new RawSocket(socket))
      })
    })
  }

  /** Says a proper hello and hears the answer: what follows may be anything. */
  static async greeted(address: string, protocol: Protocol, names: Partial<Names> = {}): Promise<RawSocket> {
    const socket = await RawSocket.open(address)
    socket.write(helloFrame(protocol, names))
    const answer = await socket.next()
    if (answer === null) throw new Error(`${address} closed the connection instead of saying hello`)
    return socket
  }

  /** What was written, and whether the other side has taken it from us. */
  write(bytes: Uint8Array): boolean {
    return !this.over && this.socket.write(bytes)
  }

  /** The next payload; null once the connection has ended. */
  next(): Promise<Uint8Array | null> {
    const payload = this.payloads.shift()
    if (payload !== undefined) return Promise.resolve(payload)
    if (this.over) return Promise.resolve(null)
    return new Promise((resolve) => {
      this.waiting = (payload) => {
        this.waiting = null
        resolve(payload)
      }
    })
  }

  /** The next payload as a msgpack value; null once the connection has ended. */
  async nextValue(): Promise<unknown> {
    const payload = await this.next()
    if (payload === null) return null
    const unpacked = unpack(payload)
    return unpacked.ok ? unpacked.value : unpacked.reason
  }

  /** From now on nothing is read. */
  stopReading(): void {
    this.socket.pause()
  }

  startReading(): void {
    this.socket.resume()
  }

  end(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private take(payload: Uint8Array): void {
    if (this.onPayload !== null) this.onPayload(payload)
    else if (this.waiting !== null) this.waiting(payload)
    else this.payloads.push(payload)
  }
}

export interface Names {
  readonly cluster: string | null
  readonly node: string | null
}

/** A proper hello of the tests' cluster, as a whole frame. */
export const helloFrame = (protocol: Protocol, names: Partial<Names> = {}): Uint8Array => {
  const between = protocol === "v2r2-cluster" || protocol === "v2r2-peer"
  const { cluster = between ? "e2e" : null, node = between ? "stranger" : null } = names
  return encodeHello(makeHello(protocol, { cluster, node, limits: { frame_bytes_max } }))
}
