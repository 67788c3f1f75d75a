/**
 * The admin protocol: every command there and back, and a usage error that says what is wrong.
 *
 * @module
 */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  AdminError,
  type Args,
  type ClusterStatus,
  type CommandName,
  commands,
  decodeOk,
  decodeReply,
  decodeRequest,
  encodeError,
  encodeOk,
  encodeRequest,
  isCommand,
  type NodeStatus,
  type Ok,
  type ReplicaStatus
} from "../../src/wire/AdminProtocol.ts"
import { header_bytes } from "../../src/wire/Frame.ts"
import { pack } from "../../src/wire/Msgpack.ts"

const tenant = { id: "t1", name: "dev", epoch: 1, replicas: [{ name: "r1", node: "n1" }], durability: "disk" } as const
const nodeStatus: NodeStatus = {
  name: "n1",
  life: "draining",
  state: "disconnected",
  address: "a:1",
  since_ms: 1_700_000_000_000,
  reason: "refused"
}
const replica: ReplicaStatus = {
  tenant: "t1",
  name: "r1",
  node: "n1",
  state: "view change",
  durability: "disk",
  epoch: 1,
  replicas: ["r1::n1", "r2::n2"],
  view: 7,
  log_view: 6,
  op: 100,
  commit: 99,
  primary: null,
  sessions: 2,
  elements: 5,
  log_bytes: 4096,
  log_base: 0,
  snapshot: null,
  detail: "waits for DoViewChange",
  lease_ms: 250,
  change: null,
  acked: { "r2::n2": 98 }
}
const status: ClusterStatus = {
  cluster: "prod",
  verdict: "DEGRADED",
  nodes: [nodeStatus],
  problems: [{ message: "n1 unreachable", remedy: null }],
  tenants: [{
    id: "t1",
    name: null,
    durability: "memory",
    primary: "r1::n1",
    epoch: 1,
    view: 7,
    commit: 99,
    lag: { "r2::n2": 1 },
    replicas_up: 2,
    replicas_total: 3,
    tolerates: 0
  }],
  failover_ms_worst: 1_500
}

type Examples = { readonly [C in CommandName]: { readonly args: Args<C>; readonly ok: Ok<C> } }
const examples: Examples = {
  "config.get": { args: { key: "log_level" }, ok: { log_level: "info", heartbeat_ms: 100, advertise_host: null } },
  "config.set": { args: { key: "heartbeat_ms", value: "50" }, ok: { key: "heartbeat_ms", value: 50 } },
  "cluster.join": { args: { address: "a:1" }, ok: { members: ["n1", "n2"] } },
  "cluster.members": {
    args: {},
    ok: [{ name: "n1", self: true, life: "left", cluster: "a:1", admin: "a:2", client: "a:3", peer: "a:4" }]
  },
  "cluster.status": { args: {}, ok: [nodeStatus] },
  "cluster.leave": { args: { node: "n1" }, ok: { node: "n1", unheard: ["n2"] } },
  "cluster.remove": { args: { node: "n1" }, ok: { node: "n1", unheard: [] } },
  "cluster.drain": { args: { node: "n1", draining: true }, ok: { node: "n1", draining: true, unheard: [] } },
  "vr.delete": { args: { tenant: "dev" }, ok: { tenant: "t1", name: null, unheard: [] } },
  "vr.rename": { args: { tenant: "dev", name: "d" }, ok: { tenant: "t1", name: "d", was: "dev", unheard: ["n3"] } },
  "vr.create": {
    args: { name: null, replicas: [{ name: "r1", node: "n1" }], durability: "disk", upload: { id: "u1", bytes: 300 } },
    ok: tenant
  },
  "vr.plan": { args: { name: "dev" }, ok: { replicas: [{ name: "r1", node: "n1" }] } },
  "vr.tenants": { args: {}, ok: [{ ...tenant, primary: "r1::n1" }] },
  "vr.replica": { args: { tenant: "dev", replica: "r1", node: "n1" }, ok: replica },
  "vr.primary": { args: { tenant: "dev" }, ok: { tenant: "t1", primary: null } },
  "vr.group.plan": {
    args: { tenant: "dev", add: [{ name: null, node: "n4" }], remove: [{ name: "r1", node: "n1" }] },
    ok: {
      tenant: "t1", name: "dev", epoch: 1, present: ["r1::n1"], next: ["r4::n4"], joins: ["r4::n4"], leaves: ["r1::n1"],
      tolerates: 0, tolerates_next: 0, down: [], elements: 5, bytes: 4096, refusal: null
    }
  },
  "vr.group.ask": {
    args: { tenant: "dev", epoch: 1, replicas: ["r4::n4"], force: true },
    ok: {
      done: false, epoch: 1, replicas: ["r1::n1"], stage: "catching up", learners: [{ id: "r4::n4", op: 7, heard: true }],
      commit: 99, waits: "r4::n4 is at op 7 of 99"
    }
  },
  "vr.group.withdraw": {
    args: { tenant: "dev", epoch: 1, replicas: ["r4::n4"] },
    ok: { withdrawn: false, reason: "it is in the log already" }
  },
  "vr.forget": { args: { tenant: "dev", replica: "r4", node: "n4" }, ok: {} },
  "vr.handoff": { args: { tenant: "dev", to: { name: "r2", node: "n2" } }, ok: { tenant: "t1", from: "r1::n1", to: "r2::n2" } },
  "vr.stats": { args: {}, ok: { counters: { prepares: 12, batch_mean: 1.5 } } },
  "status": { args: {}, ok: status },
  "snapshot.open": {
    args: { tenant: "dev", from: "primary" },
    ok: { snapshot: "s1", tenant: "t1", name: null, replica: "r1::n1", op: 7, elements: 2, size: 300 }
  },
  "snapshot.part": { args: { snapshot: "s1", index: 0 }, ok: { bytes: Uint8Array.of(1, 2, 255) } },
  "snapshot.close": { args: { snapshot: "s1" }, ok: {} },
  "upload.begin": { args: { upload: "u1", bytes: 300 }, ok: {} },
  "upload.part": { args: { upload: "u1", index: 0, bytes: Uint8Array.of(1, 2, 255) }, ok: {} },
  "upload.end": { args: { upload: "u1" }, ok: { op: 7, digest: 99 } },
  "upload.drop": { args: { upload: "u1" }, ok: {} }
}
const names = Object.keys(commands).filter(isCommand)

const thereAndBack = <C extends CommandName>(command: C): void => {
  const { args, ok } = examples[command]
  const request: unknown = decodeRequest(encodeRequest(3, command, args).subarray(header_bytes))
  assert.deepEqual(request, { _tag: "Request", id: 3, command, args })
  const reply = decodeReply(encodeOk(3, command, ok).subarray(header_bytes))
  assert.deepEqual(reply, { _tag: "Ok", id: 3, value: ok })
  assert.deepEqual(decodeOk(command, ok), Result.succeed(ok))
}

describe("admin commands", () => {
  it.each(names)("%s goes there and back", thereAndBack)

  it("may leave out what is optional", () => {
    assert.deepEqual(decodeRequest(encodeRequest(0, "vr.create", {}).subarray(header_bytes)), {
      _tag: "Request",
      id: 0,
      command: "vr.create",
      args: {}
    })
  })

  it("answer an error with its code", () => {
    const error = new AdminError({ code: "conflict", message: "the name \"dev\" is taken" })
    const reply = decodeReply(encodeError(8, error).subarray(header_bytes))
    assert.strictEqual(reply._tag, "Error")
    assert.deepEqual(reply._tag === "Error" ? { ...reply, error: reply.error.code } : null, {
      _tag: "Error",
      id: 8,
      error: "conflict"
    })
  })
})

describe("admin requests that are none", () => {
  it.each<[string, unknown, number | null, string]>([
    ["no map", 5, null, "Expected object"],
    ["no id", { command: "status", args: {} }, null, `Missing key at ["id"]`],
    ["a negative id", { id: -1, command: "status", args: {} }, null, `at ["id"]`],
    ["no arguments", { id: 1, command: "status" }, 1, `Missing key at ["args"]`],
    ["an unknown command", { id: 1, command: "reboot", args: {} }, 1, `unknown command "reboot"`],
    ["a command that only JavaScript knows", { id: 1, command: "toString", args: {} }, 1, `unknown command "toString"`],
    ["a missing argument", { id: 1, command: "config.set", args: { key: "k" } }, 1, `config.set: Missing key`],
    ["an argument of the wrong type", { id: 1, command: "vr.primary", args: { tenant: 1 } }, 1, `at ["tenant"]`],
    ["arguments that are no map", { id: 1, command: "status", args: 5 }, 1, "status: Expected object"],
    ["a choice that is none", { id: 1, command: "snapshot.open", args: { tenant: "t", from: "r1" } }, 1, `at ["from"]`],
    ["a part before the first", { id: 1, command: "snapshot.part", args: { snapshot: "s", index: -1 } }, 1, `at ["index"]`],
    ["an argument too many", { id: 1, command: "config.get", args: { kei: "x" } }, 1, `at ["kei"]`],
    ["an argument where none is", { id: 1, command: "status", args: { verbos: true } }, 1, `at ["verbos"]`]
  ])("%s", (_, value, id, message) => {
    const got = decodeRequest(pack(value))
    assert.strictEqual(got._tag, "BadRequest")
    if (got._tag !== "BadRequest") return
    assert.strictEqual(got.id, id)
    assert.strictEqual(got.error.code, "usage")
    assert.include(got.error.message, message)
    assert.notInclude(got.error.message, "\n")
  })

  it("do not make an answer as long as they are", () => {
    const got = decodeRequest(pack({ id: 1, command: "status", args: { ["x".repeat(100_000)]: 1 } }))
    assert.isBelow(got._tag === "BadRequest" ? got.error.message.length : Infinity, 400)
  })

  it("never throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100, size: "max" }), (payload) => {
      decodeRequest(payload)
      decodeReply(payload)
    }))
    const request = fc.record({ id: fc.nat(), command: fc.constantFrom(...names), args: fc.object() })
    fc.assert(fc.property(request, (value) => {
      decodeRequest(pack(value))
    }))
  })
})

describe("admin replies that are none", () => {
  it("are malformed", () => {
    assert.deepStrictEqual(decodeReply(pack({ id: 1 })), {
      _tag: "Malformed",
      reason: "a reply is {id, ok} or {id, error: {code, message}}"
    })
    assert.strictEqual(decodeReply(pack({ id: 1, error: { code: "shrug", message: "" } }))._tag, "Malformed")
  })

  it("have bytes where there are to be bytes", () => {
    assert.deepEqual(decodeOk("snapshot.part", { bytes: null }), Result.succeed({ bytes: null }))
    assert.isTrue(Result.isFailure(decodeOk("snapshot.part", { bytes: "text" })))
  })

  it("say which command's answer is malformed, and how", () => {
    const decoded = decodeOk("status", { ...status, verdict: "FINE" })
    assert.isTrue(Result.isFailure(decoded))
    if (Result.isFailure(decoded)) {
      assert.match(decoded.failure.message, /^the answer to status is malformed: .*"DEGRADED".*at \["verdict"\]$/)
    }
  })

  it("may know more than we do", () => {
    const newer = { tenant: "t", primary: null, since: 5 }
    assert.deepEqual(decodeOk("vr.primary", newer), Result.succeed({ tenant: "t", primary: null }))
  })
})
