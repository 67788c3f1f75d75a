/**
 * Starts a V2R2 program on Node 24, whatever Node runs this: from its bundle in a checkout, or from its source if that is newer;
 * from dist in a published package.
 *
 * @module
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import * as Module from "node:module"
import { constants } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const node_major_min = 24
const preloads = new Set(["--import", "--require", "-r", "--loader", "--experimental-loader"])
const here = dirname(fileURLToPath(import.meta.url))

/** Those of which bin/bundle.mjs makes one file each. */
export const programs = ["v2r2", "v2r2-admin", "v2r2-cli"]

/** Here is <name>.js, and in <name>.json that and all that it was made of, as {@link lookAt} found it. */
export const bundle_folder = join(here, "../node_modules/.cache/v2r2/bundles")

/** Nobody can set the time at which something of a file, or its place, was changed last; that of its content they can. */
export const lookAt = (path, { ctimeMs, size } = statSync(path)) => ({ path: relative(join(here, ".."), path), size, ctimeMs })

/** Whether a bundle is there, and of the sources as they are now, and of the dependencies. */
export const isFresh = (name) => {
  try {
    const files = JSON.parse(readFileSync(join(bundle_folder, `${name}.json`), "utf8"))
    return files.length > 0 && files.every(({ ctimeMs, path, size }) => {
      const now = statSync(join(here, "..", path))
      return now.ctimeMs === ctimeMs && now.size === size
    })
  } catch {
    return false
  }
}

const entryOf = (name) => {
  const source = join(here, `${name}.ts`)
  if (!existsSync(source)) return join(here, "../dist/bin", `${name}.js`)
  // Keeps what was compiled for the next start.
  Module.enableCompileCache(join(here, "../node_modules/.cache/v2r2"))
  // What is loaded first may want to share modules with the program.
  const shares = flagsOfNode().some((flag) => preloads.has(flag))
  return !shares && isFresh(name) ? join(bundle_folder, `${name}.js`) : source
}

/** The Node that npm installed beside: in this checkout, or in the project that has V2R2 as a dependency. */
const nearestNode = (folder) => {
  const node = join(folder, `node_modules/node-${process.platform}-${process.arch}/bin/node`)
  if (existsSync(node)) return node
  return dirname(folder) === folder ? undefined : nearestNode(dirname(folder))
}

/** The same launcher once more, on a Node that will do. */
const runOn = (node, flags, env) => {
  const child = spawn(node, [...process.execArgv, ...flags, ...process.argv.slice(1)], { stdio: "inherit", env })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal sends Ctrl-C to the child as well; twice would look like impatience.
    process.on(signal, () => signal === "SIGINT" && process.stdin.isTTY ? undefined : child.kill(signal))
  }
  child.on("error", (error) => {
    console.error(`v2r2: cannot start ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

const nameOf = (flag) => flag.split("=")[0].replaceAll("_", "-").replace(/^--no-/, "--")

/** By name, on the command line or in NODE_OPTIONS. */
const flagsOfNode = () => [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)].map(nameOf)

/** Those that nobody has set otherwise. */
const missing = (flags) => {
  const set = flagsOfNode()
  return flags.filter((flag) => !set.includes(nameOf(flag)))
}

/** The same process, anew: what is about the heap has no effect once that is there. Where it may not be, it runs without. */
const restart = (flags, env) => {
  try {
    process.execve(process.execPath, [process.execPath, ...process.execArgv, ...flags, ...process.argv.slice(1)], env)
  } catch { /* No permission, or no such thing on this platform. */ }
}

/**
 * Runs bin/<name>.ts, or its built form, with this process's arguments, streams and signals, these flags of Node's, and this
 * in its environment, unless it is set there already.
 */
export const launch = async (name, flags = [], settings = {}) => {
  const more = missing(flags)
  const env = { ...settings, ...process.env }
  if (Number(process.versions.node.split(".")[0]) >= node_major_min) {
    if (more.length > 0) restart(more, env)
    const entry = entryOf(name)
    process.argv[1] = entry
    await import(pathToFileURL(entry).href)
    return
  }
  const node = nearestNode(here)
  if (node !== undefined) return runOn(node, more, env)
  const found = `Node ${process.versions.node}`
  console.error(`v2r2 needs Node ${node_major_min} or newer, and this is ${found}: install it (https://nodejs.org)`)
  process.exitCode = 1
}
