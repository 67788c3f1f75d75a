/**
 * Clients, nodes and admins that speak the protocol and do not keep to it: told what was wrong, and nothing else happens.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import { encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { encodeFrame } from "../../src/wire/Frame.ts"
import { encodeHello, makeHello } from "../../src/wire/Hello.ts"
import { pack } from "../../src/wire/Msgpack.ts"
import { encodeEnvelope, encodeMessage } from "../../src/wire/PeerProtocol.ts"
import { tenant_name, until } from "../e2e/Cluster.ts"
import { bytes } from "../e2e/Workload.ts"
import { attackedNode, header, noise, openChannel, send, told } from "./Attacked.ts"

const attacked = attackedNode()
const replica = () => attacked().cluster.replica(attacked().node)

describe("a client that does not keep to the protocol", () => {
  it("is told what was wrong with its frame before the end", async () => {
    for (const [sent, reason] of [[encodeFrame(Uint8Array.of(0xc1)), /expected/], [header(0), /length 0/]] as const) {
      const socket = await attacked().greeted("client")
      socket.write(sent)
      expect(await told(socket)).toMatchObject({ _tag: "Error", message: expect.stringMatching(reason) })
      expect(await told(socket)).toBe(null)
    }
  })

  it("a message of an unknown type is answered with an error, and the connection goes on", async () => {
    const socket = await attacked().greeted("client")
    socket.write(encodeFrame(pack([99, 1, 2])))
    expect(await told(socket)).toMatchObject({ _tag: "Error", message: expect.stringContaining("type 99") })
    send(socket, [{ _tag: "Ping", id: 7 }])
    expect(await told(socket)).toEqual({ _tag: "Pong", id: 7 })
    socket.destroy()
  })

  it("nothing happens on a channel that is not open, or for a tenant that does not exist", async () => {
    const socket = await attacked().greeted("client")
    const operation = encodeOperation({ _tag: "Get", path: "/friend" })
    send(socket, [{ _tag: "Read", channel: 5, id: 1, operation }])
    expect(await told(socket)).toMatchObject({ _tag: "Answer", channel: 5, id: 1, outcome: { _tag: "Refused" } })
    send(socket, [{ _tag: "Write", channel: 5, request: 1, answered: 0, operation }])
    expect(await told(socket)).toMatchObject({ _tag: "Written", channel: 5, request: 1, outcome: { _tag: "Refused" } })
    send(socket, [{ _tag: "Open", channel: 1, tenant: "nobody", nonce: new Uint8Array(Limits.session_nonce_bytes) }])
    expect(await told(socket)).toMatchObject({ _tag: "Failed", channel: 1, outcome: { _tag: "NoTenant" } })
    send(socket, [
      { _tag: "Attach", channel: 1, tenant: tenant_name, session: 999_999_999 },
      { _tag: "Write", channel: 1, request: 1, answered: 0, operation: encodeOperation({
        _tag: "Create", path: "/x", type: "blob", data: new Uint8Array(0), parents: false
      }) }
    ])
    expect(await told(socket)).toMatchObject({ _tag: "Written", outcome: { _tag: "NoSession" } })
    socket.destroy()
  })

  it("garbage for an operation is refused before it enters the log", async () => {
    const socket = await attacked().greeted("client")
    send(socket, [openChannel(1)])
    expect(await told(socket)).toMatchObject({ _tag: "Opened" })
    const { op } = await replica()
    for (let request = 1; request <= 50; request++) {
      const operation = noise(request, request * 3)
      send(socket, [
        { _tag: "Write", channel: 1, request, answered: 0, operation },
        { _tag: "Read", channel: 1, id: request, operation }
      ])
      const answers = [await told(socket), await told(socket)]
      expect(answers).toMatchObject([{ outcome: { _tag: "Ok" } }, { outcome: { _tag: "Ok" } }])
    }
    send(socket, [{ _tag: "Write", channel: 1, request: 1_100, answered: 0, operation: noise(1, 9) }])
    expect(await told(socket)).toMatchObject({ outcome: { _tag: "Refused" } })
    expect((await replica()).op).toBe(op)
    socket.destroy()
  })

  it("has as many channels as are allowed, and not one more", async () => {
    const socket = await attacked().greeted("client")
    const most = Limits.channels_per_connection_max
    send(socket, Array.from({ length: most + 1 }, (_, index) => openChannel(index, 10_000 + index)))
    const answers = []
    while (answers.length <= most) answers.push(await told(socket))
    expect(answers.filter((answer) => answer?._tag === "Opened")).toHaveLength(most)
    expect(answers).toContainEqual({
      _tag: "Failed", channel: most, outcome: { _tag: "Refused", message: `a connection has at most ${most} channels` }
    })
    send(socket, [{ _tag: "Close", channel: 3 }, openChannel(most, 20_000)])
    expect(await told(socket)).toMatchObject({ _tag: "Opened", channel: most })
    socket.destroy()
  })

  it("an answer for a channel that was closed does not go to the one that has its number now", async () => {
    const socket = await attacked().greeted("client")
    const operation = encodeOperation({ _tag: "Get", path: "/big" })
    send(socket, [openChannel(1, 30_000)])
    await told(socket)
    send(socket, [{ _tag: "Read", channel: 1, id: 1, operation }, { _tag: "Close", channel: 1 }, openChannel(1, 30_001)])
    expect(await told(socket)).toMatchObject({ _tag: "Opened", channel: 1 })
    send(socket, [{ _tag: "Ping", id: 1 }])
    expect(await told(socket)).toEqual({ _tag: "Pong", id: 1 })
    socket.destroy()
  })

  it("12,000 sessions: the least recently used are evicted, and those in use stay", { timeout: 60_000 }, async () => {
    const socket = await attacked().greeted("client")
    let opened = 0
    socket.onPayload = () => opened++
    for (let start = 0; start < 12_000; start += 1_000) {
      send(socket, Array.from({ length: 1_000 }, (_, index) => openChannel(index, 100_000 + start + index)))
      await until("these sessions are open", async () => opened === start + 1_000)
      await attacked().friend.put("/friend", bytes(start))
    }
    expect((await replica()).sessions).toBe(Limits.sessions_max)
    socket.destroy()
  })
})

describe("other nodes' ports", () => {
  it("a replica heeds nobody who is not of its group", async () => {
    const before = await replica()
    const socket = await attacked().greeted("peer")
    const { id } = (await attacked().node.admin("vr.tenants", {}))[0]!
    for (const [to, from, epoch] of [["r1::n1", "r2::stranger", 0], ["r9::n1", "r1::n1", 0], ["r1::n1", "r1::n1", 7]] as const) {
      const message = encodeMessage({ _tag: "StartViewChange", view: 50, probing: false })
      socket.write(encodeEnvelope(id, to, from, epoch, message))
      socket.write(encodeEnvelope("00000000-0000-4000-8000-000000000000", to, from, epoch, message))
    }
    socket.end()
    await socket.closed
    const after = await replica()
    expect([after.view, after.state]).toEqual([before.view, "primary"])
  })

  it("calls that do not exist or make no sense are refused in words", async () => {
    const socket = await attacked().greeted("cluster")
    const ask = async (id: number, method: string, args: unknown): Promise<unknown> => {
      socket.write(encodeClusterMessage({ _tag: "Call", id, method, args }))
      return socket.nextValue()
    }
    expect(await ask(1, "explode", null)).toMatchObject({ id: 1, error: { code: "usage", message: `no method "explode"` } })
    expect(await ask(2, "bootstrap", { tenant: [{ id: 5 }], upload: null })).toMatchObject({ id: 2, error: { code: "usage" } })
    expect(await ask(4, "abandon", [])).toMatchObject({ id: 4, error: { code: "usage" } })
    expect(await ask(3, "publish", "x")).toMatchObject({ id: 3, error: { code: "usage" } })
    socket.destroy()
  })

  it("an admin is told what was wrong with a command, and may go on", async () => {
    const socket = await attacked().greeted("admin")
    const ask = async (request: object): Promise<unknown> => {
      socket.write(encodeFrame(pack(request)))
      return socket.nextValue()
    }
    expect(await ask({ id: 1, command: "explode", args: {} })).toMatchObject({ id: 1, error: { code: "usage" } })
    expect(await ask({ id: 2, command: "vr.primary", args: { tenant: 5 } })).toMatchObject({ id: 2, error: { code: "usage" } })
    expect(await ask({ id: 3, command: "vr.primary", args: { tenant: "?" } })).toMatchObject({ id: 3, error: { code: "not_found" } })
    expect(await ask({ id: 4, command: "vr.stats", args: {} })).toMatchObject({ id: 4, ok: { counters: {} } })
    socket.destroy()
  })
})

it("the limits of a hello are what the node says", async () => {
  const socket = await attacked().open("client")
  socket.write(encodeHello(makeHello("v2r2-client", { cluster: null, node: null, limits: { frame_bytes_max: 1 } })))
  expect(await socket.nextValue()).toMatchObject({
    hello: "v2r2-client", version: 1, cluster: "e2e", node: "n1",
    limits: { frame_bytes_max: Limits.client_frame_bytes_max, value_bytes_max: Limits.value_bytes_max }
  })
  socket.destroy()
})
