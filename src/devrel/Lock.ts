/**
 * One devrel to a folder: a file with the process ids of devrel and of its nodes.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Trouble } from "./Trouble.ts"

/** What the file says. */
interface Holder {
  readonly pid: number
  /** Node name → process id. */
  readonly nodes: Readonly<Record<string, number>>
}

export interface Lock {
  /** Keeps the list of running nodes, for the case that devrel itself is killed. */
  readonly record: (nodes: Readonly<Record<string, number>>) => void
}

const read = (path: string): Holder | undefined => {
  try {
    const holder: Partial<Holder> = JSON.parse(Fs.readFileSync(path, "utf8"))
    return typeof holder.pid === "number" ? { pid: holder.pid, nodes: holder.nodes ?? {} } : undefined
  } catch {
    return undefined
  }
}

const write = (path: string, holder: Holder): void => {
  Fs.writeFileSync(`${path}.new`, JSON.stringify(holder))
  Fs.renameSync(`${path}.new`, path)
}

/** The command line of a live process; process ids are given out again, so a bare id proves nothing. */
const commandOf = (pid: number): string => {
  try {
    if (Fs.existsSync("/proc/self")) return Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
  } catch {
    return ""
  }
}

/** Refuses if a devrel runs here, or if nodes have outlived one that was killed. */
const check = (folder: string, path: string): void => {
  const holder = read(path)
  if (holder === undefined) return
  if (holder.pid !== process.pid && commandOf(holder.pid).includes("devrel")) {
    throw new Trouble({
      exit: "conflict",
      message: `a devrel is already running here (pid ${holder.pid})`,
      hint: "see it: npm run devrel -- status   stop it: Ctrl-C in its terminal"
    })
  }
  const orphans = Object.entries(holder.nodes).filter(([name, pid]) => commandOf(pid).includes(Path.join(folder, name)))
  if (orphans.length === 0) return
  const named = orphans.map(([name, pid]) => `${name} (pid ${pid})`).join(", ")
  throw new Trouble({
    exit: "conflict",
    message: `nodes have outlived a devrel that was killed: ${named}`,
    hint: `end them: kill ${orphans.map(([, pid]) => pid).join(" ")}`
  })
}

const take = (folder: string): string => {
  const path = Path.join(folder, "devrel.json")
  Fs.mkdirSync(folder, { recursive: true })
  check(folder, path)
  if (Fs.existsSync(path)) Fs.rmSync(path)
  // Exclusive: of two that start at once, one gets here first.
  Fs.writeFileSync(path, JSON.stringify({ pid: process.pid, nodes: {} }), { flag: "wx" })
  return path
}

/** Held until the Scope ends. */
export const acquire = (folder: string): Effect.Effect<Lock, Trouble, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => take(folder),
      catch: (cause) =>
        cause instanceof Trouble
          ? cause
          : new Trouble({ exit: "failed", message: `cannot take ${folder}: ${String(cause)}` })
    }),
    (path) => Effect.sync(() => Fs.rmSync(path, { force: true }))
  ).pipe(Effect.map((path): Lock => ({ record: (nodes) => write(path, { pid: process.pid, nodes }) })))
