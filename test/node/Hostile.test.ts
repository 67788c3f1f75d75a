/**
 * Bad input on the four ports of a real node. Whatever comes: the connection ends with a reason in the log, memory stays
 * bounded, and the node serves everybody else.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import { encodeRequest } from "../../src/wire/AdminProtocol.ts"
import type { ClientMessage } from "../../src/wire/ClientProtocol.ts"
import { encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { encodeFrame } from "../../src/wire/Frame.ts"
import { pack } from "../../src/wire/Msgpack.ts"
import { until } from "../e2e/Cluster.ts"
import { helloFrame, type RawSocket } from "../e2e/RawSocket.ts"
import {
  type Attacked, attackedNode, header, left_out, noise, openChannel, type Port, ports, protocolOf, send, told
} from "./Attacked.ts"

/** Begun first, judged last: what takes seconds by its nature. */
let silent: ReadonlyArray<readonly [Port, RawSocket]>
let deaf: ReadonlyArray<readonly [string, RawSocket]>

const attacked = attackedNode(async (attacked) => {
  silent = await Promise.all(ports.map(async (port) => [port, await attacked.open(port)] as const))
  deaf = await Promise.all([deafReader(attacked), deafLister(attacked), deafAdmin(attacked), deafCaller(attacked)])
})

const garbage = encodeFrame(new Uint8Array(10).fill(0xc1))

const hello = (protocol: string, fields: object = {}): Uint8Array =>
  encodeFrame(pack({
    hello: protocol, version: 1, cluster: "e2e", node: "stranger", limits: { frame_bytes_max: 1024 }, ...fields
  }))

/** What is sent instead of a hello, and what the node says to it. */
const notHello = (port: Port): ReadonlyArray<readonly [string, Uint8Array, string, RegExp]> => {
  const protocol = protocolOf(port)
  const between = port === "cluster" || port === "peer"
  return [
    ["a header of 4 GiB", header(0xffffffff), "limit", /a frame of 4294967295 bytes; at most 4096 are allowed/],
    ["a header just too long", header(Limits.hello_bytes_max + 1), "limit", /a frame of 4097 bytes/],
    ["length 0", header(0), "limit", /a frame of length 0/],
    ["garbage msgpack", garbage, "malformed", /not msgpack/],
    ["msgpack that is no hello", encodeFrame(pack([1, 2, 3])), "malformed", /not a map/],
    ["a hello without limits", hello(protocol, { limits: null }), "malformed", /limits: expected a map/],
    ["HTTP", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "limit", /a frame of \d+ bytes/],
    ["another protocol", hello("v2r2-other"), "protocol", new RegExp(`got "v2r2-other", expected "${protocol}"`)],
    ["another version", hello(protocol, { version: 2 }), "version", /got 2, expected 1/],
    ["another cluster", hello(protocol, { cluster: "prod" }), "cluster", /got "prod", expected "e2e"/],
    ...(between
      ? [
        ["no cluster", hello(protocol, { cluster: null }), "cluster", /got none, expected "e2e"/] as const,
        ["no name", hello(protocol, { node: null }), "name", /a node must say its name/] as const
      ]
      : []),
    ...(port === "cluster"
      ? [["our own name", hello(protocol, { node: "n1" }), "name", /the node name "n1" is already taken/] as const]
      : [])
  ]
}

describe.each(ports)("instead of a hello on the %s port", (port) => {
  it.each(notHello(port))("%s: is told why, and closed", async (_, sent, code, reason) => {
    const socket = await attacked().open(port)
    socket.write(sent)
    expect(await socket.nextValue()).toMatchObject({ reject: code, message: expect.stringMatching(reason) })
    await socket.closed
    expect(await attacked().ending(socket)).toMatch(reason)
  })

  it("random bytes: closed, each time", async () => {
    await Promise.all(Array.from({ length: 20 }, async (_, seed) => {
      const socket = await attacked().open(port)
      const random = noise(seed, 100 + seed)
      random[0] = 1 + random[0]! % 255 // Otherwise it might be the beginning of a hello.
      socket.write(random)
      await socket.closed
      expect(await attacked().ending(socket)).toMatch(/a frame of \d+ bytes/)
    }))
  })

  it.each([["an orderly end", "end"], ["a reset", "destroy"]] as const)("half a hello and %s", async (_, how) => {
    const socket = await attacked().open(port)
    socket.write(helloFrame(protocolOf(port)).subarray(0, 20))
    socket[how]()
    await socket.closed
    expect(await attacked().ending(socket)).toMatch(/ended: (closed by the other side|reset|closed)/)
  })
})

describe.each(ports)("after the hello on the %s port", (port) => {
  it.each([
    ["a header of 4 GiB", header(0xffffffff), /a frame of 4294967295 bytes/],
    ["length 0", header(0), /a frame of length 0/],
    ["garbage msgpack", garbage, /msgpack|[Ee]xpected/],
    ["msgpack of another kind", encodeFrame(pack("hello")), /[Ee]xpected|not a|malformed/],
    ["deep msgpack", encodeFrame(new Uint8Array(100_000).fill(0x91)), /./],
    ["a map that promises 4 billion entries", encodeFrame(Uint8Array.of(0xdf, 255, 255, 255, 255)), /./]
  ])("%s: is closed by us", async (_, sent, reason) => {
    const socket = await attacked().greeted(port)
    socket.write(sent)
    await socket.closed
    const line = await attacked().ending(socket)
    expect(line).toMatch(/WARN .*closed by us/)
    expect(line).toMatch(reason)
  })

  it("half a frame and an end: ordinary", async () => {
    const socket = await attacked().greeted(port)
    socket.write(header(1_000))
    socket.write(noise(1, 500))
    socket.end()
    await socket.closed
    expect(await attacked().ending(socket)).toMatch(/DEBUG .*ended: closed by the other side/)
  })

  it("noise in frames: never more than this connection", async () => {
    await Promise.all(Array.from({ length: 20 }, async (_, seed) => {
      const socket = await attacked().greeted(port)
      socket.write(encodeFrame(noise(seed, 1 + seed * 20)))
      socket.end()
      await socket.closed
    }))
  })
})

describe("many connections", () => {
  it.each(ports)("2,000 opened and dropped on the %s port", { timeout: 60_000 }, async (port) => {
    for (let round = 0; round < 20; round++) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => attacked().open(port)))
      for (const [index, socket] of sockets.entries()) {
        if (index % 3 === 1) socket.write(helloFrame(protocolOf(port)))
        if (index % 3 === 2) socket.write(noise(index, 3))
        socket.destroy()
      }
    }
  })

  it("more than a server takes: the rest is turned away at once", { timeout: 60_000 }, async () => {
    const sockets: Array<RawSocket> = []
    const most = Limits.connections_per_server_max
    while (sockets.length < most) sockets.push(...await Promise.all(Array.from({ length: 64 }, () => attacked().open("peer"))))
    const late = await attacked().open("peer")
    expect(await late.nextValue()).toMatchObject({
      reject: "busy", message: expect.stringContaining(`${most} connections already`)
    })
    await late.closed
    for (const socket of sockets) socket.destroy()
    await until("there is room again", async () => {
      const socket = await attacked().open("peer")
      socket.write(helloFrame("v2r2-peer"))
      const answer = await socket.nextValue()
      socket.destroy()
      return answer !== null && typeof answer === "object" && "hello" in answer
    })
  })
})

/** Asks for thousands of megabytes, and reads none. */
const deafReader = async (attacked: Attacked): Promise<readonly [string, RawSocket]> => {
  const socket = await attacked.greeted("client")
  send(socket, [openChannel(1, 50_000)])
  await told(socket)
  socket.stopReading()
  const operation = encodeOperation({ _tag: "Get", path: "/big" })
  send(socket, Array.from({ length: 5_000 }, (_, id): ClientMessage => ({ _tag: "Read", channel: 1, id, operation })))
  return ["a client that asks for a value of 1 MiB 5,000 times", socket]
}

const deafLister = async (attacked: Attacked): Promise<readonly [string, RawSocket]> => {
  const socket = await attacked.greeted("client")
  socket.stopReading()
  send(socket, Array.from({ length: 200_000 }, (_, id): ClientMessage => ({ _tag: "Tenants", id })))
  return ["a client that asks for all tenants 200,000 times", socket]
}

const deafAdmin = async (attacked: Attacked): Promise<readonly [string, RawSocket]> => {
  const socket = await attacked.greeted("admin")
  socket.stopReading()
  socket.write(Buffer.concat(Array.from({ length: 20_000 }, (_, id) => encodeRequest(id, "config.get", {}))))
  return ["an admin that asks 20,000 times", socket]
}

const deafCaller = async (attacked: Attacked): Promise<readonly [string, RawSocket]> => {
  const socket = await attacked.greeted("cluster")
  socket.stopReading()
  socket.write(Buffer.concat(Array.from({ length: 50_000 }, (_, id) =>
    encodeClusterMessage({ _tag: "Call", id, method: "summary", args: null }))))
  return ["a node that asks 50,000 times", socket]
}

describe("what takes its time", () => {
  it("a hello that never comes", { timeout: 20_000 }, async () => {
    for (const [port, socket] of silent) {
      expect([port, await socket.nextValue()]).toMatchObject([port, { reject: "timeout", message: "no hello within 5000 ms" }])
      await socket.closed
      expect(await attacked().ending(socket)).toMatch(new RegExp(`no hello within 5000 ms|${left_out.source}`))
    }
  })

  it("answers that are never read", { timeout: 60_000 }, async () => {
    for (const [what, socket] of deaf) {
      expect([what, await attacked().ending(socket)]).toEqual([
        what,
        expect.stringMatching(`WARN .*(has not read for 10000 ms|${left_out.source})`)
      ])
      socket.destroy()
    }
  })
})
