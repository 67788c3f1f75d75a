/**
 * Makes a checkout ready: `npm run devrel`, `npm test` and `npm run build` run this first. Plain JavaScript on purpose:
 * it runs, with launch.mjs, before the dependencies, and Node 24 among them, exist. When nothing is missing it says
 * nothing.
 *
 * @module
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, unlinkSync, writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { isFresh, programs } from "./launch.mjs"

const node_major_min = 24
const stamp = "node_modules/.setup-stamp"
const local_node = "node_modules/.bin/node"

const fail = (message, code = 1) => {
  console.error(`v2r2 setup: ${message}`)
  process.exit(code)
}

const read = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** Which dependencies, for which machine: a checkout may be shared by several kinds. */
const wanted = () =>
  createHash("sha256").update(read("package-lock.json")).update(`${process.platform}-${process.arch}`).digest("hex")

const alive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Two commands may start at once on a fresh clone: the second waits, instead of deleting what the first unpacks. */
const locked = (body) => {
  const folder = createHash("sha256").update(process.cwd()).digest("hex").slice(0, 16)
  const lock = join(tmpdir(), `v2r2-setup-${folder}.lock`)
  for (let waits = 0;; waits++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" })
      break
    } catch (error) {
      if (error.code !== "EEXIST") fail(`cannot write ${lock}: ${error.message}`)
    }
    if (waits === 0) console.error("waiting for another v2r2 set-up of this folder to end…")
    const holder = Number(read(lock))
    // An empty lock was made a moment ago, or by a process that died in that moment.
    if (holder === 0 ? waits > 10 : !alive(holder)) rmSync(lock, { force: true })
    else sleep(200)
  }
  try {
    body()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** npm as the user runs it, but never on the Node under node_modules, which npm is about to replace. */
const npm = (...parameters) => {
  const PATH = process.env.PATH.split(delimiter).filter((entry) => !entry.includes("node_modules")).join(delimiter)
  const { npm_execpath, npm_node_execpath } = process.env
  const known = npm_execpath !== undefined && basename(npm_execpath) === "npm-cli.js"
    && npm_node_execpath !== undefined && !npm_node_execpath.includes("node_modules")
  const [command, first] = known ? [npm_node_execpath, [npm_execpath]] : ["npm", []]
  return spawnSync(command, [...first, ...parameters], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, PATH }
  })
}

const install = () => {
  console.error("installing the dependencies and Node 24 into node_modules (npm ci)…")
  // Development and optional packages also where npm's or the user's settings leave them out.
  const result = npm("ci", "--ignore-scripts", "--include=dev", "--include=optional", "--loglevel=error")
  if (result.error !== undefined) fail(`npm did not start (${result.error.message}); install Node with npm`)
  if (result.status !== 0) fail("npm ci failed; its message is above", result.status ?? 1)
  linkNode()
  writeFileSync(stamp, wanted())
}

/** npm 10 links no `node` at all when two packages have one, be it for another machine. */
const linkNode = () => {
  const packaged = `../node-${process.platform}-${process.arch}/bin/node`
  if (!existsSync(local_node) && existsSync(join("node_modules/.bin", packaged))) symlinkSync(packaged, local_node)
  // One for another C library starts nowhere here, and would hide the one that does.
  if (existsSync(local_node) && spawnSync(local_node, ["--version"]).status !== 0) unlinkSync(local_node)
}

const needNode = () => {
  if (existsSync(local_node) || Number(process.versions.node.split(".")[0]) >= node_major_min) return
  const found = `Node ${process.versions.node} on ${process.platform}-${process.arch}`
  fail(`V2R2 needs Node ${node_major_min} or newer, and this is ${found}: install it (https://nodejs.org), then retry`)
}

/** Programs of the checkout, which are not published. */
const tools = { "v2r2-debugger": "bin/v2r2-debugger.mjs" }

/** npm links the programs of dependencies, not of the project itself: `npx v2r2` finds them here. */
const link = () => {
  for (const [name, path] of Object.entries({ ...JSON.parse(read("package.json")).bin, ...tools })) {
    const [at, target] = [join("node_modules/.bin", name), join("../..", path)]
    try {
      if (readlinkSync(at) === target) continue
    } catch { /* Not there, or no link. */ }
    rmSync(at, { force: true })
    symlinkSync(target, at)
    chmodSync(path, 0o755)
  }
}

/** `import "v2r2"` leads to dist, as in the published package; without a build that is a door to the sources. */
const door = () => {
  const index = "dist/src/client/index"
  if (existsSync(`${index}.js`)) return
  mkdirSync(dirname(index), { recursive: true })
  for (const suffix of [".js", ".d.ts"]) writeFileSync(index + suffix, `export * from "../../../src/client/index.ts"\n`)
}

/** So that programs start in less than half the time. Whatever is wrong, they start from their sources. */
const bundle = () => {
  const { status, stderr } = spawnSync(existsSync(local_node) ? local_node : process.execPath, ["bin/bundle.mjs"], {
    encoding: "utf8"
  })
  if (status !== 0) console.error(`v2r2 setup: the programs start slowly, from their sources, for want of bundles:\n${stderr}`)
}

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
if (process.platform === "win32") fail("on Windows, V2R2 runs in WSL (https://aka.ms/wsl): clone and start it there")
if (read(stamp) !== wanted()) locked(() => read(stamp) !== wanted() && install())
needNode()
link()
door()
if (!programs.every(isFresh)) locked(bundle)
