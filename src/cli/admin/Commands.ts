/**
 * The commands of `v2r2-admin`.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { addressProblem } from "../../base/Address.ts"
import { nameProblem, parseReplicaPath, replicaId, tenantProblem } from "../../base/Names.ts"
import { Admin } from "../../client/Admin.ts"
import {
  ClusterStatus, commands, ConfigValue, Member, NodeStatus, ReplicaStatus, TenantInfo
} from "../../wire/AdminProtocol.ts"
import { define, group } from "../Definition.ts"
import { hex32, since } from "../Format.ts"
import { adminFlags } from "../Options.ts"
import { commonCommands, root } from "../Root.ts"
import { clusterDrain } from "./DrainCommand.ts"
import { add, forget, movePrimary, reconfigure, remove, replace, withdraw } from "./GroupCommands.ts"
import { clusterLeave, clusterRemove, deleteTenant, renameTenant } from "./LifeCommands.ts"
import { snapshotGroup } from "./SnapshotCommands.ts"
import { placesOf, tenantFlags } from "./TenantFlags.ts"
import { parsed, tenant, valid } from "./Words.ts"
import { dataGroup, inspectGroup } from "./Offline.ts"
import { recoverCommand } from "./Recover.ts"
import { statusPlain, statusText } from "./StatusView.ts"

const admin = Effect.map(Admin, ({ call }) => call)

const shown = (value: ConfigValue): string => value === null ? "" : String(value)

const configGet = define({
  name: "get",
  config: {
    key: Argument.String("key").pipe(Argument.withDescription("The key; all keys if it is left out"), Argument.optional)
  },
  summary: "Show the node's configuration",
  examples: [
    { command: "config get", description: "All keys" },
    { command: "config get heartbeat_ms", description: "One of them" }
  ],
  json: Schema.Record(Schema.String, ConfigValue),
  attempt: ({ key }) => ["config get", ...Option.toArray(key)].join(" "),
  run: Effect.fnUntraced(function*({ key }) {
    const config = yield* (yield* admin)("config.get", { key: Option.getOrNull(key) })
    const fields = Object.entries(config).map(([name, value]) => [name, shown(value)] as const)
    return { _tag: "Fields", json: config, fields }
  })
})

const configSet = define({
  name: "set",
  config: {
    key: Argument.String("key").pipe(Argument.withDescription("heartbeat_ms, view_change_ms, gossip_ms or log_level")),
    value: Argument.String("value").pipe(Argument.withDescription("Its new value"))
  },
  summary: "Change a key of the running node, until it is restarted",
  examples: [{ command: "config set log_level debug", description: "Let the node's log tell more" }],
  json: commands["config.set"].ok,
  attempt: ({ key, value }) => `config set ${key} ${value}`,
  run: Effect.fnUntraced(function*(args) {
    const set = yield* (yield* admin)("config.set", args)
    const value = shown(set.value)
    return { _tag: "Done", json: set, plain: `${set.key}\t${value}`, pretty: `${set.key} is now ${value}` }
  })
})

const clusterJoin = define({
  name: "join",
  config: {
    address: Argument.String("host:port").pipe(Argument.withDescription("Cluster address of any node of the other side"))
  },
  summary: "Make this node and another one members of one cluster",
  details: "The other node's cluster address is what its config.json calls cluster_host. Joining twice does no harm.",
  examples: [{ command: "cluster join 127.0.0.1:3000", description: "From either side" }],
  json: commands["cluster.join"].ok,
  attempt: ({ address }) => `cluster join ${address}`,
  run: Effect.fnUntraced(function*({ address }) {
    yield* valid(addressProblem(address))
    const joined = yield* (yield* admin)("cluster.join", { address })
    return {
      _tag: "Done",
      json: joined,
      plain: joined.members.join("\t"),
      pretty: `ok; the members are ${joined.members.join(", ")}`
    }
  })
})

const clusterMembers = define({
  name: "members",
  config: {},
  summary: "List the nodes of the cluster with their addresses; then those that have left or were removed",
  examples: [{ command: "cluster members", description: "Who is who" }],
  json: Member,
  lines: true,
  run: Effect.fnUntraced(function*() {
    const members = yield* (yield* admin)("cluster.members", {})
    return {
      _tag: "Table",
      columns: ["NODE", "LIFE", "ADMIN", "CLIENT", "CLUSTER", "PEER", "NOTE"],
      rows: Stream.fromIterable(members.map((member) => ({
        json: member,
        cells: [member.name, member.life, member.admin, member.client, member.cluster, member.peer, member.self ? "self" : ""]
      }))),
      empty: "no members"
    }
  })
})

const clusterStatus = define({
  name: "status",
  config: {},
  summary: "List the nodes as this one sees them: connected or not, since when, and why",
  details: "LIFE is joined, draining (no new replicas come to it), left or dead (it is out, and its name is free).",
  examples: [{ command: "cluster status", description: "Who is connected" }],
  json: NodeStatus,
  lines: true,
  run: Effect.fnUntraced(function*() {
    const nodes = yield* (yield* admin)("cluster.status", {})
    const now_ms = yield* Clock.currentTimeMillis
    return {
      _tag: "Table",
      columns: ["NODE", "LIFE", "STATE", "FOR", "ADDRESS", "REASON"],
      rows: Stream.fromIterable(nodes.map((node) => ({
        json: node,
        cells: [
          node.name,
          node.life,
          node.state,
          node.state === "gone" ? "" : since(Math.max(0, now_ms - node.since_ms)),
          node.address,
          node.reason ?? ""
        ]
      }))),
      empty: "no nodes"
    }
  })
})

const createTenant = define({
  name: "tenant",
  config: {
    replicas: tenantFlags.replicas,
    name: Flag.String("name").pipe(
      Flag.withMetavar("<name>"),
      Flag.withDescription("A name for the tenant, besides its id"),
      Flag.optional
    ),
    durability: tenantFlags.durability
  },
  summary: "Create a tenant: a group of replicas that keep one data store",
  details: "A group goes on serving while fewer than half of its replicas are down: 3 tolerate 1, 5 tolerate 2. " +
    "With durability disk its data survives the loss of all nodes at once, with memory it does not.",
  examples: [
    { command: "vr create tenant --name orders", description: "On up to three nodes that the node chooses" },
    { command: "vr create tenant --name orders r1::dev1,r2::dev2,r3::dev3", description: "On these nodes" },
    { command: "vr create tenant --name cache --durability memory", description: "Fast, and gone when all its nodes are" }
  ],
  json: commands["vr.create"].ok,
  attempt: ({ name }) => ["vr create tenant", ...Option.toArray(name)].join(" "),
  run: Effect.fnUntraced(function*({ durability, name, replicas }) {
    if (Option.isSome(name)) yield* valid(nameProblem(name.value))
    const places = yield* placesOf(replicas)
    const created = yield* (yield* admin)("vr.create", { name: Option.getOrNull(name), replicas: places, durability })
    const group = created.replicas.map(replicaId).join(",")
    const label = created.name === null ? created.id : `${created.name} (${created.id})`
    return {
      _tag: "Done",
      json: created,
      plain: created.id,
      pretty: `created tenant ${label} on ${group}, durability ${created.durability}`
    }
  })
})

const tenants = define({
  name: "tenants",
  config: {},
  summary: "List the tenants with their replicas and primaries",
  examples: [{ command: "vr tenants", description: "All of them" }],
  json: TenantInfo,
  lines: true,
  run: Effect.fnUntraced(function*() {
    const list = yield* (yield* admin)("vr.tenants", {})
    return {
      _tag: "Table",
      columns: ["TENANT", "ID", "EPOCH", "PRIMARY", "REPLICAS", "DURABILITY"],
      rows: Stream.fromIterable(list.map((info) => ({
        json: info,
        cells: [
          info.name ?? "-",
          info.id,
          String(info.epoch),
          info.primary ?? "none",
          info.replicas.map(replicaId).join(","),
          info.durability
        ]
      }))),
      empty: "no tenants; to make one: vr create tenant --name <name>"
    }
  })
})

const replica = define({
  name: "replica",
  config: { replica: Argument.String("replica").pipe(Argument.withDescription("<tenant>::<replica>::<node>")) },
  summary: "Show the state of one replica",
  examples: [{ command: "vr replica orders::r1::dev1", description: "State, view, op and commit numbers" }],
  json: ReplicaStatus,
  attempt: ({ replica }) => `vr replica ${replica}`,
  run: Effect.fnUntraced(function*(input) {
    const { name, node, tenant } = yield* parsed(parseReplicaPath(input.replica))
    const status = yield* (yield* admin)("vr.replica", { tenant, replica: name, node })
    const { acked, change, replicas, snapshot, ...rest } = status
    return {
      _tag: "Fields",
      json: status,
      fields: [
        ...Object.entries(rest).map(([key, value]) => [key, value === null ? "none" : String(value)] as const),
        ["group", replicas.join(",")] as const,
        ["change", change === null ? "none" : `to ${change.next.join(",")}, ${change.in_log ? "in the log" : "asked for"}`] as const,
        ["snapshot", snapshot === null ? "none" : `op ${snapshot.op}, digest ${hex32(snapshot.digest)}`] as const,
        ...Object.entries(acked).map(([id, op]) => [`acked ${id}`, String(op)] as const)
      ]
    }
  })
})

const primary = define({
  name: "primary",
  config: { tenant },
  summary: "Show which replica is the primary of a tenant",
  examples: [{ command: "vr primary orders", description: "Its id, or none" }],
  json: commands["vr.primary"].ok,
  attempt: ({ tenant }) => `vr primary ${tenant}`,
  run: Effect.fnUntraced(function*({ tenant }) {
    yield* valid(tenantProblem(tenant))
    const answer = yield* (yield* admin)("vr.primary", { tenant })
    const text = answer.primary === null ? "none" : `${answer.tenant}::${answer.primary}`
    return { _tag: "Text", json: answer, plain: text, pretty: () => text }
  })
})

const stats = define({
  name: "stats",
  config: {},
  summary: "Show the node's counters since it was started",
  examples: [{ command: "vr stats", description: "Messages, operations, view changes, …" }],
  json: commands["vr.stats"].ok,
  run: Effect.fnUntraced(function*() {
    const { counters } = yield* (yield* admin)("vr.stats", {})
    const sorted = Object.entries(counters).sort(([a], [b]) => a < b ? -1 : 1)
    return { _tag: "Fields", json: { counters }, fields: sorted.map(([name, count]) => [name, String(count)] as const) }
  })
})

const status = define({
  name: "status",
  config: {},
  summary: "Show the state of the cluster: the verdict, what is wrong, what to do, and the tenants",
  details: "The exit code is 0 if the verdict is OK, 1 if it is DEGRADED, 6 if it is DOWN.",
  examples: [{ command: "status", description: "The first thing to look at" }],
  json: ClusterStatus,
  run: Effect.fnUntraced(function*() {
    const answer = yield* (yield* admin)("status", {})
    const now_ms = yield* Clock.currentTimeMillis
    const exit = answer.verdict === "DEGRADED" ? "failed" as const : "unavailable" as const
    return {
      _tag: "Text",
      json: answer,
      plain: statusPlain(answer),
      pretty: (paint) => statusText(answer, now_ms, paint),
      ...(answer.verdict === "OK" ? {} : { exit })
    }
  })
})

/** All of `v2r2-admin`. */
export const adminTree = root("v2r2-admin", {
  summary: "Looks after a V2R2 cluster through one of its nodes.",
  details: "Several addresses may be given, h1:p1,h2:p2: the first that answers is used. " +
    "Without a command, a shell opens.",
  examples: [
    { command: "status", description: "How is the cluster?" },
    { command: "cluster join 127.0.0.1:3000", description: "Add a node" },
    { command: "vr create tenant --name orders", description: "Make a tenant" },
    { command: "-e 'vr tenants' -e status", description: "Several commands" }
  ]
}).pipe(
  Command.withSubcommands([
    status,
    group("cluster", "Members of the cluster", "cluster members").pipe(
      Command.withSubcommands([clusterMembers, clusterStatus, clusterJoin, clusterDrain, clusterLeave, clusterRemove])
    ),
    group("vr", "Tenants and their replicas", "vr tenants").pipe(
      Command.withSubcommands([
        tenants,
        group("create", "Create a tenant", "vr create tenant").pipe(Command.withSubcommands([createTenant])),
        group("delete", "Delete a tenant", "vr delete tenant").pipe(Command.withSubcommands([deleteTenant])),
        renameTenant,
        primary,
        replica,
        reconfigure,
        add,
        remove,
        replace,
        movePrimary,
        withdraw,
        forget,
        stats
      ])
    ),
    snapshotGroup,
    inspectGroup,
    dataGroup,
    recoverCommand,
    group("config", "Configuration of the node", "config get").pipe(Command.withSubcommands([configGet, configSet])),
    ...commonCommands
  ]),
  Command.withGlobalFlags(adminFlags)
)
