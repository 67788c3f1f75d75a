/**
 * `npx v2r2-debugger FILE`: from its arguments to its exit code.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { createInterface } from "node:readline"
import { layer } from "../../../src/cli/MainLive.ts"
import { type Paint, plain } from "../../../src/cli/Output.ts"
import { Execution } from "../Execution.ts"
import { scheduleOf } from "../Schedule.ts"
import { commandWith, runningMutation } from "../mutations/Mutation.ts"
import { readSchedule } from "../ScheduleFile.ts"
import { type Arguments, parseArguments, usage_text, UsageError } from "./Arguments.ts"
import { Complaint } from "./Command.ts"
import { runLine } from "./Commands.ts"
import { pageOf } from "./html/Page.ts"
import { placeText } from "./Moving.ts"
import { Session, type Source } from "./Session.ts"
import { shell } from "./Shell.ts"

const exit = { ok: 0, failed: 1, usage: 2, notFound: 3 } as const

class NotFound extends Error {}

const sgr = (code: number) => (text: string): string => `\x1b[${code}m${text}\x1b[0m`

const paintFor = (stream: NodeJS.WriteStream): Paint =>
  stream.isTTY && (process.env["NO_COLOR"] ?? "") === ""
    ? { bold: sgr(1), dim: sgr(2), red: sgr(31), green: sgr(32), yellow: sgr(33) }
    : plain

const say = (text: string): void => {
  if (text !== "") process.stdout.write(`${text}\n`)
}

const complain = (error: unknown): void => {
  const { red } = paintFor(process.stderr)
  process.stderr.write(`${red("error:")} ${error instanceof Error ? error.message : String(error)}\n`)
}

const sourceOf = ({ file, seed }: Arguments): Source => {
  if (file === null) {
    const schedule = scheduleOf(seed!)
    return { name: `seed ${seed}`, seed: seed!, mutation: null, start: () => new Execution(schedule, { keepTrace: true }) }
  }
  if (!existsSync(file)) throw new NotFound(`there is no file ${file}`)
  const { found, mutation, schedule } = readSchedule(file)
  return {
    name: file,
    seed: found?.seed ?? schedule.seed,
    mutation,
    start: () => new Execution(schedule, { keepTrace: true })
  }
}

/** True: it went well. */
const tryLine = (session: Session, paint: Paint, line: string): "ok" | "failed" | "leave" => {
  try {
    const text = runLine({ session, paint }, line)
    if (text === null) return "leave"
    say(text)
    return "ok"
  } catch (error) {
    if (!(error instanceof Complaint)) throw error
    complain(error)
    return "failed"
  }
}

/** The first command that fails ends it, as with the other programs. */
const runAll = async (session: Session, lines: AsyncIterable<string> | Iterable<string>): Promise<number> => {
  const paint = paintFor(process.stdout)
  for await (const line of lines) {
    const came = tryLine(session, paint, line)
    if (came !== "ok") return came === "leave" ? exit.ok : exit.usage
  }
  return exit.ok
}

const writePage = (session: Session, html: string): void => {
  const page = pageOf(session.source, session.recording)
  if (html === "-") return void process.stdout.write(page)
  const out = html !== "" ? html : `${session.source.name.replace(/\.json$/, "").replaceAll(/\s+/g, "-")}.html`
  writeFileSync(out, page)
  process.stderr.write(`wrote ${out}: open it in a browser\n`)
}

const greeting = ({ recording, source }: Session, paint: Paint): string => {
  const { failure, replicas } = recording
  const verdict = failure === null
    ? paint.green("holds every rule")
    : `${paint.red(`fails at step ${failure.step}`)}: where tells why, goto violation stands there`
  return `${paint.bold(source.name)}: ${replicas.length} replicas, ${verdict}; help lists the commands`
}

const interactive = async (session: Session): Promise<number> => {
  const paint = paintFor(process.stdout)
  say(greeting(session, paint))
  say(placeText(session))
  await Effect.runPromise(
    shell(session, paint, (line) => tryLine(session, paint, line) !== "leave").pipe(Effect.provide(layer))
  )
  return exit.ok
}

const debug = async (parsed: Arguments): Promise<number> => {
  const session = Session.open(sourceOf(parsed))
  try {
    if (parsed.html !== null) writePage(session, parsed.html)
    if (parsed.commands.length > 0) return await runAll(session, parsed.commands)
    if (parsed.html !== null) return exit.ok
    if (process.stdin.isTTY) return await interactive(session)
    return await runAll(session, createInterface({ input: process.stdin }))
  } finally {
    session.close()
  }
}

/** The same once more, as a process over a core with that bug; Ctrl-C is for that one. */
const underMutation = async (mutation: string, args: ReadonlyArray<string>): Promise<number> => {
  const { args: started, command, env } = commandWith(mutation, process.argv[1]!, args)
  process.on("SIGINT", () => {})
  const child = spawn(command, started, { env, stdio: "inherit" })
  const [code, signal] = await once(child, "exit") as [number | null, NodeJS.Signals | null]
  return code ?? 128 + constants.signals[signal!]
}

/** The exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<number> => {
  // Whoever reads only the first lines of the output has seen enough.
  process.stdout.on("error", () => process.exit(exit.ok))
  try {
    const parsed = parseArguments(args)
    if (parsed.help) {
      say(usage_text)
      return exit.ok
    }
    const mutation = parsed.file === null || !existsSync(parsed.file) ? null : readSchedule(parsed.file).mutation
    if (mutation !== null && runningMutation() !== mutation) return await underMutation(mutation, args)
    return await debug(parsed)
  } catch (error) {
    complain(error)
    if (error instanceof UsageError) process.stderr.write("v2r2-debugger --help tells more\n")
    return error instanceof NotFound ? exit.notFound : exit.usage
  }
}
