/**
 * Puts each program into one file, which starts in less than half the time: to find and link some 300 modules is most of it.
 *
 *   node bin/bundle.mjs           for this checkout (bin/setup.mjs does it when it is due; bin/launch.mjs runs them)
 *   node bin/bundle.mjs FOLDER    for a package, with the licences of all that is in them
 *
 * @module
 */
import {
  closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "rolldown"
import { bundle_folder, isFresh, lookAt, programs } from "./launch.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** The last one npm writes with whatever it installs. */
const beside = ["bin/bundle.mjs", "tsconfig.json", "node_modules/.package-lock.json"]
/** A file system's clock may be behind this one by a tick. */
const clock_tick_ms = 20

const bundle = async (name) => {
  // All that was read, also that of which only a constant is left, or nothing.
  let read = []
  const { output: [{ code }] } = await build({
    cwd: root,
    input: join(root, `bin/${name}.ts`),
    platform: "node",
    logLevel: "warn",
    plugins: [{ name: "inputs", buildEnd() { read = [...this.getModuleIds()] } }],
    output: { format: "esm", codeSplitting: false, comments: { annotation: false, jsdoc: false, legal: true } },
    write: false
  })
  // Others are the bundler's own, and no files.
  return { code, modules: read.filter((id) => id.startsWith("/")) }
}

/** Whole or not at all, also for one who starts it in this moment. Returns what {@link lookAt} finds there, if nobody else wrote it. */
const write = (path, text) => {
  const part = `${path}.${process.pid}`
  writeFileSync(part, text)
  const file = openSync(part)
  try {
    renameSync(part, path)
    return lookAt(path, fstatSync(file))
  } finally {
    closeSync(file)
  }
}

/** The bundle, and then what went into it, unless some of that has changed since `begin_ms`: nobody knows then what was read. */
const keep = async (name) => {
  const begin_ms = Date.now() - clock_tick_ms
  const { code, modules } = await bundle(name)
  const inputs = [...modules, ...beside.map((path) => join(root, path)).filter(existsSync)].map((path) => lookAt(path))
  const list = join(bundle_folder, `${name}.json`)
  rmSync(list, { force: true })
  if (inputs.some(({ ctimeMs }) => ctimeMs >= begin_ms)) return
  write(list, JSON.stringify([write(join(bundle_folder, `${name}.js`), code), ...inputs]))
}

/** node_modules/effect of /…/node_modules/effect/dist/Effect.js, also of a package with a scope. */
const packageOf = (module) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(module)?.[0]

const licencesOf = (modules) => {
  const folders = new Set(modules.map(packageOf).filter((folder) => folder !== undefined))
  return [...folders].toSorted((a, b) => a < b ? -1 : 1).map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
    return `${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`
  }).join(`\n${"-".repeat(80)}\n\n`)
}

const publish = async (folder) => {
  mkdirSync(folder, { recursive: true })
  const bundles = await Promise.all(programs.map(bundle))
  for (const [i, { code }] of bundles.entries()) write(join(folder, `${programs[i]}.js`), code)
  write(join(folder, "LICENSES.txt"), licencesOf(bundles.flatMap(({ modules }) => modules)))
}

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  mkdirSync(bundle_folder, { recursive: true })
  // What one that was killed has left.
  for (const file of readdirSync(bundle_folder)) if (/\.\d+$/.test(file)) rmSync(join(bundle_folder, file), { force: true })
  await Promise.all(programs.filter((name) => !isFresh(name)).map(keep))
} else await publish(folder)
