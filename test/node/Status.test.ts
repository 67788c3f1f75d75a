/**
 * What the status of a cluster makes of what its replicas say.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { describeCluster, describeReplica } from "../../src/node/Status.ts"
import type { ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import { entries, One } from "../vr/One.ts"
import { someTenant } from "./SomeTenant.ts"

const tenant = { ...someTenant, name: "orders" }

const replica = (index: 0 | 1, snapshot: ReplicaStatus["snapshot"]): ReplicaStatus => ({
  ...tenant.replicas[index]!,
  tenant: tenant.id,
  state: index === 0 ? "primary" : "backup",
  durability: "disk",
  epoch: 0,
  replicas: ["r1::n1", "r2::n2"],
  view: 0,
  log_view: 0,
  op: 9,
  commit: 9,
  primary: "r1::n1",
  sessions: 0,
  elements: 0,
  log_bytes: 0,
  log_base: 0,
  snapshot,
  detail: null,
  lease_ms: null,
  change: null,
  acked: {}
})

const clusterOf = (replicas: ReadonlyArray<ReplicaStatus>) =>
  describeCluster({
    cluster: "c",
    nodes: ["n1", "n2"].map((name) => ({ name, life: "joined", state: "connected", address: "", since_ms: 0, reason: null })),
    tenants: [tenant],
    replicas,
    conflicts: [],
    view_change_ms: 500
  })

describe("the status of a cluster", () => {
  it("compares the snapshots of replicas that have written one of the same op", () => {
    const { problems, verdict } = clusterOf([replica(0, { op: 5, digest: 1 }), replica(1, { op: 5, digest: 2 })])
    assert.strictEqual(verdict, "DEGRADED")
    assert.match(problems[0]!.message, /tenant orders: the data of r1::n1 and r2::n2 differs at op 5/)
  })

  it("has nothing to say of equal ones, of ones of other ops, and of none", () => {
    for (const other of [{ op: 5, digest: 1 }, { op: 4, digest: 2 }, null]) {
      assert.deepInclude(clusterOf([replica(0, { op: 5, digest: 1 }), replica(1, other)]), { problems: [], verdict: "OK" })
    }
    assert.deepInclude(clusterOf([replica(0, null), replica(1, null)]), { problems: [], verdict: "OK" })
  })
})

describe("the status of a replica that fetches a snapshot", () => {
  it("says from whom, and about how much of it is here", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 1), commit: 1 })
    one.receive("R0", { _tag: "Commit", view: 0, op: 9, commit: 9, round: 0, lease_ms: 0 })
    const data = { tenant: tenant.id, node: "n2", durability: "disk", doubt: null, store: { stats: () => ({ elements: 0 }) } } as const
    const told = () => describeReplica(one.replica, data, one.now).detail
    assert.strictEqual(told(), "fetches view 0 from R0")
    const sender = One.start("R1")
    sender.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 9), commit: 9 })
    const asked = sender.receive("R2", { _tag: "GetSnapshot", op: 9, index: 0 }).sends
    for (const { message } of asked) one.receive("R0", message._tag === "SnapshotPart" ? { ...message, size: 1_000 } : message)
    assert.match(told() ?? "", /^fetches view 0 from R0: snapshot of op 9 from R0, 0\.0 MiB, about \d %$/)
  })
})
