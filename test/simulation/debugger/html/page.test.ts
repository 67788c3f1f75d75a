/**
 * The page of a run: what it draws is in it, nothing comes from elsewhere, and no text of the run becomes markup.
 *
 * @module
 */
import { Script } from "node:vm"
import { assert, describe, it } from "vitest"
import { sourceOf } from "../Fixture.ts"
import { record } from "../Recording.ts"
import type { TraceLine } from "../../Trace.ts"
import { isQuiet } from "../Words.ts"
import { modelOf, type PageModel } from "./Model.ts"
import { pageOf } from "./Page.ts"

const hostile = `<script>alert("1")&`
const source = { name: hostile, seed: 7, mutation: `</script>${hostile}` }
const recording = record(sourceOf(300).start())
const page = pageOf(source, recording)

/** The content of the page's script elements: first the data, then the program. */
const [data, program] = [...page.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map((match) => match[1]!)
const model = JSON.parse(data!) as PageModel

describe("the page", () => {
  it("has a lane for each replica, with its bands", () => {
    assert.deepEqual(model.lanes.map(({ id }) => id), ["R0", "R1", "R2"])
    for (const { bands } of model.lanes) {
      assert.strictEqual(bands[0]!.from, 0)
      assert.strictEqual(bands.at(-1)!.to, model.rows.length)
    }
  })

  it("has a row for each line but the ticks that nothing came of, unless that is where the rule was broken", () => {
    const isBroken = (line: TraceLine): boolean => line.kind === "step" && line.index === 300
    assert.strictEqual(model.rows.length, recording.lines.filter((line) => !isQuiet(line) || isBroken(line)).length)
  })

  it("draws an arrow from the step that sent a message to the one that received it", () => {
    const known = recording.arrows.find(({ message, received }) => message._tag === "Prepare" && received !== null)!
    const [sent, received] = [recording.lines[known.sent]!, recording.lines[known.received!]!]
    const arrow = model.arrows.find(({ from, text, to }) =>
      model.rows[from]?.at === sent.at && model.rows[to]?.at === received.at && text.startsWith("Prepare⟨"))!
    assert.strictEqual(model.lanes[arrow.sender]!.id, known.from)
    assert.strictEqual(model.lanes[arrow.receiver]!.id, known.to)
    assert.strictEqual(model.families[arrow.family], "replication")
    assert.strictEqual(model.rows[arrow.from]!.lane, arrow.sender)
    assert.strictEqual(model.rows[arrow.to]!.lane, arrow.receiver)
    assert.isTrue(model.arrows.some(({ to }) => to === -1))
  })

  it("marks the violation at the row that broke the rule", () => {
    assert.include(model.violation!.message, "<b>this</b> & that")
    assert.strictEqual(model.rows[model.violation!.row]!.step, 300)
    assert.deepEqual(model.points.at(-1)!.kind, "violation")
    assert.strictEqual(modelOf(source, record(sourceOf().start())).violation, null)
  })

  it("shows the step that broke a rule also if it was a tick that nothing came of", () => {
    const { index } = recording.lines.filter((line) => line.kind === "step").find((line) => isQuiet(line))!
    const { rows, violation } = modelOf(source, record(sourceOf(index).start()))
    assert.strictEqual(rows[violation!.row]!.step, index)
  })

  it("labels what commits, and for the group only once", () => {
    const commits = model.rows.flatMap(({ commits }) => commits === undefined ? [] : [commits])
    assert.strictEqual(commits[0]![0], 1)
    commits.slice(1).forEach(([first], index) => assert.strictEqual(first, commits[index]![1] + 1))
    assert.strictEqual(commits.at(-1)![1], recording.committed)
  })

  it("is self-contained", () => {
    assert.notMatch(page, /https?:\/\//)
    assert.notMatch(page, /<link\b|<img\b|\bsrc=|@import|url\((?!#)|\bfetch\(|XMLHttpRequest|\bimport\s*\(/)
  })

  it("has a program that parses, with nothing left of its modules", () => {
    assert.doesNotThrow(() => new Script(program!))
    assert.notMatch(program!, /^(?:import|export) /m)
    assert.notMatch(page, /\{\{[A-Z]+\}\}/)
  })

  it("lets no text of the run become markup", () => {
    assert.strictEqual([...page.matchAll(/<script/g)].length, 2)
    assert.strictEqual([...page.matchAll(/<\/script>/g)].length, 2)
    assert.strictEqual(model.name, hostile)
    assert.notInclude(page.slice(0, page.indexOf("<style>")), "alert(\"")
  })
})
