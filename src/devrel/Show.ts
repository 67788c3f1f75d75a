/**
 * What devrel prints: the nodes' lines behind their names, tables, and what to try.
 *
 * @module
 */
import { servers } from "./Layout.ts"
import type { Status } from "./Nodes.ts"

/** Where the lines go. */
export interface Screen {
  readonly colour: boolean
  readonly out: (line: string) => void
  readonly err: (line: string) => void
}

const backlog_bytes_max = 1024 * 1024

/** The process's own streams. A reader that lags far behind loses lines; the nodes never wait for it. */
export const terminal = (colour: boolean): Screen => {
  let lost = 0
  const out = (line: string) => {
    if (process.stdout.writableLength > backlog_bytes_max) {
      lost++
      return
    }
    if (lost > 0) process.stdout.write(`… ${lost} lines lost: nobody read them\n`)
    lost = 0
    process.stdout.write(`${line}\n`)
  }
  return { colour, out, err: (line) => process.stderr.write(`${line}\n`) }
}

const colours = [36, 33, 35, 32, 34, 91, 96, 93]

const paint = ({ colour }: Screen, code: number, text: string): string => colour ? `\x1b[${code}m${text}\x1b[0m` : text

/** A node's line, behind its name in its colour. */
export const nodeLine = (screen: Screen, name: string, text: string): void => {
  const code = colours[(Number(name.replace(/\D/g, "")) - 1) % colours.length] ?? 0
  screen.out(`${paint(screen, code, `${name} │`)} ${text}`)
}

/** Devrel's own line. */
export const say = (screen: Screen, text: string): void => screen.out(paint(screen, 1, `devrel: ${text}`))

export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
}

/** `5s`, `4m12s`, `3h0m`. */
export const ago = (ms: number): string => {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s < 60) return `${s}s`
  return s < 3600 ? `${Math.floor(s / 60)}m${s % 60}s` : `${Math.floor(s / 3600)}h${Math.floor(s / 60) % 60}m`
}

/** Every node with its state, process id and addresses. */
export const statusTable = (nodes: ReadonlyArray<Status>, now_ms: number): ReadonlyArray<string> =>
  table([
    ["NODE", "STATE", "SINCE", "PID", ...servers.map((server) => server.toUpperCase())],
    ...nodes.map(({ layout, state, why, pid, since_ms }) => [
      layout.name,
      state === "down" ? why : state,
      since_ms === 0 ? "-" : ago(now_ms - since_ms),
      pid === null ? "-" : String(pid),
      ...servers.map((server) => layout[server])
    ])
  ])

/** What stands on the screen when the cluster is ready. */
export const readyText = (
  nodes: ReadonlyArray<Status>,
  tenant: string,
  replicas: string,
  took_ms: number
): ReadonlyArray<string> => {
  const last = nodes[nodes.length - 1]?.layout.name ?? ""
  const commands = [
    [`npx v2r2-cli ${nodes.map(({ layout }) => layout.client).join(" ")} --tenant ${tenant}`, "a shell on the data"],
    [`npx v2r2-admin ${nodes[0]?.layout.admin ?? ""} status`, "how the cluster is"],
    [`npm run devrel -- kill ${last}`, "kill -9 a node; stop, start and status work alike"]
  ]
  return [
    "",
    `${nodes.length} ${nodes.length === 1 ? "node is" : "nodes are"} ready after ${(took_ms / 1000).toFixed(1)} s;`
      + ` tenant ${tenant}: ${replicas}`,
    "",
    ...table([
      ["NODE", "PID", ...servers.map((server) => server.toUpperCase())],
      ...nodes.map(({ layout, pid }) => [layout.name, String(pid ?? "-"), ...servers.map((server) => layout[server])])
    ]),
    "",
    "From another terminal:",
    ...table(commands.map(([command = "", what = ""]) => [`  ${command}`, `# ${what}`])),
    "",
    "Ctrl-C stops all nodes.",
    ""
  ]
}
