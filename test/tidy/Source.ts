/**
 * The project's files as the tidy rules see them: their text, and for code the syntax tree.
 *
 * @module
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAst } from "vitest/node"

/** A node of the syntax tree (ESTree); the rules look at a few kinds and walk through the rest. */
export interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface Source {
  /** From the project's root, with slashes. */
  readonly path: string
  readonly text: string
  readonly tree: Syntax
}

const root = fileURLToPath(new URL("../..", import.meta.url))
const not_ours = new Set(["node_modules", "dist", "dev", ".git"])

export const read = (path: string): string => readFileSync(join(root, path), "utf8")

export const parse = (path: string, text: string): Source => {
  const tree: unknown = parseAst(text, { lang: path.endsWith(".ts") ? "ts" : "js" }, path)
  if (!isSyntax(tree)) throw new Error(`${path} has no syntax tree`)
  return { path, text, tree }
}

const walk = (folder: string): Array<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return not_ours.has(entry.name) ? [] : walk(path)
    return entry.isFile() ? [path] : []
  }).sort()

/** The files under a folder, new ones included. */
export const under = (folder: string, endings: ReadonlyArray<string>): ReadonlyArray<string> =>
  walk(folder).filter((path) => endings.some((ending) => path.endsWith(ending)))

/** What git tracks: a user may have other files beside them. Without git (an unpacked archive): all files. */
export const tracked = (): ReadonlyArray<string> => {
  try {
    const listed = execFileSync("git", ["ls-files", "-z"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
    // A file that was just deleted is still listed.
    const there = new Set(walk(""))
    return listed.split("\0").filter((path) => there.has(path))
  } catch {
    return walk("")
  }
}

export const lineOf = (source: Source, offset: number): number => source.text.slice(0, offset).split("\n").length

/** Visits every node of a tree, parents first. */
export const visit = (node: Syntax, see: (node: Syntax) => void): void => {
  see(node)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isSyntax(child)) visit(child, see)
  }
}

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

export interface Import {
  readonly from: string
  /** The imported names; empty for `import * as`, `export *` and `import()`. */
  readonly names: ReadonlyArray<string>
  readonly line: number
}

const text = (value: unknown): string => isSyntax(value) && typeof value["value"] === "string" ? value["value"] : ""

const nameOf = (specifier: Syntax): string => {
  const imported = specifier["imported"]
  return isSyntax(imported) && typeof imported["name"] === "string" ? imported["name"] : ""
}

/** Every import, re-export and `import()` of a file, types included. */
export const importsOf = (source: Source): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  visit(source.tree, (node) => {
    const from = text(node["source"])
    if (from === "" || !/^(?:Import|Export)/.test(node.type)) return
    const specifiers = Array.isArray(node["specifiers"]) ? node["specifiers"].filter(isSyntax) : []
    found.push({ from, names: specifiers.map(nameOf).filter((name) => name !== ""), line: lineOf(source, node.start) })
  })
  return found
}
