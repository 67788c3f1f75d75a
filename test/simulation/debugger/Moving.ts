/**
 * Commands that go somewhere else in the run.
 *
 * @module
 */
import { type Command, Complaint, type Context, countOf } from "./Command.ts"
import { type Kind, kinds } from "./Points.ts"
import type { Session } from "./Session.ts"
import { cut, isQuiet, lineText } from "./Words.ts"

/** Lines that a move shows of what it passed: the last ones. */
const passed_max = 12

/** `step 12 of 345 at 67.8 ms` */
export const placeText = (session: Session): string => {
  const { last, stop } = session
  const where = session.at === 0 ? "the beginning, " : stop === last ? "the end, " : ""
  return `${where}step ${stop.step} of ${last.step}, ${stop.at.toFixed(1)} ms`
}

/** What was passed on the way, and where that led. */
const moveTo = ({ paint, session }: Context, stop: number): string => {
  const left = session.at
  session.goTo(stop)
  const { failure, recording } = session
  // Back at an earlier place, what led to it.
  const from = recording.stops[left < session.at ? left : Math.max(0, session.at - 1)]!.lines
  const lines = recording.lines.slice(from, session.stop.lines).filter((line) => !isQuiet(line))
  const shown = lines.slice(-passed_max)
  const more = lines.length - shown.length
  return [
    ...(more === 0 ? [] : [paint.dim(`          … ${more} lines more: trace ${lines.length}`)]),
    ...shown.map((line) => cut(lineText(line), 400)),
    ...(failure === null ? [] : [paint.red(`VIOLATION: ${failure.message}`)]),
    paint.bold(placeText(session))
  ].join("\n")
}

const step = (direction: 1 | -1) => (context: Context, [word, ...more]: ReadonlyArray<string>): string => {
  if (more.length > 0) throw new Complaint("one number is enough")
  const { session } = context
  const target = session.at + direction * countOf(word, "how many steps to go")
  if (direction === 1 && session.stop === session.last) throw new Complaint("this is the end of the run")
  if (direction === -1 && session.at === 0) throw new Complaint("this is the beginning of the run")
  return moveTo(context, target)
}

const isKind = (word: string): word is Kind => (kinds as ReadonlyArray<string>).includes(word)

const jump = (direction: 1 | -1) => (context: Context, args: ReadonlyArray<string>): string => {
  const named = args.filter((word) => !/^\d/.test(word))
  const unknown = named.find((word) => !isKind(word))
  if (unknown !== undefined) throw new Complaint(`"${unknown}" is none of ${kinds.join(", ")}`)
  const numbers = args.filter((word) => /^\d/.test(word))
  const wanted = named.filter(isKind)
  const count = countOf(numbers[0], "how many to jump")
  const point = context.session.pointFrom(direction, count, wanted.length === 0 ? kinds : wanted)
  if (point === undefined) {
    const what = wanted.length === 0 ? "nothing important" : `no ${wanted.join(" or ")}`
    throw new Complaint(`there is ${what} ${direction === 1 ? "after" : "before"} this`)
  }
  const moved = moveTo(context, point.stop)
  return `${moved}  ${context.paint.yellow(point.text)}`
}

const targetOf = (session: Session, word: string | undefined): number => {
  const { failure, stops } = session.recording
  if (word === "start") return 0
  if (word === "end") return stops.length - 1
  if (word === "violation") {
    if (failure === null) throw new Complaint("this run holds every rule")
    return stops.length - 1
  }
  const number = /^#?(\d{1,9})$/.exec(word ?? "")
  if (number !== null) return session.stopOfStep(Number(number[1]))
  const time = /^(\d{1,9}(?:\.\d+)?)ms$/.exec(word ?? "")
  if (time !== null) return session.stopOfTime(Number(time[1]))
  throw new Complaint("say where: a step (123), a time (4500ms), start, end, or violation")
}

const kinds_help = `
Of one kind only: ${kinds.join(", ")}.
  commit     the group commits an operation that was not committed before
  view       a replica is the first to leave for a new view, or starts it as its primary
  fault      what the nemesis does to the network, the clocks, the disks; pauses
  crash      a replica crashes, or comes back
  phase      the faults end; the group serves again; it converges
  violation  a rule is broken: the end of a run that fails
`

export const movingCommands: ReadonlyArray<Command> = [
  {
    name: "step-fwd",
    aliases: ["sf", "n"],
    usage: "[n]",
    purpose: "forward by one step of a replica, or n: single messages",
    help: `  step-fwd
  sf 10

A step is one turn of one replica, with all that was in its inbox. Ticks that nothing came of are passed over; what the
nemesis does is a step, too.`,
    run: step(1)
  },
  {
    name: "step-bwd",
    aliases: ["sb"],
    usage: "[n]",
    purpose: "the same backward",
    help: "  step-bwd\n  sb 10\n\nThe run starts again and stops earlier: everything is exactly as it was then.",
    run: step(-1)
  },
  {
    name: "jump-fwd",
    aliases: ["jf"],
    usage: "[n] [kind]",
    purpose: "forward by one important point, or n: whole operations, view changes, faults",
    help: `  jump-fwd\n  jf 10\n  jf view\n  jf 3 crash\n${kinds_help}`,
    words: () => kinds,
    run: jump(1)
  },
  {
    name: "jump-bwd",
    aliases: ["jb"],
    usage: "[n] [kind]",
    purpose: "the same backward",
    help: `  jump-bwd\n  jb 2 fault\n${kinds_help}`,
    words: () => kinds,
    run: jump(-1)
  },
  {
    name: "goto",
    aliases: ["g"],
    usage: "<where>",
    purpose: "to a step, a time, the start, the end or the violation",
    help: `  goto 1200       right after step 1200
  goto 4500ms     simulated time
  goto start
  goto end
  goto violation`,
    words: ({ recording }) => ["start", "end", ...(recording.failure === null ? [] : ["violation"])],
    run: (context, [word]) => moveTo(context, targetOf(context.session, word))
  }
]
