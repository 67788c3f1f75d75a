/**
 * A session stands where it is told to, forward or backward, and what it shows there is the same each time.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../../src/base/Limits.ts"
import { replicaFields } from "./Fields.ts"
import { sourceOf, withSession } from "./Fixture.ts"
import { Session } from "./Session.ts"
import { isQuiet } from "./Words.ts"

/** Everything that can be seen of a run where it stands. */
const everything = ({ at, phase, sim, stop }: Session): object => ({
  at,
  stop,
  phase,
  now: sim.events.now,
  steps: sim.steps,
  network: { ...sim.network.counts },
  clients: sim.clients.map(({ answered, outstanding, session }) => ({ answered, outstanding, session })),
  replicas: sim.processes.map((process) => replicaFields(process))
})

describe("a session", () => {
  it("begins at the beginning, and ends where the run ends", () => {
    withSession(undefined, (session) => {
      assert.strictEqual(session.sim.steps, 0)
      session.goTo(Infinity)
      assert.strictEqual(session.phase, "done")
      assert.strictEqual(session.failure, null)
      assert.strictEqual(session.sim.steps, session.last.step)
    })
  })

  it("comes back to exactly what was", () => {
    withSession(undefined, (session) => {
      const middle = session.recording.stops.length >> 1
      for (const stop of [1, middle, session.recording.stops.length - 2]) {
        session.goTo(stop)
        const before = everything(session)
        session.goTo(stop + 1)
        assert.notDeepEqual(everything(session), before)
        session.goTo(stop)
        assert.deepEqual(everything(session), before)
      }
    })
  })

  it("stands at the same whether it went there in one move or step by step", () => {
    withSession(undefined, (session) => {
      for (let stop = 1; stop <= 120; stop++) session.goTo(stop)
      const stepped = everything(session)
      session.goTo(0)
      session.goTo(120)
      assert.deepEqual(everything(session), stepped)
    })
  })

  it("stops at everything but ticks that nothing came of", () => {
    withSession(undefined, ({ recording: { lines, phases, stops } }) => {
      assert.isAbove(lines.filter(isQuiet).length, 100)
      for (const [index, stop] of stops.slice(1, -1).entries()) {
        const passed = lines.slice(stops[index]!.lines, stop.lines)
        const isPhase = phases.some(({ stop }) => stop === index + 1)
        assert.isTrue(isPhase || passed.some((line) => !isQuiet(line)), `stop ${index + 1}`)
      }
    })
  })

  it("stands, of a run that fails, where it failed", () => {
    withSession(300, (session) => {
      session.goTo(session.at + 5)
      assert.strictEqual(session.failure, null)
      session.goTo(Infinity)
      assert.strictEqual(session.failure?.step, 300)
      assert.strictEqual(session.sim.steps, 300)
      session.goTo(session.at - 1)
      assert.strictEqual(session.failure, null)
    })
  })

  it("looks back without moving", () => {
    withSession(undefined, (session) => {
      session.goTo(200)
      const here = everything(session)
      const earlier = session.fieldsAt(100, ["R1"])
      assert.deepEqual(everything(session), here)
      session.goTo(100)
      assert.deepEqual(earlier.get("R1"), replicaFields(session.sim.replica("R1")))
    })
  })

  it("gives the bounds of the simulation back", () => {
    const before = { ...Limits }
    assert.isAbove(before.pipeline_ops_max, 8)
    const tight = sourceOf()
    const session = Session.open(tight)
    session.goTo(50)
    session.goTo(10)
    session.close()
    assert.deepEqual({ ...Limits }, before)
  })
})
