/**
 * What a program is started from: its bundle while that is of the sources as they are, else the sources; dist in a package.
 *
 * @module
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { root } from "./Cluster.ts"

const launchers = ["launch.mjs", "bundle.mjs", "v2r2.mjs", "v2r2-admin.mjs", "v2r2-cli.mjs"]

let folder: string
const at = (path: string): string => Path.join(folder, path)

const write = (path: string, text: string): void => {
  Fs.mkdirSync(Path.dirname(at(path)), { recursive: true })
  Fs.writeFileSync(at(path), text)
}

const run = (...words: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, words, { cwd: folder, encoding: "utf8", stdio: "pipe", timeout: 15_000 }).trim()

const started = (...flags: ReadonlyArray<string>): string => run(...flags, "bin/v2r2-cli.mjs", "list")

/** A checkout with programs of three modules, one of them a dependency's. */
beforeEach(() => {
  folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-launch-"))
  for (const name of launchers) write(`bin/${name}`, Fs.readFileSync(Path.join(root, "bin", name), "utf8"))
  write("tsconfig.json", "{}")
  write("package.json", `{ "type": "module" }`)
  write("src/word.ts", `import { mark } from "@some/mark"\nexport const word: string = "one" + mark\n`)
  for (const name of ["v2r2", "v2r2-admin", "v2r2-cli"]) {
    write(`bin/${name}.ts`, `import { word } from "../src/word.ts"
      const { pathname } = new URL(import.meta.url)
      console.log(word, pathname.slice(${folder.length + 1}), process.argv.slice(2).join())`)
  }
  write("node_modules/@some/mark/package.json", `{ "name": "@some/mark", "version": "1.2.3", "type": "module", "exports": "./mark.js" }`)
  write("node_modules/@some/mark/mark.js", `export const mark = "!"`)
  write("node_modules/@some/mark/LICENSE", "Do as you like.\n")
  Fs.symlinkSync(Path.join(root, "node_modules/rolldown"), at("node_modules/rolldown"))
})
afterEach(() => {
  vi.unstubAllEnvs()
  Fs.rmSync(folder, { recursive: true, force: true })
})

const source = "bin/v2r2-cli.ts"
const bundle = "node_modules/.cache/v2r2/bundles/v2r2-cli.js"

it("a bundle is run while all that went into it is as it was, and made anew when it is not", { timeout: 60_000 }, () => {
  expect(started()).toBe(`one! ${source} list`)
  run("bin/bundle.mjs")
  expect(started()).toBe(`one! ${bundle} list`)
  write("src/word.ts", Fs.readFileSync(at("src/word.ts"), "utf8").replace("one", "two"))
  expect(started()).toBe(`two! ${source} list`)
  run("bin/bundle.mjs")
  expect(started()).toBe(`two! ${bundle} list`)
  write("node_modules/@some/mark/mark.js", `export const mark = "?"`)
  expect(started()).toBe(`two? ${source} list`)
  run("bin/bundle.mjs")
  expect(started()).toBe(`two? ${bundle} list`)
  const made = Fs.statSync(at(bundle)).mtimeMs
  Fs.writeFileSync(at(`${bundle}.123`), "what a killed bundler left")
  run("bin/bundle.mjs")
  expect(Fs.statSync(at(bundle)).mtimeMs).toBe(made)
  expect(Fs.existsSync(at(`${bundle}.123`))).toBe(false)
})

it("a change is seen whatever time the file says, and so is what npm has installed", { timeout: 60_000 }, () => {
  run("bin/bundle.mjs")
  const word = at("src/word.ts")
  const { atime, mtime } = Fs.statSync(word)
  write("src/word.ts", Fs.readFileSync(word, "utf8").replace("one", "two"))
  Fs.utimesSync(word, atime, mtime)
  expect(started()).toBe(`two! ${source} list`)
  write("src/other.ts", Fs.readFileSync(word, "utf8").replace("two", "six"))
  run("bin/bundle.mjs")
  expect(started()).toBe(`two! ${bundle} list`)
  Fs.utimesSync(at("src/other.ts"), atime, mtime)
  Fs.renameSync(at("src/other.ts"), word)
  expect(started()).toBe(`six! ${source} list`)
  write("node_modules/.package-lock.json", "{}")
  run("bin/bundle.mjs")
  expect(started()).toBe(`six! ${bundle} list`)
  write("node_modules/.package-lock.json", "{ }")
  expect(started()).toBe(`six! ${source} list`)
})

it("what one of its files may have been while it was read is not guessed", { timeout: 60_000 }, () => {
  // It begins, so it believes, before the files were written.
  write("early.mjs", "const { now } = Date\nDate.now = () => now() - 600_000")
  run("--import", "./early.mjs", "bin/bundle.mjs")
  expect(started()).toBe(`one! ${source} list`)
})

it("a list that is no list, or a file that is gone, means the source", { timeout: 60_000 }, () => {
  run("bin/bundle.mjs")
  const list = at(bundle.replace(/js$/, "json"))
  const text = Fs.readFileSync(list, "utf8")
  for (const broken of ["", "{}", "[]", "null", text.slice(0, 99), text.replace("src/word.ts", "src/gone.ts")]) {
    Fs.writeFileSync(list, broken)
    expect(started()).toBe(`one! ${source} list`)
  }
  Fs.writeFileSync(list, text)
  expect(started()).toBe(`one! ${bundle} list`)
  // Another one, such as a second bundler may have left, or none.
  Fs.appendFileSync(at(bundle), " ")
  expect(started()).toBe(`one! ${source} list`)
  Fs.rmSync(at(bundle))
  expect(started()).toBe(`one! ${source} list`)
})

it("a module that is loaded before the program shares its modules", { timeout: 60_000 }, () => {
  run("bin/bundle.mjs")
  write("before.mjs", "")
  expect(started("--import", "./before.mjs")).toBe(`one! ${source} list`)
  expect(started("--import=./before.mjs")).toBe(`one! ${source} list`)
  expect(started("-r", "./before.mjs")).toBe(`one! ${source} list`)
  vi.stubEnv("NODE_OPTIONS", "--import=./before.mjs")
  expect(started()).toBe(`one! ${source} list`)
})

it("a package has its programs in dist, each in one file, and says whose work is in them", { timeout: 60_000 }, () => {
  run("bin/bundle.mjs", "dist/bin")
  expect(Fs.readFileSync(at("dist/bin/LICENSES.txt"), "utf8")).toBe("@some/mark 1.2.3\n\nDo as you like.\n")
  for (const path of Fs.readdirSync(at("bin"))) if (path.endsWith(".ts")) Fs.rmSync(at(`bin/${path}`))
  for (const path of ["src", "node_modules"]) Fs.rmSync(at(path), { recursive: true })
  expect(started()).toBe("one! dist/bin/v2r2-cli.js list")
  for (const name of ["v2r2", "v2r2-admin"]) expect(run(`bin/${name}.mjs`)).toBe(`one! dist/bin/${name}.js`)
})
