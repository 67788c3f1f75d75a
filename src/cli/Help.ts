/**
 * Help for people: examples first, then the usage, then the rest.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { HelpDoc } from "effect/cli/HelpDoc"
import { Documentation } from "./Definition.ts"
import { aligned, columnWidths } from "./Format.ts"
import type { Paint } from "./Output.ts"

/** The help of a command, or of the whole program. `start` stands before a command; in a shell it is empty. */
export const helpText = (doc: HelpDoc, start: string, paint: Paint): string => {
  const path = doc.commandPath ?? []
  const documentation = Context.get(doc.annotations, Documentation)
  const prefix = prefixOf(doc, start)
  const command = path.slice(1).join(" ")
  const sections = [
    doc.description,
    ...(doc.examples === undefined ? [] : [section("EXAMPLES", examples(doc.examples, prefix, paint), paint)]),
    section("USAGE", [`  ${usageLine(doc, prefix)}`], paint),
    ...(doc.subcommands === undefined ? [] : [section("COMMANDS", commandList(doc.subcommands), paint)]),
    ...(doc.args === undefined ? [] : [section("ARGUMENTS", twoColumns(doc.args.map((arg) => [
      argumentName(arg),
      `${Option.getOrElse(arg.description, () => "")}${arg.required ? "" : " (optional)"}`
    ])), paint)]),
    ...flagSections(doc, command === "", paint),
    ...(documentation.details === "" ? [] : [wrap(documentation.details)]),
    ...(documentation.json === null ? [] : [
      section(documentation.json.lines ? "JSON, one on each line" : "JSON", shapes(documentation.json.schema), paint)
    ])
  ]
  return sections.join("\n\n")
}

type Arg = NonNullable<HelpDoc["args"]>[number]
const argumentName = (arg: Arg): string => `<${arg.name}${arg.variadic ? "..." : ""}>`

/** Without the address, if the command needs none. */
const prefixOf = (doc: HelpDoc, start: string): string =>
  start !== "" && Context.get(doc.annotations, Documentation).offline ? doc.commandPath?.[0] ?? start : start

/** `put [flags] <path> <data>` */
export const usageLine = (doc: HelpDoc, start: string): string => {
  const prefix = prefixOf(doc, start)
  const command = (doc.commandPath ?? []).slice(1)
  const args = (doc.args ?? []).map((arg) => arg.required ? argumentName(arg) : `[${argumentName(arg)}]`)
  const subcommand = doc.subcommands === undefined ? [] : ["<command>"]
  const flags = doc.flags.length > 0 ? ["[flags]"] : []
  return [...(prefix === "" ? [] : [prefix]), ...command, ...subcommand, ...flags, ...args].join(" ")
}

const section = (title: string, lines: ReadonlyArray<string>, paint: Paint): string =>
  [paint.bold(title), ...lines].join("\n")

const examples = (list: NonNullable<HelpDoc["examples"]>, prefix: string, paint: Paint): ReadonlyArray<string> =>
  list.flatMap(({ command, description }) => [
    ...(description === undefined ? [] : [paint.dim(`  # ${description}`)]),
    `  ${prefix === "" ? command : `${prefix} ${command}`}`
  ])

const twoColumns = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const widths = columnWidths(rows)
  return rows.map((row) => `  ${aligned(row, widths)}`)
}

const commandList = (groups: NonNullable<HelpDoc["subcommands"]>): ReadonlyArray<string> =>
  twoColumns(groups.flatMap(({ commands }) => commands.map(({ alias, description, name }) =>
    [alias === undefined ? name : `${name}, ${alias}`, description] as const)))

const flagSections = (doc: HelpDoc, isProgram: boolean, paint: Paint): ReadonlyArray<string> => {
  const list = (flags: HelpDoc["flags"]) =>
    twoColumns(flags.map((flag) => {
      const isSwitch = flag.type === "boolean" || flag.type.startsWith("[=")
      const names = [...flag.aliases, `--${flag.name}`].join(", ")
      return [isSwitch ? names : `${names} ${flag.type}`, Option.getOrElse(flag.description, () => "")]
    }))
  return [
    ...(doc.flags.length === 0 ? [] : [section("FLAGS", list(doc.flags), paint)]),
    ...(!isProgram || doc.globalFlags === undefined
      ? []
      : [section("FLAGS OF EVERY COMMAND", list(doc.globalFlags), paint)])
  ]
}

const line_width = 100

const wrap = (text: string): string =>
  text.split("\n").map((paragraph) => {
    const lines = [""]
    for (const word of paragraph.split(" ")) {
      const line = lines.at(-1)!
      if (line !== "" && line.length + 1 + word.length > line_width) lines.push(word)
      else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
    }
    return lines.join("\n")
  }).join("\n")

interface JsonSchema {
  readonly [key: string]: unknown
}
const isJsonSchema = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null

/** The kinds of lines that there may be, each on a line of its own. */
const shapes = (schema: Schema.Top): ReadonlyArray<string> =>
  (isUnion(schema) ? schema.members : [schema]).map((member) => `  ${shape(member)}`)

const isUnion = (schema: Schema.Top): schema is Schema.Top & { readonly members: ReadonlyArray<Schema.Top> } =>
  "members" in schema && Array.isArray(schema.members)

/** A schema as people write an example: `{"path": string, "version": integer}`. */
export const shape = (schema: Schema.Top): string => {
  const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
  const write = (node: unknown): string => {
    if (!isJsonSchema(node)) return "any"
    if (typeof node["$ref"] === "string") return write(definitions[node["$ref"].split("/").at(-1)!])
    const choices = node["anyOf"] ?? node["oneOf"]
    if (Array.isArray(choices)) return [...new Set(choices.map(write))].join(" | ")
    if (Array.isArray(node["enum"])) return node["enum"].map((value) => JSON.stringify(value)).join(" | ")
    if (node["type"] === "array") return `[${write(node["items"])}, ...]`
    if (node["type"] === "object") return writeObject(node)
    return String(node["type"])
  }
  const writeObject = (node: JsonSchema): string => {
    const { additionalProperties, properties } = node
    if (isJsonSchema(properties)) {
      return `{${Object.entries(properties).map(([name, value]) => `"${name}": ${write(value)}`).join(", ")}}`
    }
    return isJsonSchema(additionalProperties) ? `{string: ${write(additionalProperties)}, ...}` : "{...}"
  }
  return write(root)
}
