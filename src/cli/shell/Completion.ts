/**
 * What the tab key offers, worked out from the same commands that run. Pure: names that only the cluster knows come in.
 *
 * @module
 */
import type { Command } from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import { type Open, quoteWithin, scan } from "../Words.ts"

/** Something that could stand at the cursor. `final`: nothing can follow in the same word. */
export interface Candidate {
  readonly text: string
  readonly final: boolean
}

/** What could stand at the cursor: one of these words, or what a source (`path`, `tenant`, `key`, …) knows. */
export type Wanted =
  | { readonly _tag: "Words"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "Source"; readonly source: string }

/** The word at the cursor, as far as it has been typed. */
export interface Current {
  readonly text: string
  readonly start: number
  readonly open: Open
}

/** A command with all that completion has to know of it. */
export interface Node {
  readonly name: string
  readonly alias: string | undefined
  readonly flags: ReadonlyArray<Completions.FlagDescriptor>
  readonly args: ReadonlyArray<Completions.ArgumentDescriptor>
  readonly children: ReadonlyArray<Node>
}

/** The tree of commands. `global` are the flags of every command. */
export const nodeOf = (command: Command.Any): Node => join(command, Completions.fromCommand(command))

const join = (command: Command.Any, descriptor: Completions.CommandDescriptor): Node => ({
  name: command.name,
  alias: command.alias,
  flags: descriptor.flags,
  args: descriptor.arguments,
  children: command.subcommands.flatMap((group) =>
    group.commands.flatMap((child) => {
      const found = descriptor.subcommands.find(({ name }) => name === child.name)
      return found === undefined ? [] : [join(child, found)]
    }))
})

/** Finds the word at the end of `line`, and what could complete it. */
export const analyse = (line: string, tree: Node, globals: ReadonlyArray<string>): {
  readonly current: Current
  readonly wanted: Wanted
} => {
  const { open, words } = scan(line)
  const last = open === "none" ? undefined : words.at(-1)
  const current = { text: last?.text ?? "", start: last?.start ?? line.length, open }
  const before = (last === undefined ? words : words.slice(0, -1)).map((word) => word.text)
  return { current, wanted: wantedAfter(before, current.text, tree, globals) }
}

const valued_globals = new Set(["--tenant", "--timeout"])

const wantedAfter = (
  before: ReadonlyArray<string>,
  text: string,
  tree: Node,
  globals: ReadonlyArray<string>
): Wanted => {
  let node = tree
  let positional = 0
  for (let i = 0; i < before.length; i++) {
    const word = before[i]!
    if (word.startsWith("-")) {
      const flag = node.flags.find(({ aliases, name }) =>
        word === `--${name}` || aliases.some((alias) => word === `-${alias}`))
      const valued = valued_globals.has(word) || (flag !== undefined && flag.type._tag !== "Boolean")
      if (valued && i === before.length - 1) return valueOf(word, flag)
      if (valued) i++
      continue
    }
    const child = positional === 0 ? childOf(node, word) : undefined
    if (child === undefined) positional++
    else node = child
    if (node.name === "help" && child === undefined) return helpTopics(before.slice(i), tree)
  }
  if (text.startsWith("-")) return { _tag: "Words", words: [...node.flags.map(({ name }) => `--${name}`), ...globals] }
  if (node.name === "help") return helpTopics([], tree)
  if (positional === 0 && node.children.length > 0) {
    return { _tag: "Words", words: node.children.map(({ name }) => name) }
  }
  return argumentOf(node, positional, text)
}

const childOf = (node: Node, word: string): Node | undefined =>
  node.children.find(({ alias, name }) => name === word || alias === word)

const valueOf = (word: string, flag: Completions.FlagDescriptor | undefined): Wanted =>
  flag?.type._tag === "Choice"
    ? { _tag: "Words", words: flag.type.values }
    : { _tag: "Source", source: word.replace(/^-+/, "") }

const helpTopics = (path: ReadonlyArray<string>, tree: Node): Wanted => {
  let node: Node | undefined = tree
  for (const word of path) node = node === undefined ? undefined : childOf(node, word)
  return { _tag: "Words", words: (node?.children ?? []).map(({ name }) => name) }
}

const argumentOf = (node: Node, positional: number, text: string): Wanted => {
  // An optional argument before the path may have been left out.
  if (text.startsWith("/") && node.args.some(({ name }) => name === "path")) return { _tag: "Source", source: "path" }
  const arg = node.args[positional]
  if (arg === undefined) return { _tag: "Words", words: [] }
  return arg.type._tag === "Choice" ? { _tag: "Words", words: arg.type.values } : { _tag: "Source", source: arg.name }
}

/** What readline wants: the texts that may replace `replaced`, the end of the line. */
export interface Completion {
  readonly hits: ReadonlyArray<string>
  readonly replaced: string
}

/** Those candidates that begin as the user began, quoted as the user quotes. */
export const complete = (line: string, current: Current, candidates: ReadonlyArray<Candidate>): Completion => {
  const replaced = line.slice(current.start)
  const fitting = candidates.filter(({ text }) => text.startsWith(current.text))
  const quote = (current.open === "'" || current.open === "\"") && replaced.startsWith(current.open) ? current.open : ""
  const hits = fitting.map(({ final, text }) => {
    const written = `${quote}${quoteWithin(text, quote === "" ? "word" : current.open)}`
    return final && fitting.length === 1 ? `${written}${quote} ` : written
  })
  return { hits, replaced }
}

/** Words that stand for themselves. */
export const wordCandidates = (words: ReadonlyArray<string>): ReadonlyArray<Candidate> =>
  words.map((text) => ({ text, final: true }))
