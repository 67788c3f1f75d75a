/**
 * The cluster protocol: what is sent arrives, and garbage is refused with a reason.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import type { MemberRecord } from "../../src/members/Members.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import { type ClusterMessage, decodeClusterMessage, encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { header_bytes } from "../../src/wire/Frame.ts"
import { pack } from "../../src/wire/Msgpack.ts"

const random = seeded(1)
const longName = (n: number): string => `${n}-`.padEnd(Limits.name_bytes_max, "x")
const longAddress = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}:65535`

const memberRecord = (n: number): MemberRecord => {
  const id = uuid(random)
  const [admin, client, cluster, peer] = [longAddress, longAddress, longAddress, longAddress]
  const drains = Limits.counter_max
  return { id, tag: Limits.counter_max, member: { id, name: longName(n), admin, client, cluster, peer }, drains, gone: null }
}

const gone = (record: MemberRecord): MemberRecord => ({ ...record, gone: { name: record.member?.name ?? "", why: "left" } })

const tenant = (n: number): Tenant => ({
  id: uuid(random),
  name: longName(n),
  epoch: Limits.epoch_max,
  replicas: Array.from({ length: Limits.replicas_max }, (_, r) => ({ name: longName(r), node: longName(r) })),
  durability: "memory",
  stamp: Limits.counter_max,
  confirmed: true,
  withdrawn: false,
  coordinator: longName(0)
})

const byId = <A extends { readonly id: string }>(records: ReadonlyArray<A>): ReadonlyMap<string, A> =>
  new Map(records.toSorted((a, b) => a.id < b.id ? -1 : 1).map((record) => [record.id, record]))

const state: ClusterMessage = {
  _tag: "State",
  members: byId([memberRecord(1), gone(memberRecord(2)), { id: uuid(random), tag: 2, member: null, drains: 0, gone: null }]),
  tenants: byId([tenant(1), { ...tenant(2), name: null, withdrawn: true }])
}

const payload = (message: ClusterMessage): Uint8Array => encodeClusterMessage(message).subarray(header_bytes)
const reason = (value: unknown): string => {
  const message = decodeClusterMessage(pack(value))
  return message._tag === "Malformed" ? message.reason : `accepted: ${message._tag}`
}

describe("messages", () => {
  it.each<ClusterMessage>([
    state,
    { _tag: "State", members: new Map(), tenants: new Map() },
    { _tag: "Call", id: 0, method: "tenant.create", args: { name: "a", list: [1, null, true] } },
    { _tag: "Return", id: 7, ok: new Uint8Array([1, 2, 3]) },
    { _tag: "Return", id: 7, ok: null },
    { _tag: "Failure", id: Number.MAX_SAFE_INTEGER, code: "conflict", message: "taken" }
  ])("$_tag arrives as it was sent", (message) => {
    const back = decodeClusterMessage(payload(message))
    assert.strictEqual(JSON.stringify(back, shown), JSON.stringify(message, shown))
  })

  it("have null where nothing was given", () => {
    const call = decodeClusterMessage(payload({ _tag: "Call", id: 1, method: "ping", args: undefined }))
    assert.deepStrictEqual(call, { _tag: "Call", id: 1, method: "ping", args: null })
    const answer = decodeClusterMessage(payload({ _tag: "Return", id: 1, ok: undefined }))
    assert.deepStrictEqual(answer, { _tag: "Return", id: 1, ok: null })
  })

  it("may have fields that this version does not know", () => {
    const value = { t: "call", id: 1, method: "ping", args: null, later: true }
    assert.deepStrictEqual(decodeClusterMessage(pack(value)), { _tag: "Call", id: 1, method: "ping", args: null })
  })

  it("fit a frame, also when the cluster is as large as it may be", () => {
    const members = Array.from({ length: Limits.members_known_max }, (_, n): MemberRecord =>
      n < Limits.members_max ? memberRecord(n) : gone(memberRecord(n))
    )
    const tenants = Array.from({ length: Limits.tenants_known_max }, (_, n): Tenant =>
      ({ ...tenant(n), withdrawn: n >= Limits.tenants_max })
    )
    const bytes = payload({ _tag: "State", members: byId(members), tenants: byId(tenants) })
    assert.isBelow(bytes.length, Limits.cluster_frame_bytes_max)
    assert.strictEqual(decodeClusterMessage(bytes)._tag, "State")
  })
})

describe("garbage", () => {
  const id = uuid(random)
  const fine = { id, name: "dev1", admin: "a:1", client: "a:2", cluster: "a:3", peer: "a:4" }
  const orders = { ...tenant(1), id, name: "orders" }
  const withMember = (wrong: object) => ({
    t: "state",
    members: [{ id, tag: 1, member: { ...fine, ...wrong }, drains: 0, gone: null }],
    tenants: []
  })
  const withTenant = (wrong: object) => ({ t: "state", members: [], tenants: [{ ...orders, ...wrong }] })

  it.each<[unknown, string]>([
    [null, "not a message: Expected object"],
    [[1, 2], "not a message: Expected object"],
    [{}, "not a message: t: Missing key"],
    [{ t: "stat" }, `not a message: t: Expected "state" | "call" | "return"`],
    [{ t: "state" }, "state: members: Missing key"],
    [{ t: "state", members: 3, tenants: [] }, "state: members: Expected array"],
    [{ t: "state", members: [], tenants: [{}] }, "state: tenants: [0].id: Missing key"],
    [withMember({ id: "x" }), `state: members: node ${id} has a member of another id`],
    [withMember({ name: "-" }), `state: members: node name: a name starts with a letter or digit, "-" does not`],
    [
      withMember({ peer: "a" }),
      "state: members: peer address of dev1: " +
        `expected host:port, such as 127.0.0.1:2000 or [::1]:2000, got "a" without a port`
    ],
    [withMember({ peer: 1 }), "state: members: [0].member.peer: Expected string"],
    [withTenant({ name: "-" }), `state: tenants: tenant ${id}: a name starts with a letter or digit, "-" does not`],
    [withTenant({ durability: "hope" }), `state: tenants: [0].durability: Expected "disk" | "memory"`],
    [withTenant({ replicas: [] }), `state: tenants: tenant ${id}: a tenant has 1 to 7 replicas, got 0`],
    [withTenant({ replicas: [{ name: "r1" }] }), "state: tenants: [0].replicas[0].node: Missing key"],
    [{ t: "call", id: -1, method: "a", args: null }, "call: id: Expected a value greater than or equal to 0"],
    [{ t: "call", id: 1, method: "", args: null }, "call: method: Expected a value with a length of at least 1"],
    [{ t: "call", id: 1, method: "a" }, "call: args: Missing key"],
    [{ t: "return", id: 1 }, "return: ok: Missing key"],
    [{ t: "return", id: 1, ok: 1, error: {} }, "return: error.code: Missing key"]
  ])("%j is refused", (value, expected) => {
    assert.strictEqual(reason(value), expected)
  })

  it("is refused whatever the bytes, without throwing", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (bytes) => {
      assert.isString(decodeClusterMessage(bytes)._tag)
    }))
    const bytes = payload(state)
    fc.assert(fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const broken = Uint8Array.from(bytes)
      broken[at] = byte
      assert.isString(decodeClusterMessage(broken)._tag)
      const cut = decodeClusterMessage(bytes.subarray(0, at))
      assert.match(cut._tag === "Malformed" ? cut.reason : "", /^not msgpack: /)
    }))
  })
})

/** Maps and bytes, to be compared as text. */
const shown = (_: string, value: unknown): unknown =>
  value instanceof Map ? [...value] : value instanceof Uint8Array ? [...value] : value
