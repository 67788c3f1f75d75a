/**
 * The command line of the debugger.
 *
 * @module
 */

export interface Arguments {
  /** A saved schedule; null: the run of `seed`. */
  readonly file: string | null
  readonly seed: number | null
  /** Commands to run instead of asking for some. */
  readonly commands: ReadonlyArray<string>
  /** Where to write the page: a file, `-` for standard output, `""` for a file named like the run; null: no page. */
  readonly html: string | null
  readonly help: boolean
}

export const usage_text = `v2r2-debugger FILE                 loads a saved schedule and asks for commands
v2r2-debugger FILE -c 'jf view; p'  runs these commands, then leaves (-c may be repeated)
v2r2-debugger FILE < script         the same with the lines of the standard input
v2r2-debugger FILE --html [OUT]     writes the run as one page; OUT ends in .html, or is - (else: --html=OUT)
v2r2-debugger --seed N …            the run of a seed instead of a file

A failing run of the simulation saves its schedule and says where. In the debugger, help lists the commands.
Exit codes: 0 ok, 2 wrong usage or no schedule, 3 no such file. Colours: not if NO_COLOR is set.`

export class UsageError extends Error {
  override readonly name = "UsageError"
}

interface Drafted {
  words: Array<string>
  seed: number | null
  commands: Array<string>
  html: string | null
  help: boolean
}

const splitCommands = (text: string): ReadonlyArray<string> =>
  text.split(/[;\n]/).map((part) => part.trim()).filter((part) => part !== "")

const isOut = (word: string | undefined): boolean => word !== undefined && (word === "-" || /\.html?$/i.test(word))

const seedOf = (word: string | undefined): number => {
  if (word === undefined || !/^\d{1,15}$/.test(word)) throw new UsageError(`--seed wants a number, not "${word ?? ""}"`)
  return Number(word)
}

const valueAfter = (args: Array<string>, flag: string): string => {
  const value = args.shift()
  if (value === undefined) throw new UsageError(`${flag} wants a value`)
  return value
}

const take = (args: Array<string>, drafted: Drafted): void => {
  const word = args.shift()!
  const [flag, attached] = /^(--[a-z-]+)=([^]*)$/.exec(word)?.slice(1) ?? [word, undefined]
  switch (flag) {
    case "-h":
    case "--help":
      drafted.help = true
      break
    case "-c":
    case "--command":
      drafted.commands.push(...splitCommands(attached ?? valueAfter(args, flag)))
      break
    case "--seed":
      drafted.seed = seedOf(attached ?? args.shift())
      break
    case "--html":
      drafted.html = attached ?? (isOut(args[0]) ? args.shift()! : "")
      break
    default:
      if (word.startsWith("-") && word !== "-") throw new UsageError(`there is no option ${word}`)
      drafted.words.push(word)
  }
}

/** Throws a UsageError. */
export const parseArguments = (args: ReadonlyArray<string>): Arguments => {
  const drafted: Drafted = { words: [], seed: null, commands: [], html: null, help: false }
  const rest = [...args]
  while (rest.length > 0) take(rest, drafted)
  const { commands, help, html, seed, words } = drafted
  const [file = null, second] = words
  if (second !== undefined) throw new UsageError(`one file is enough, "${second}" is another`)
  if (!help && (file === null) === (seed === null)) {
    throw new UsageError(file === null ? "which run? Name the file of a saved schedule" : "a file or a seed, not both")
  }
  return { file, seed, commands, html, help }
}
