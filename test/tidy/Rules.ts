/**
 * The house rules that a machine can check. Each takes one file and answers with its complaints, in words.
 *
 * @module
 */
import type { Import, Source, Syntax } from "./Source.ts"
import { importsOf, isSyntax, lineOf, visit } from "./Source.ts"

export type Rule = (source: Source) => ReadonlyArray<string>

const file_lines_max = 400
const function_lines_max = 70
const launcher_lines_max = 30
/** The aim is 120; a sentence or a signature may run over by a word or two. */
const line_length_max = 140

/** Who may import whom: the folders of src, and single files of other folders. */
const imports_allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  base: [],
  vr: ["base"],
  store: ["base", "vr/Application.ts"],
  members: ["base"],
  tenants: ["base"],
  wire: ["base", "vr", "store", "members", "tenants"],
  storage: ["base", "vr", "store", "members", "tenants", "wire"],
  network: ["base", "vr", "store", "members", "tenants", "wire"],
  node: ["base", "vr", "store", "members", "tenants", "wire", "storage", "network"],
  client: ["base", "wire", "network", "store/Operation.ts"],
  cli: [
    "base", "wire", "client", "store/Operation.ts", "vr/Message.ts", "vr/NextGroup.ts",
    // What looks at the files of a node, without one.
    "node/DataCheckLive.ts", "node/RecoverLive.ts", "node/Recovering.ts",
    "storage/Journal.ts", "storage/LockLive.ts", "storage/LogDiskLive.ts",
    "storage/LogInspectionLive.ts", "storage/SnapshotInspectionLive.ts", "storage/log/LogDisk.ts"
  ],
  devrel: ["base", "wire", "network", "client"]
}

/** Folders that know nothing but themselves and base: no packages, no platform. */
const pure = new Set(["base", "vr", "store", "members", "tenants"])

const folderOf = (path: string): string => path.split("/")[1] ?? ""

const isLive = (path: string): boolean => /^bin\/|^src\/devrel\/|\/Tcp\w*\.ts$|\/\w*Live\.ts$/.test(path)

/** The path, from the project's root, that a relative import leads to. */
const resolve = (importer: string, from: string): string => {
  const parts = importer.split("/").slice(0, -1)
  for (const step of from.split("/")) {
    if (step === "..") parts.pop()
    else if (step !== ".") parts.push(step)
  }
  return parts.join("/")
}

const relativeComplaint = (path: string, { from }: Import): string | undefined => {
  const target = resolve(path, from)
  if (!/\.(?:ts|mjs)$/.test(from)) return `imports "${from}" without its ending`
  if (path.startsWith("bin/")) return undefined
  if (!target.startsWith("src/")) return `imports "${from}", which is outside src`
  const [own, other] = [folderOf(path), folderOf(target)]
  const allowed = imports_allowed[own]
  if (allowed === undefined) return `is in src/${own}, for which there is no import rule`
  if (own === other || allowed.includes(other) || allowed.includes(target.slice("src/".length))) return undefined
  return `imports ${target}: ${own} may import ${allowed.length === 0 ? "nothing else" : `only ${allowed.join(", ")}`}`
}

/** Pure helpers of node modules that touch neither the system nor the clock. */
const harmless: Readonly<Record<string, RegExp>> = { "node:net": /^isIP(?:v[46])?$/, "node:zlib": /^crc32$/ }

const isHarmless = ({ from, names }: Import): boolean =>
  names.length > 0 && names.every((name) => harmless[from]?.test(name) === true)

const packageComplaint = (path: string, seen: Import): string | undefined => {
  const { from } = seen
  if (from === "effect" || from === "@effect/platform-node") return `imports the barrel "${from}": import modules`
  if (isLive(path) || isHarmless(seen)) return undefined
  if (from === "node:readline" && path.startsWith("src/cli/")) return undefined
  if (from.startsWith("node:") || from.startsWith("@effect/platform-node/")) {
    return `imports "${from}": only bin, devrel and live versions (*Live.ts, Tcp*.ts) touch the platform`
  }
  return pure.has(folderOf(path)) ? `imports "${from}": ${folderOf(path)} is pure` : undefined
}

export const importRule: Rule = (source) =>
  importsOf(source).flatMap((seen) => {
    const complaintOf = seen.from.startsWith(".") ? relativeComplaint : packageComplaint
    const complaint = complaintOf(source.path, seen)
    return complaint === undefined ? [] : [`${source.path}:${seen.line} ${complaint}`]
  })

const linesOf = (text: string): number => text.replace(/\n$/, "").split("\n").length

export const fileSizes: Rule = ({ path, text }) => {
  const launcher = /^bin\/(?!setup\.mjs|launch\.mjs|bundle\.mjs)/.test(path)
  const max = launcher ? launcher_lines_max : file_lines_max
  const lines = linesOf(text)
  return lines > max ? [`${path} has ${lines} lines: at most ${max}`] : []
}

export const lineLengths: Rule = ({ path, text }) =>
  text.split("\n").flatMap((line, index) =>
    line.length <= line_length_max ? [] : [`${path}:${index + 1} has ${line.length} columns: at most ${line_length_max}`]
  )

export const functionSizes: Rule = (source) => {
  const complaints: Array<string> = []
  visit(source.tree, (node) => {
    if (!/^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return
    const lines = linesOf(source.text.slice(node.start, node.end))
    if (lines <= function_lines_max) return
    const at = `${source.path}:${lineOf(source, node.start)}`
    complaints.push(`${at} a function of ${lines} lines: at most ${function_lines_max}`)
  })
  return complaints
}

/** Files open with what they are for; the launchers of bin are too small to need it. */
export const opensWithPurpose: Rule = ({ path, text }) =>
  /^\/\*\*(?:(?!\*\/)[^])*@module\s*\*\//.test(text)
    ? []
    : [`${path} does not open with a doc comment that ends in @module`]

const called = (node: Syntax): string => {
  const [object, property] = [node["object"], node["property"]]
  const name = (part: unknown): string => isSyntax(part) && typeof part["name"] === "string" ? part["name"] : ""
  if (node.type === "MemberExpression") return `${name(object).replace(/^globalThis$/, "")}.${name(property)}`
  if (node.type === "CallExpression" || node.type === "NewExpression") return `${name(node["callee"])}(`
  return ""
}

const time_and_chance =
  /^(?:Date\.now|performance\.now|Math\.random|crypto\.\w+|(?:setTimeout|setInterval|setImmediate|Date)\()$/

/** Time and chance are inputs; nobody but the programs' own output writes to the console. */
export const noHiddenInputs: Rule = (source) => {
  const complaints: Array<string> = []
  visit(source.tree, (node) => {
    const use = called(node)
    const at = `${source.path}:${lineOf(source, node.start)} uses ${use.replace("(", "")}`
    if (use.startsWith("console.")) complaints.push(`${at}: log through Effect`)
    if (time_and_chance.test(use) && !isLive(source.path)) complaints.push(`${at}: time and chance are inputs`)
  })
  return complaints
}

export const noEscapes: Rule = ({ path, text }) =>
  text.split("\n").flatMap((line, index) => {
    const found = /\bas unknown as\b|@ts-(?:ignore|expect-error|nocheck)|\b(?:TODO|FIXME|XXX)\b/.exec(line)
    return found === null ? [] : [`${path}:${index + 1} has "${found[0]}"`]
  })

/** Beyond twice the least. */
const drawn_usually = 10

/** The numbers that an object literal gives for its keys; NaN where it is no literal. */
const numbersOf = (object: Syntax): ReadonlyMap<string, number> => {
  const properties = Array.isArray(object["properties"]) ? object["properties"].filter(isSyntax) : []
  return new Map(properties.flatMap(({ key, value }) =>
    isSyntax(key) && typeof key["name"] === "string"
      ? [[key["name"], isSyntax(value) && typeof value["value"] === "number" ? value["value"] : NaN]]
      : []))
}

/** fast-check draws some ten more than it has to, whatever `maxLength` allows, unless it is told what size is meant. */
export const sizesGiven: Rule = (source) => {
  const complaints: Array<string> = []
  visit(source.tree, (node) => {
    if (node.type !== "ObjectExpression") return
    const given = numbersOf(node)
    const least = given.get("minLength") ?? given.get("minKeys") ?? 0
    const most = given.get("maxLength") ?? given.get("maxKeys") ?? 0
    if (given.has("size") || most <= drawn_usually + 2 * least || most === least) return
    complaints.push(`${source.path}:${lineOf(source, node.start)} up to ${most} without a size: fewer are drawn`)
  })
  return complaints
}

const machine = [/(?<!\w)\/(?:home|Users)\/\w/, /(?<!\w)\/root\/\w/, /\/work\/(?:main|shared)/, /\/tmp\/\w+\//]
const registry = /\bregistry\.\w+\.(?:org|com)|\b(?:npm[m]irror|verdacci[o]|artifactor[y])\b|"re[s]olved":/i

/** Nothing of the machine that the file was written on. */
export const noMachine = (path: string, text: string): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, index) => {
    const found = [...machine, registry].map((pattern) => pattern.exec(line)?.[0]).find((hit) => hit !== undefined)
    return found === undefined ? [] : [`${path}:${index + 1} has "${found}"`]
  })
