/**
 * The debugger's commands: names, aliases, arguments, help, what the tab key offers, and what they do.
 *
 * @module
 */
import { nearest } from "../../../src/base/Suggest.ts"
import type { Paint } from "../../../src/cli/Output.ts"
import { type Command, Complaint, type Context } from "./Command.ts"
import { lookingCommands } from "./Looking.ts"
import { movingCommands } from "./Moving.ts"
import { printingCommands } from "./Printing.ts"
import type { Session } from "./Session.ts"

const quit: Command = {
  name: "quit",
  aliases: ["q", "exit"],
  usage: "",
  purpose: "leave (so does Ctrl-D)",
  help: "",
  run: () => null
}

const help: Command = {
  name: "help",
  aliases: ["h", "?"],
  usage: "[command]",
  purpose: "this list, or more about one command",
  help: "  help jump-fwd\n",
  words: () => commands.map(({ name }) => name),
  run: ({ paint }, [name]) => name === undefined ? overview(paint) : helpOn(commandOf(name), paint)
}

export const commands: ReadonlyArray<Command> = [...movingCommands, ...printingCommands, ...lookingCommands, help, quit]

const overview = (paint: Paint): string => {
  const rows = commands.map(({ aliases, name, purpose, usage }) =>
    [`${name} ${usage}`.trimEnd(), aliases.join(", "), purpose] as const)
  const [wide, wider] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return [
    ...rows.map(([call, aliases, purpose]) =>
      `  ${paint.bold(call.padEnd(wide!))}  ${aliases.padEnd(wider!)}  ${purpose}`),
    "",
    "Enter alone repeats the last command. Any beginning of a command that no other has will do."
  ].join("\n")
}

const helpOn = ({ aliases, help: text, name, purpose, usage }: Command, paint: Paint): string =>
  [
    `${paint.bold(`${name} ${usage}`.trimEnd())}${aliases.length === 0 ? "" : `   (${aliases.join(", ")})`}`,
    `  ${purpose}`,
    ...(text === "" ? [] : ["", text.trimEnd()])
  ].join("\n")

/** By its name, an alias, or a beginning that no other command has. */
export const commandOf = (word: string): Command => {
  const exact = commands.find(({ aliases, name }) => name === word || aliases.includes(word))
  if (exact !== undefined) return exact
  const begun = commands.filter(({ name }) => name.startsWith(word))
  if (begun.length === 1) return begun[0]!
  if (begun.length > 1) throw new Complaint(`"${word}" could be ${begun.map(({ name }) => name).join(" or ")}`)
  const near = nearest(word, commands.map(({ name }) => name))
  const hint = near === undefined ? "; help lists all" : `: did you mean ${near}?`
  throw new Complaint(`there is no command "${word}"${hint}`)
}

/** One line as it was typed. A blank line or a comment says nothing. Throws a Complaint. */
export const runLine = (context: Context, line: string): string | null => {
  const [word, ...args] = line.trim().split(/\s+/)
  return word === undefined || word === "" || word.startsWith("#") ? "" : commandOf(word).run(context, args)
}

/** What the tab key offers at the end of `line`, and what of it is replaced. */
export const complete = (session: Session, line: string): {
  readonly hits: ReadonlyArray<string>
  readonly replaced: string
} => {
  const words = line.trimStart().split(/\s+/)
  const replaced = words.at(-1)!
  const offered = (): ReadonlyArray<string> => {
    if (words.length === 1) return commands.map(({ name }) => name)
    try {
      return commandOf(words[0]!).words?.(session) ?? []
    } catch {
      return []
    }
  }
  return { hits: offered().filter((word) => word.startsWith(replaced)).map((word) => `${word} `), replaced }
}
