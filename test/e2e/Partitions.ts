/**
 * Partitions that last through two changes of the group, under a client that does not stop writing: nodes on hosts of
 * their own (`Hosts.ts`), whose cables are pulled.
 *
 * A program that tells one of its stories, to be started with `secluded`. It ends with 0 if all went well.
 *
 * @module
 */
import * as assert from "node:assert/strict"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import type { ChangeWish } from "../../src/wire/Changes.ts"
import { Cluster, tenant_name, type TestNode, until } from "./Cluster.ts"
import { FarClient } from "./FarClient.ts"
import { Hosts } from "./Hosts.ts"
import { changeGroup, leave, on, progressOf, replicaOn } from "./Moves.ts"
import { bytes, text, Workload } from "./Workload.ts"

const creators = 4
/** Longer than any partition here: an error of a client would be one of the cluster. */
const deadline_ms = 60_000
/** Nothing that was promised: a machine that is busy may take long, but not for ever. */
const gap_max_ms = 20_000
/** Longer than all time-outs that tell a replica, a node or a client of a silent one. */
const unnoticed_ms = 6_000
/** After a cable is pulled: what was acknowledged before has been heard of. */
const settled_ms = 500

type Nodes = readonly [TestNode, TestNode, TestNode, TestNode, TestNode, TestNode]

/** Six nodes; the tenant is on the first three, and the first one leads. */
class Stage {
  readonly hosts: Hosts
  readonly cluster: Cluster
  readonly nodes: Nodes
  readonly tenant: PromiseTenant
  readonly workload: Workload
  group: ReadonlyArray<string> = ["r1::n1", "r2::n2", "r3::n3"]

  constructor(hosts: Hosts, cluster: Cluster, tenant: PromiseTenant, workload: Workload) {
    this.hosts = hosts
    this.cluster = cluster
    this.nodes = cluster.nodes as ReadonlyArray<TestNode> as Nodes
    this.tenant = tenant
    this.workload = workload
  }

  /** Something that happens while writes go on, before it and after it. */
  async step(what: string, run: () => Promise<unknown>): Promise<void> {
    await progressOf(this.workload)
    this.workload.takeGap()
    const begin = performance.now()
    await run()
    const took_ms = Math.round(performance.now() - begin)
    await progressOf(this.workload)
    const gap_ms = Math.round(this.workload.takeGap())
    console.log(`${what}: ${took_ms} ms, ${gap_ms} ms without a write; ${this.group.join(", ")}`)
    assert.deepEqual(this.workload.trouble, [])
    assert.ok(gap_ms < gap_max_ms, `${gap_ms} ms without a write`)
  }

  change(via: TestNode, out: ReadonlyArray<TestNode>, into: ReadonlyArray<TestNode>): Promise<void> {
    const wish: Omit<ChangeWish, "tenant"> = { remove: out.map((node) => replicaOn(this.group, node)), add: into.map(on) }
    const names = (nodes: ReadonlyArray<TestNode>): string => nodes.map(({ name }) => name).join(" and ")
    return this.step(`${names(out)} out, ${names(into)} in`, async () => {
      this.group = await changeGroup(via, wish)
      assert.equal(this.group.length, 3)
    })
  }

  /** Their replicas have left, they leave the cluster, and are shut down: they can tell nobody what happened. */
  async retire(via: TestNode, nodes: ReadonlyArray<TestNode>): Promise<void> {
    for (const node of nodes) {
      await hasNothing(node)
      await leave(via, node)
    }
  }

  /** By those that can be asked. */
  async leads(node: TestNode, via: TestNode): Promise<boolean> {
    return (await via.admin("vr.primary", { tenant: tenant_name })).primary?.endsWith(`::${node.name}`) === true
  }

  /** Until the replica there serves, and has what the others have now. */
  async caughtUp(node: TestNode, other: TestNode): Promise<void> {
    const { commit } = await this.cluster.replica(other)
    await until(`${node.name} has caught up`, async () => {
      const replica = await this.cluster.replica(node)
      return (replica.state === "backup" || replica.state === "primary") && replica.commit >= commit
    })
  }

  /** All nodes that run say that all is well, with this group. */
  async allWell(): Promise<void> {
    for (const node of this.nodes.filter(({ pid }) => pid !== null)) {
      await until(`${node.name} says that all is well`, async () => {
        const { problems, verdict } = await node.admin("status", {})
        const known = (await node.admin("vr.tenants", {}))[0]?.replicas.map((replica) => `${replica.name}::${replica.node}`)
        assert.deepEqual([verdict, problems, known?.toSorted()], ["OK", [], [...this.group].toSorted()])
        return true
      })
    }
  }

  async finish(): Promise<void> {
    await progressOf(this.workload)
    const { acknowledged, problems } = await this.workload.finish()
    assert.deepEqual(problems, [])
    console.log(`${acknowledged} writes acknowledged, none lost, none applied twice`)
  }
}

const filesOf = (node: TestNode): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(node.layout.folder, "data", "tenants"), { recursive: true, encoding: "utf8" })

const hasNothing = (node: TestNode): Promise<true> =>
  until(`nothing of a replica is left on ${node.name}`, async () => {
    assert.deepEqual(filesOf(node), [])
    return true as const
  })

const setStage = async (): Promise<Stage> => {
  const hosts = new Hosts(6)
  const cluster = await Cluster.apart({ nodes: 6, hosts: hosts.all })
  try {
    await cluster.join()
    const [n1, n2, n3] = cluster.nodes
    const replicas = [n1, n2, n3].map((node, index) => ({ name: `r${index + 1}`, node: node!.name }))
    await n1!.admin("vr.create", { name: tenant_name, replicas, durability: null })
    const tenant = await connect({ endpoints: [n2!.layout.client], tenant: tenant_name, deadline: deadline_ms })
    const stage = new Stage(hosts, cluster, tenant, await Workload.start(tenant, creators))
    if (!await stage.leads(n1!, n2!)) await n1!.admin("vr.handoff", { tenant: tenant_name, to: { name: "r1", node: "n1" } })
    await until("n1 leads", () => stage.leads(n1!, n2!))
    return stage
  } catch (error) {
    console.error(cluster.logs())
    throw error
  }
}

/** A client with one address gets there. */
const served = async (endpoint: string, path: string): Promise<void> => {
  const tenant = await connect({ endpoints: [endpoint], tenant: tenant_name, deadline: deadline_ms })
  await tenant.create(path, bytes("here"))
  assert.equal(text((await tenant.get(path)).data), "here")
  await tenant.close()
}

/** One is cut off; when it is back, nobody of its group is there any more, and it is in none. */
const leftOut = async (stage: Stage): Promise<void> => {
  const [n1, n2, n3, n4, n5, n6] = stage.nodes
  await stage.step("n3 cut off", async () => stage.hosts.cut("n3"))
  await stage.change(n2, [n3], [n4])
  await stage.change(n2, [n1, n2], [n5, n6])
  await stage.step("n1 and n2 gone", () => stage.retire(n4, [n1, n2]))
  assert.notDeepEqual(filesOf(n3), [])
  // One client waits for it already, another one comes later.
  const early = served(n3.layout.client, "/early")
  await sleep(unnoticed_ms)
  await stage.step("n3 back, until its replica is gone", async () => {
    stage.hosts.heal("n3")
    await hasNothing(n3)
  })
  await Promise.all([early, served(n3.layout.client, "/late")])
  await stage.allWell()
}

/** One is cut off, and stays in the group; when it is back, nobody else of its first group is there. */
const leftBehind = async (stage: Stage): Promise<void> => {
  const [n1, n2, n3, n4, n5] = stage.nodes
  await stage.step("n3 cut off", async () => stage.hosts.cut("n3"))
  await stage.change(n2, [n1], [n4])
  await stage.change(n4, [n2], [n5])
  await stage.step("n1 and n2 gone", () => stage.retire(n4, [n1, n2]))
  await stage.step("n3 back, until it has caught up", async () => {
    stage.hosts.heal("n3")
    await stage.caughtUp(n3, n4)
  })
  await stage.allWell()
  const primary = await stage.cluster.primary()
  // Of the three two are left, and both are needed.
  const victim = primary === n3 ? n4 : primary
  await stage.step(`${victim.name} killed: n3 counts`, () => victim.kill())
}

/** The primary is cut off, with clients on its side that go on trying. */
const oldPrimary = async (stage: Stage): Promise<void> => {
  const [n1, n2, n3, n4, n5] = stage.nodes
  const host = stage.hosts.all[0]!
  const hasty = await FarClient.start(host, n1.layout.client, "/hasty", 1_000)
  const patient = await FarClient.start(host, n1.layout.client, "/patient", deadline_ms)
  const more = (client: FarClient, than: number): Promise<boolean> =>
    until("the clients beside n1 go on", async () => client.acknowledged > than + 20)
  await Promise.all([more(hasty, 0), more(patient, 0)])
  await stage.step("n1, which leads, cut off", async () => stage.hosts.cut("n1"))
  await sleep(settled_ms)
  const heard = [hasty.acknowledged, patient.acknowledged] as const
  await stage.change(n2, [n1], [n4])
  await stage.change(n3, [n2], [n5])
  await sleep(unnoticed_ms)
  // Neither a write nor a read: there is nobody on their side who may answer.
  assert.deepEqual([hasty.acknowledged, patient.acknowledged], heard)
  assert.notDeepEqual(filesOf(n1), [])
  console.log(`the clients beside n1, cut off: ${hasty.told}; ${patient.told}`)
  await stage.step("n1 back, until its replica is gone", async () => {
    stage.hosts.heal("n1")
    await Promise.all([hasNothing(n1), more(hasty, heard[0]), more(patient, heard[1])])
  })
  console.log(`the clients beside n1, later: ${hasty.told}; ${patient.told}`)
  await stage.allWell()
  stage.hosts.cut("n1")
  await sleep(settled_ms)
  assert.deepEqual([...await hasty.check(stage.tenant), ...await patient.check(stage.tenant)], [])
  // It waited in its session, and was served in it.
  assert.equal(patient.told, "no errors")
}

/** What the primary sends to one of its backups is lost, all the time; nothing else is. */
const oneWay = async (stage: Stage): Promise<void> => {
  const [n1, n2, n3, n4, n5] = stage.nodes
  await stage.step("n3 hears nothing of n1, which leads", async () => {
    stage.hosts.lose("n1", "n3")
    await sleep(unnoticed_ms)
  })
  assert.ok(await stage.leads(n1, n2), "n1 leads still: a quorum hears it")
  await stage.change(n2, [n2], [n4])
  await stage.change(n2, [n1], [n5])
  await stage.step("n3 caught up, from others", () => stage.caughtUp(n3, n4))
  await Promise.all([hasNothing(n1), hasNothing(n2)])
  stage.hosts.find("n1", "n3")
  await stage.allWell()
}

const stories: Readonly<Record<string, (stage: Stage) => Promise<void>>> = { leftOut, leftBehind, oldPrimary, oneWay }

const main = async (name: string): Promise<number> => {
  const tell = stories[name]
  if (tell === undefined) throw new Error(`no story ${name}`)
  const stage = await setStage()
  try {
    await tell(stage)
    await stage.finish()
    return 0
  } catch (error) {
    console.error(stage.cluster.logs())
    console.error(error)
    return 1
  }
}

// Whoever started this has ended: there is nobody to tell. The nodes, hosts and files go with this process.
process.stdin.once("end", () => process.exit(1)).resume()
// By itself it does not end: nodes run, and writers write.
process.exit(await main(process.argv[2] ?? ""))
