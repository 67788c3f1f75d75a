/**
 * What is found out about a run while it is recorded: arrows, important points, who was down when.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { StepLine } from "../Trace.ts"
import { arrowsOf, underWay } from "./Arrows.ts"
import { schedule, sourceOf } from "./Fixture.ts"
import { bandsOf } from "./html/Lanes.ts"
import { pathsText, record } from "./Recording.ts"

const recording = record(sourceOf().start())
const { arrows, lines, points, stops, turns } = recording
const stepAt = (index: number): StepLine => {
  const line = lines[index]!
  if (line.kind !== "step") throw new Error(`line ${index} is a note`)
  return line
}

describe("arrows", () => {
  it("lead from the step that sent a message to the one that received the very same", () => {
    const received = arrows.filter((arrow) => arrow.received !== null)
    assert.isAbove(received.length, 300)
    for (const { from, message, received: at, sent, to } of received) {
      const [sender, receiver] = [stepAt(sent), stepAt(at!)]
      assert.isTrue([...sender.out.early, ...sender.out.sends].some((send) => send.message === message && send.to === to))
      assert.isTrue(receiver.inputs.some((input) => input._tag === "Message" && input.message === message))
      assert.strictEqual(sender.id, from)
      assert.isBelow(sent, at!)
      assert.strictEqual(receiver.id, to)
    }
  })

  it("account for every message that was sent, and for every one that came in", () => {
    const steps = lines.filter((line) => line.kind === "step")
    const sends = steps.reduce((sum, { out }) => sum + out.early.length + out.sends.length, 0)
    const receipts = steps.reduce((sum, { inputs }) => sum + inputs.filter(({ _tag }) => _tag === "Message").length, 0)
    assert.strictEqual(arrows.filter(({ isCopy }) => !isCopy).length, sends)
    assert.strictEqual(arrows.filter((arrow) => arrow.received !== null).length, receipts)
  })

  it("show what was lost, and what was doubled", () => {
    assert.isTrue(arrows.some((arrow) => arrow.received === null))
    assert.isTrue(arrows.some(({ isCopy }) => isCopy))
  })

  it("tell what is under way: sent, and not received yet", () => {
    const arrow = arrows.find(({ received, sent }) => received !== null && received > sent + 1)!
    assert.notInclude(underWay(arrows, arrow.sent), arrow)
    assert.include(underWay(arrows, arrow.sent + 1), arrow)
    assert.notInclude(underWay(arrows, arrow.received! + 1), arrow)
  })

  it("take the latest of several sends of the same object for the one that arrives", () => {
    const [first, second] = lines.filter((line) => line.kind === "step" && line.out.sends.length > 0) as Array<StepLine>
    const send = first!.out.sends[0]!
    const resent = { ...second!, id: first!.id, inputs: [], out: { ...second!.out, early: [], sends: [send] } }
    const receiver: StepLine = {
      ...second!,
      id: send.to,
      inputs: [{ _tag: "Message", from: first!.id, epoch: 0, message: send.message }],
      out: { ...second!.out, early: [], sends: [] }
    }
    const found = arrowsOf([{ ...resent, index: 1 }, { ...resent, index: 2 }, receiver])
    assert.deepEqual(found.map(({ received, sent }) => [sent, received]), [[0, null], [1, 2]])
  })
})

describe("points", () => {
  it("name every first commit once, in order", () => {
    const commits = points.filter(({ kind }) => kind === "commit")
    const numbers = commits.map(({ text }) => Number(/(\d+)$/.exec(text)![1]))
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b))
    assert.strictEqual(numbers.at(-1), recording.committed)
  })

  it("name the faults of the schedule, the crash and the return, the views and the phases", () => {
    const texts = points.map(({ kind, text }) => `${kind}: ${text}`)
    for (const { fault } of schedule.faults) assert.include(texts, `fault: nemesis ${fault}`)
    const crash = turns.find(({ now }) => now === "down")!
    assert.include(texts, `crash: ${crash.id} crashes`)
    assert.include(texts, `crash: ${crash.id} restarts`)
    assert.isTrue(texts.some((text) => /^fault: R\d stands still$/.test(text)))
    assert.isTrue(texts.some((text) => /^view: R\d starts view \d+ as its primary$/.test(text)))
    const phases = ["serving", "converging", "done"].map((phase) => `phase: phase ${phase}`)
    assert.deepEqual(texts.filter((text) => text.startsWith("phase")), phases)
  })

  it("each have a stop at which they have just happened", () => {
    for (const { line, stop } of points) {
      assert.isAtLeast(stops[stop]!.lines, line + 1)
      assert.isAtMost(stops[stop - 1]!.lines, line + 1)
    }
  })
})

describe("bands", () => {
  it("cover each lane without gaps, and agree with every step", () => {
    for (const id of recording.replicas) {
      const bands = bandsOf(recording, id)
      assert.strictEqual(bands[0]!.from, 0)
      assert.strictEqual(bands.at(-1)!.to, lines.length)
      bands.slice(1).forEach(({ from }, index) => assert.strictEqual(from, bands[index]!.to))
      for (const [index, line] of lines.entries()) {
        if (line.kind === "note" || line.id !== id) continue
        const band = bands.find(({ from, to }) => from <= index && index < to)!
        assert.deepEqual([band.state, band.view], [line.after.tag, line.after.view], `line ${index}`)
      }
    }
  })

  it("show a replica that is down as down, until it is back", () => {
    const [down, up] = [turns.find(({ now }) => now === "down")!, turns.find(({ now }, index) => now === "up" && index > 0)!]
    const bands = bandsOf(recording, down.id)
    assert.isTrue(bands.some(({ from, state, to }) => state === "Down" && from === down.line && to === up.line))
    assert.isTrue(recording.replicas.some((id) => bandsOf(recording, id).some(({ paused }) => paused)))
  })
})

describe("a recording", () => {
  it("says in notes which paths are cut and healed", () => {
    const notes = lines.flatMap((line) => line.kind === "note" && line.id === "network" ? [line.fact] : [])
    assert.isTrue(notes.some((fact) => /^cuts R\d[↔→]R\d/.test(fact)))
    assert.isTrue(notes.some((fact) => /^heals R\d[↔→]R\d/.test(fact)))
  })

  it("names a pair once where both directions are cut", () => {
    assert.strictEqual(pathsText(["R0>R1", "R2>R0", "R1>R0"]), "R0↔R1 R2→R0")
  })

  it("is the same each time", () => {
    const again = record(sourceOf().start())
    assert.deepEqual(again.stops, stops)
    assert.deepEqual(again.points, points)
  })
})
