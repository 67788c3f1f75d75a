/**
 * Every command on one small run: facts of what it says, not whole screens.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { complete, commandOf, commands } from "./Commands.ts"
import { broken_rule, say, withSession } from "./Fixture.ts"
import type { Session } from "./Session.ts"
import { placeOf } from "./Where.ts"

/** `step 12 of …` in what a move says. */
const stepIn = (text: string): number => Number(/step (\d+) of /.exec(text)![1])

/** One session for what only looks at a run; each test goes where it wants first. */
const looking = (name: string, body: (session: Session) => void): void => it(name, () => withSession(undefined, body))
const atFailure = (name: string, body: (session: Session) => void): void => it(name, () => withSession(300, body))

describe("moves", () => {
  looking("step-fwd shows the steps that it makes, step-bwd the one that it comes back to", (session) => {
    const first = say(session, "step-fwd 3")
    assert.strictEqual(session.at, 3)
    assert.match(first, /#\d+ R\d \[/)
    const there = say(session, "sf")
    assert.strictEqual(session.at, 4)
    say(session, "sf 5")
    assert.strictEqual(say(session, "step-bwd 5"), there)
    assert.strictEqual(session.at, 4)
  })

  looking("jump-fwd goes to what is important, also of one kind", (session) => {
    assert.match(say(session, "jump-fwd crash"), /R\d crashes$/)
    const crashed = session.at
    assert.match(say(session, "jf crash"), /R\d restarts$/)
    assert.match(say(session, "jb crash"), /R\d crashes$/)
    assert.strictEqual(session.at, crashed)
    say(session, "goto start")
    const [one, two] = [stepIn(say(session, "jf commit")), stepIn(say(session, "jf commit"))]
    say(session, "goto start")
    assert.strictEqual(stepIn(say(session, "jf 2 commit")), two)
    assert.isBelow(one, two)
  })

  looking("jump-bwd undoes jump-fwd", (session) => {
    const places = [0, 1, 2, 3].map(() => {
      say(session, "jf")
      return session.at
    })
    say(session, "jb")
    assert.strictEqual(session.at, places[2])
    say(session, "jb 2")
    assert.strictEqual(session.at, places[0])
  })

  looking("goto takes a step, a time, and the ends", (session) => {
    assert.strictEqual(stepIn(say(session, "goto 200")), session.stop.step)
    assert.isAtLeast(session.sim.steps, 200)
    say(session, "g 1000ms")
    assert.isAtLeast(session.sim.events.now, 1_000)
    assert.isBelow(session.sim.events.now, 1_100)
    assert.match(say(session, "goto end"), /the end, step/)
    assert.match(say(session, "goto start"), /the beginning, step 0 of/)
  })

  looking("the ends of the run are said", (session) => {
    assert.strictEqual(say(session, "sb"), "error: this is the beginning of the run")
    assert.match(say(session, "jb"), /^error: there is nothing important before this/)
    say(session, "goto end")
    assert.strictEqual(say(session, "sf"), "error: this is the end of the run")
    assert.strictEqual(say(session, "jf violation"), "error: there is no violation after this")
  })

  atFailure("a move into the violation says so", (session) => {
    assert.match(say(session, "jf violation"), new RegExp(`VIOLATION: R\\d: ${broken_rule}`))
    assert.strictEqual(session.failure?.step, 300)
    say(session, "sb")
    assert.strictEqual(session.failure, null)
    assert.match(say(session, "sf"), /VIOLATION/)
  })
})

/** Is it so at one of a hundred places from here? */
const soon = (from: number, isSo: (at: number) => boolean): boolean => {
  for (let at = from; at < from + 100; at++) if (isSo(at)) return true
  return false
}

describe("print", () => {
  looking("replicas: a line each, with the primary marked", (session) => {
    say(session, "goto 300ms")
    const [head, ...rows] = say(session, "print replicas").split("\n")
    assert.match(head!, /STATE +VIEW\/NORMAL +COMMIT +OP +DURABLE/)
    assert.deepEqual(rows.map((row) => row.trim().split(/ +/)[0]), ["R0", "R1", "R2"])
    assert.match(rows.find((row) => row.includes("← primary"))!, new RegExp(`${session.sim.primary} +Primary`))
  })

  looking("replicas: who is down, and what it has promised", (session) => {
    const down = /(R\d) crashes$/.exec(say(session, "jf crash"))![1]
    assert.match(say(session, "p"), new RegExp(`${down} +down +\\d+/\\d+ +has promised`))
  })

  looking("<replica>: state, log, client table, data, what is durable", (session) => {
    say(session, "goto end")
    const primary = session.sim.primary!
    const { commit, log, state, view } = session.sim.replica(primary).replica
    const text = say(session, `print ${primary.toLowerCase()}`)
    assert.include(text, `${primary} ${state._tag}, the primary`)
    for (const [name, value] of [["view", view], ["logView", view], ["commit", commit], ["op", log.op]]) {
      assert.match(text, new RegExp(`\\n  ${name} +${value}\\n`))
    }
    for (const name of ["acked", "heardAt", "waiting", "client table", "durable", "clock"]) assert.include(text, name)
    assert.match(text, new RegExp(`log +the last 8 of ${log.op}\n`))
    assert.match(text, new RegExp(`op ${log.op} +view \\d+`))
    assert.match(text, /\/a .*version \d+/)
    assert.include(say(session, `p ${primary} 500`), "  op 1 ")
  })

  looking("<replica>: what is in its inbox while it stands still, and what is on the way", (session) => {
    const { stop, text } = session.recording.points.find((point) => point.text.endsWith("stands still"))!
    const look = (step: number): string => {
      session.goTo(step)
      return say(session, `p ${text.slice(0, 2)}`)
    }
    assert.isTrue(soon(stop, (step) => /inbox [1-9]\d* /.test(look(step))))
  })

  looking("messages: what is under way, and when it arrives", (session) => {
    const look = (ms: number): string => {
      say(session, `goto ${ms}ms`)
      return say(session, "print messages 100")
    }
    assert.isTrue(soon(300, (ms) => /arrives by step/.test(look(ms))))
    const text = say(session, "print messages 100")
    const [, step] = /arrives by step (\d+)/.exec(text)!
    assert.isAbove(Number(step), session.sim.steps)
    assert.match(text, /R\d → R\d +\w+⟨.*of step \d+/)
  })
})

describe("diff", () => {
  looking("<replica>: what its last step changed", (session) => {
    say(session, "jf commit")
    const primary = session.sim.primary!
    const { commit } = session.sim.replica(primary).replica
    const text = say(session, `diff ${primary}`)
    assert.include(text, `${primary} in its last step, which was just made`)
    assert.match(text, new RegExp(`commit +0 → ${commit}`))
    assert.notMatch(text, /\n +view /)
  })

  looking("<replica> <step>: what changed since then; alone: what the last move changed", (session) => {
    say(session, "goto 1500ms")
    const { op, replica: { log } } = session.sim.replica("R1")
    assert.match(say(session, "diff R1 1"), new RegExp(`op +0 → ${op}`))
    assert.strictEqual(log.op, op)
    const everywhere = say(session, "d")
    for (const id of ["R0", "R1", "R2"]) assert.include(everywhere, `${id} between step 0 and`)
  })

  looking("complains before anything has moved", (session) => {
    assert.match(say(session, "diff"), /^error: nothing has moved yet/)
    assert.match(say(session, "diff R9"), /^error: there is no replica "R9": there are R0, R1, R2/)
  })
})

describe("looking at the run", () => {
  looking("status: seed, place, phase, primary, verdict", (session) => {
    say(session, "goto 300ms")
    const text = say(session, "s")
    assert.match(text, /seed +7\n/)
    assert.match(text, /phase +faults\n/)
    assert.match(text, new RegExp(`primary +${session.sim.primary} of view 0`))
    assert.match(text, /cuts +none/)
    assert.match(text, /weather +\{ loss: 0\.05/)
    assert.match(text, /verdict +holds every rule/)
  })

  atFailure("status: how far the violation is", (session) => {
    assert.match(say(session, "status"), /VIOLATION in 300 steps, at step 300/)
    say(session, "goto violation")
    assert.match(say(session, "status"), /VIOLATION here/)
  })

  atFailure("where: the rule, the step, the replica, the checker, and what led to it", (session) => {
    const text = say(session, "where")
    const { failure } = session.recording
    assert.include(text, `VIOLATION by ${failure!.replica} at step 300`)
    assert.include(text, "<b>this</b> & that")
    assert.match(text, /checked in +test\/simulation\/checkers\/ViewStarts\.ts:\d+/)
    assert.match(text, new RegExp(`#300 ${failure!.replica} \\[`))
    for (const id of ["R0", "R1", "R2"]) assert.match(text, new RegExp(`\n  ${id}  .*view \\d+ commit \\d+ op \\d+`))
  })

  looking("where: nothing to explain", (session) => {
    assert.match(say(session, "w"), /^error: this run holds every rule/)
  })

  looking("trace: the last lines up to here", (session) => {
    assert.strictEqual(say(session, "trace"), "nothing has happened yet")
    say(session, "sf 30")
    const lines = say(session, "t 5").split("\n")
    assert.strictEqual(lines.length, 5)
    assert.include(lines.at(-1)!, `#${session.sim.steps} `)
  })

  looking("find: lines after this, and how many before", (session) => {
    say(session, "goto 300ms")
    const text = say(session, "find prepareok")
    const [, step] = /#(\d+) .*PrepareOk⟨/.exec(text.split("\n")[0]!)!
    assert.isAbove(Number(step), session.sim.steps)
    assert.match(text, /\d+ after this, the first 12 above; [1-9]\d* before$/)
    assert.strictEqual(say(session, "find no such thing"), "error: nothing in this run has \"no such thing\"")
  })

  looking("events: what was important, and where this is among it", (session) => {
    say(session, "jf crash")
    const text = say(session, "events")
    assert.match(text, /→ .* crash +R\d crashes/)
    assert.notMatch(text, /commits/)
    assert.match(say(session, "e commit 3"), /^ .* commit +R\d commits/)
    assert.match(say(session, "e nothing"), /^error: "nothing" is none of commit, view/)
  })
})

describe("the commands", () => {
  looking("are listed by help, and each has help of its own", (session) => {
    const list = say(session, "help")
    for (const { aliases, name, purpose } of commands) {
      for (const word of [name, ...aliases, purpose]) assert.include(list, word)
      assert.include(say(session, `help ${name}`), purpose)
    }
  })

  it("have aliases of their own", () => {
    const words = commands.flatMap(({ aliases, name }) => [name, ...aliases])
    assert.strictEqual(new Set(words).size, words.length)
    const aliases = { p: "print", sf: "step-fwd", sb: "step-bwd", jf: "jump-fwd", jb: "jump-bwd" }
    for (const [alias, name] of Object.entries(aliases)) assert.strictEqual(commandOf(alias).name, name)
    for (const name of ["diff", "status", "where", "help", "quit"]) assert.strictEqual(commandOf(name[0]!).name, name)
  })

  looking("may be shortened, and a slip is noticed", (session) => {
    assert.strictEqual(commandOf("stat").name, "status")
    assert.match(say(session, "st"), /^error: "st" could be step-fwd or step-bwd or status/)
    assert.match(say(session, "pritn"), /did you mean print\?/)
    assert.match(say(session, "xyzzy"), /^error: there is no command "xyzzy"; help lists all/)
    assert.strictEqual(say(session, "  # a comment"), "")
    assert.strictEqual(say(session, "quit"), "(leaves)")
  })

  looking("take no nonsense for a number", (session) => {
    for (const line of ["sf x", "sf 0", "sf -1", "jf 0", "goto nowhere", "goto", "t x", "p R1 x"]) {
      assert.match(say(session, line), /^error: /, line)
    }
    assert.strictEqual(session.at, 0)
  })

  looking("are completed, and so are their arguments", (session) => {
    assert.deepEqual(complete(session, "st"), { hits: ["step-fwd ", "step-bwd ", "status "], replaced: "st" })
    assert.deepEqual(complete(session, "print R").hits, ["R0 ", "R1 ", "R2 "])
    assert.deepEqual(complete(session, "jf cr"), { hits: ["crash "], replaced: "cr" })
    assert.deepEqual(complete(session, "bogus x").hits, [])
  })
})

describe("where a rule is checked", () => {
  it("is found for rules of checkers, of the core, and with gaps in their words", () => {
    const at = (rule: string, message = "") => placeOf({ rule, message })?.path.replace(/:\d+$/, "")
    assert.strictEqual(at("a vote covers what its sender acknowledged"), "test/simulation/checkers/ViewStarts.ts")
    assert.strictEqual(at("the log is contiguous"), "src/vr/Log.ts")
    assert.strictEqual(at("goes on once the faults are over (serving)"), "test/simulation/Execution.ts")
    assert.strictEqual(at("nobody ever asserted this"), undefined)
    const stack = "TypeError: x\n    at step (file:///somewhere/else/src/vr/Step.ts:12:3)"
    assert.strictEqual(at("an error that nobody expected", stack), "src/vr/Step.ts")
  })
})
