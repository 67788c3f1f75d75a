/**
 * The state of the cluster as an operator sees it first: the verdict, what is wrong and its remedy, the tenants.
 *
 * @module
 */
import type { ClusterStatus, NodeStatus, TenantStatus } from "../../wire/AdminProtocol.ts"
import { aligned, columnWidths, plural, printable, since, tabbed } from "../Format.ts"
import type { Paint } from "../Output.ts"

/** `now_ms`: milliseconds since 1970, to say how long a node has been away. */
export const statusText = (status: ClusterStatus, now_ms: number, paint: Paint): string => {
  const colour = { OK: paint.green, DEGRADED: paint.yellow, DOWN: paint.red }[status.verdict]
  const nodes = status.nodes.filter(({ state }) => state !== "gone")
  const up = nodes.filter(({ state }) => state !== "disconnected").length
  const head = `CLUSTER ${paint.bold(printable(status.cluster))}  ${colour(status.verdict)}  ` +
    `${plural(nodes.length, "node")}, ${up} up   failover: within ${status.failover_ms_worst} ms`
  const rows = status.tenants.map(tenantCells)
  const widths = columnWidths([tenantColumns, ...rows])
  const away = status.nodes.filter(({ state }) => state === "disconnected")
  // The problem of such a node is told once, with how long it has been away.
  const told = away.map(({ name }) => status.problems.find(({ message }) => message.startsWith(`node ${name} `)))
  return [
    head,
    ...away.map((node, i) => problemLine(paint.red, nodeText(node, now_ms), told[i]?.remedy ?? null)),
    ...status.problems.filter((problem) => !told.includes(problem)).map(({ message, remedy }) =>
      problemLine(paint.yellow, message, remedy)),
    ...lives(status.nodes).map(paint.dim),
    ...(rows.length === 0
      ? [paint.dim("no tenants; to make one: vr create tenant --name <name>")]
      : [paint.bold(aligned(tenantColumns, widths)), ...rows.map((row) => aligned(row, widths))])
  ].join("\n")
}

/** For another program: one line each, its kind first. */
export const statusPlain = (status: ClusterStatus): string =>
  [
    ["cluster", status.cluster, status.verdict, String(status.failover_ms_worst)],
    ...status.nodes.map(({ address, life, name, reason, state }) => ["node", name, state, address, reason ?? "", life]),
    ...status.problems.map(({ message, remedy }) => ["problem", message, remedy ?? ""]),
    ...status.tenants.map((tenant) => ["tenant", tenant.id, ...tenantCells(tenant)])
  ].map(tabbed).join("\n")

/** Those that are no usual members: `draining: n2`, `left: n4, n5`. */
const lives = (nodes: ReadonlyArray<NodeStatus>): ReadonlyArray<string> =>
  [...Map.groupBy(nodes, ({ life }) => life)]
    .filter(([life]) => life !== "joined")
    .map(([life, those]) => `${life}: ${those.map(({ name }) => printable(name)).join(", ")}`)

const tenantColumns = ["TENANT", "PRIMARY", "EPOCH/VIEW", "COMMIT", "LAG", "REPLICAS", "TOLERATES", "DURABILITY"]

const tenantCells = (tenant: TenantStatus): ReadonlyArray<string> => [
  tenant.name ?? tenant.id,
  tenant.primary ?? "none",
  `${tenant.epoch}/${tenant.view}`,
  String(tenant.commit),
  lagText(tenant.lag),
  `${tenant.replicas_up}/${tenant.replicas_total}`,
  String(tenant.tolerates),
  tenant.durability
].map(printable)

/** Only who is behind, the furthest first: `r3::dev3:12`; 0 if nobody is. */
const lagText = (lag: TenantStatus["lag"]): string => {
  const behind = Object.entries(lag).filter(([, ops]) => ops > 0).sort(([, a], [, b]) => b - a)
  return behind.length === 0 ? "0" : behind.map(([replica, ops]) => `${replica}:${ops}`).join(",")
}

const problemLine = (colour: (text: string) => string, message: string, remedy: string | null): string =>
  `${colour(`! ${printable(message)}`)}${remedy === null ? "" : `   → ${printable(remedy)}`}`

const nodeText = ({ address, name, reason, since_ms }: NodeStatus, now_ms: number): string => {
  const why = reason === null ? address : `${address}: ${reason}`
  return `${name} unreachable ${since(Math.max(0, now_ms - since_ms))} (${why})`
}
