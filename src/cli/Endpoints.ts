/**
 * The addresses at the start of a command line: `v2r2-cli h1:p1,h2:p2 h3:p3 --tenant dev get /a`.
 *
 * Effect's parser wants the name of a command as the first word, so the addresses are taken out before it sees the rest.
 *
 * @module
 */
import { addressProblem } from "../base/Address.ts"

/** What is left of the arguments without the addresses; or `problem`, when one of them is wrong. */
export interface Taken {
  readonly endpoints: ReadonlyArray<string>
  readonly rest: ReadonlyArray<string>
  readonly problem: string | null
}

/** Has the form of addresses, be they right or wrong: no command, path or tenant looks so. */
const looksLikeEndpoints = /^[^\s/=@]+:[0-9]+(,[^\s/=@]*)*$/

/**
 * Takes the leading addresses. Flags may stand among them; `valued` are the flags (`--tenant`, `-e`) whose next argument
 * is their value. The first other word is the command: nothing behind it is touched.
 */
export const takeEndpoints = (args: ReadonlyArray<string>, valued: ReadonlySet<string>): Taken => {
  const endpoints: Array<string> = []
  const rest: Array<string> = []
  let i = 0
  for (; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--" || arg === "-") break
    if (arg.startsWith("-")) {
      rest.push(arg)
      if (valued.has(arg) && i + 1 < args.length) rest.push(args[++i]!)
    } else if (looksLikeEndpoints.test(arg)) {
      endpoints.push(...arg.split(","))
    } else {
      break
    }
  }
  rest.push(...args.slice(i))
  const problems = endpoints.map((endpoint) => addressProblem(endpoint)).filter((problem) => problem !== null)
  return { endpoints: [...new Set(endpoints)], rest, problem: problems[0] ?? null }
}
