/**
 * The group changes: in bad company, while some are away, and more than once (VRR §7; F13 and F14 of the brief).
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { Message, ReplicaId } from "../../src/vr/Message.ts"
import type { Process } from "../simulation/Process.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { One, to, write } from "../vr/One.ts"

const long_ms = 60_000

/** Until a primary has committed it. */
const become = (sim: Simulation, ...replicas: ReadonlyArray<ReplicaId>): void => {
  const { epoch } = sim.configuration
  sim.reconfigure(replicas, long_ms)
  sim.runUntil(() => sim.configuration.epoch > epoch, long_ms)
  assert.deepStrictEqual(sim.configuration.replicas, [...replicas].sort())
}

const converges = (sim: Simulation): void => sim.runUntil(() => sim.hasConverged, long_ms)

for (const durability of ["memory", "disk"] as const) {
  describe(`a removed replica (brief §8.9), with ${durability}`, () => {
    it("that comes back with nothing, and whose old messages come late, splits nobody's brain", () => {
      const sim = Simulation.start({ replicas: 3, seed: 1, durability })
      for (let i = 0; i < 5; i++) sim.append()
      const late = sim.hold((message, from) => from === "R2" && (message._tag === "StartViewChange" || message._tag === "DoViewChange"))
      // R2 misses its primary, and says so to nobody yet.
      sim.isolate("R2")
      sim.run(3_000)
      sim.heal()
      become(sim, "R0", "R1", "R3")
      for (let i = 0; i < 5; i++) sim.append()
      converges(sim)
      const { view } = sim.replica("R0")
      sim.replica("R2").crash()
      sim.replica("R2").restart()
      late.release()
      sim.run(5_000)
      assert.strictEqual(sim.replica("R0").view, view)
      assert.strictEqual(sim.replica("R2").state, "Leaving")
      sim.append()
      converges(sim)
    })
  })

  describe(`an isolated primary that is asked for another group (brief §8.10), with ${durability}`, () => {
    it("does not get it, and no acknowledged write is lost", () => {
      const sim = Simulation.start({ replicas: 3, seed: 2, durability })
      for (let i = 0; i < 5; i++) sim.append()
      // Those that are to join are on its side: a majority of what the group would be.
      sim.link("R0", "R1").cut()
      sim.link("R0", "R2").cut()
      sim.reconfigure(["R0", "R3", "R4"], 0)
      sim.run(900)
      sim.runUntil(() => sim.primary !== "R0", long_ms)
      const client = sim.client()
      client.target = "R1"
      for (let i = 0; i < 5; i++) sim.append("k", client)
      assert.strictEqual(sim.configuration.epoch, 0)
      const committed = sim.history.op
      sim.heal()
      converges(sim)
      assert.isAtLeast(sim.history.op, committed)
      sim.append()
    })
  })
}

describe("a replica that restarts with a change that is in its log and not committed (brief §8.11)", () => {
  it("votes by the group that it is in, and the change is seen through", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3, durability: "disk" })
    for (let i = 0; i < 5; i++) sim.append()
    // The new ones get it, and nobody hears that they have it.
    const isAck = (message: Message): boolean => (message._tag === "PrepareOk" || message._tag === "CommitOk") && message.op > 6
    const held = sim.hold((message, from) => from === "R3" && isAck(message))
    sim.reconfigure(["R0", "R3"], long_ms)
    const holdsIt = ({ replica: { log } }: Process): boolean => log.op > log.base && log.get(log.op).kind === "reconfigure"
    sim.runUntil(() => sim.processes.every(holdsIt), long_ms)
    assert.isAbove(held.held.length, 0)
    for (const process of sim.processes) process.crash()
    held.release()
    for (const process of sim.processes) process.restart()
    sim.runUntil(() => sim.configuration.epoch === 1, long_ms)
    sim.append()
    converges(sim)
    assert.deepStrictEqual(sim.configuration.replicas, ["R0", "R3"])
  })
})

describe("a replica that was cut off (brief §8.12; F13; the long partition of the original's notes)", () => {
  it("through two changes, and all that it knew are gone: it catches up through whoever tells it", () => {
    const sim = Simulation.start({ replicas: 3, seed: 4, durability: "disk" })
    for (let i = 0; i < 5; i++) sim.append()
    sim.isolate("R2")
    sim.processes.forEach(({ id }) => sim.link("R2", id).breaks())
    become(sim, "R2", "R3", "R4")
    sim.isolate("R2")
    for (let i = 0; i < 5; i++) sim.append()
    become(sim, "R2", "R5", "R6")
    sim.isolate("R2")
    for (let i = 0; i < 5; i++) sim.append()
    sim.runUntil(() => ["R5", "R6"].every((id) => sim.replica(id).configuration.epoch === 2), long_ms)
    for (const id of ["R0", "R1", "R3", "R4"]) {
      sim.replica(id).crash()
      sim.replica(id).isGone = true
    }
    assert.strictEqual(sim.replica("R2").configuration.epoch, 0)
    sim.heal()
    converges(sim)
    assert.deepStrictEqual(sim.replica("R2").replica.history.map(({ epoch }) => epoch), [1, 2])
    // It counts from now on.
    sim.replica("R5").crash()
    sim.append()
  })

  it("and that is in no group any more learns that it is not needed, without the data of those that came after it", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5, durability: "disk" })
    sim.append()
    sim.isolate("R2")
    become(sim, "R0", "R1", "R3")
    sim.isolate("R2")
    become(sim, "R0", "R1", "R4")
    sim.append()
    sim.heal()
    converges(sim)
    sim.runUntil(() => sim.processes.slice(2, 4).every(({ replica: { state } }) => state._tag === "Leaving" && state.isRetired), long_ms)
  })

  it("while its group changes to one that it leads: it begins as soon as it hears of it", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    sim.append()
    sim.isolate("R2")
    // Its first primary would be R2, which is not there: another view is begun without it.
    become(sim, "R2", "R3", "R4")
    sim.isolate("R2")
    sim.append()
    sim.heal()
    converges(sim)
    sim.append()
  })
})

describe("five nodes of which some links fail (brief §8.15)", () => {
  it("have a stable primary", () => {
    const sim = Simulation.start({ replicas: 5, seed: 7 })
    sim.append()
    sim.link("R1", "R3").cut()
    sim.link("R2", "R4").cut()
    sim.run(10_000)
    const { view } = sim.replica("R0")
    for (let i = 0; i < 50; i++) {
      sim.append("k", sim.clients[0], 1_000)
      sim.run(200)
    }
    assert.isTrue(sim.processes.every((process) => process.view === view))
  })
})

describe("behind a change that is in the log", () => {
  it("nothing is accepted, and those who ask are told to ask again", () => {
    const one = One.start("R0")
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1"] })
    assert.strictEqual(one.replica.log.op, 2)
    const { replies } = one.ask(write(1, 1), { kind: "register", to, nonce: new Uint8Array(16).fill(1) })
    assert.deepStrictEqual(replies.map(({ status }) => status), ["busy", "busy"])
    assert.strictEqual(one.replica.log.op, 2)
    // Nor another change.
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R2"] })
    assert.deepStrictEqual(one.replica.state._tag === "Primary" && one.replica.state.change?.next.replicas, ["R0", "R1"])
  })

  it("a quorum of both groups is needed", () => {
    const one = One.start("R0", 1)
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1", "R2"] })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 0 })
    assert.strictEqual(one.replica.log.op, 0)
    one.receive("R2", { _tag: "PrepareOk", view: 0, op: 0 })
    assert.deepStrictEqual([one.replica.log.op, one.replica.commit], [1, 0])
    one.receive("R2", { _tag: "PrepareOk", view: 0, op: 1 })
    assert.deepStrictEqual([one.replica.commit, one.replica.configuration.epoch], [1, 1])
  })

  it("is what was asked for last, as long as it is not there; and the present group takes it back", () => {
    const one = One.start("R0")
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1", "R3"] })
    one.turn({ _tag: "Reconfigure", replicas: ["R0", "R1", "R4"] })
    const asked = () => one.replica.state._tag === "Primary" ? one.replica.state.change?.next.replicas : undefined
    assert.deepStrictEqual(asked(), ["R0", "R1", "R4"])
    one.turn({ _tag: "Reconfigure", replicas: ["R2", "R1", "R0"] })
    assert.isUndefined(asked())
  })
})

describe("a group of even size (F14)", () => {
  it("does not go on in halves", () => {
    const sim = Simulation.start({ replicas: 3, seed: 8 })
    sim.append()
    become(sim, "R0", "R1", "R2", "R3")
    converges(sim)
    for (const a of ["R0", "R1"]) for (const b of ["R2", "R3"]) sim.link(a, b).cut()
    const { op } = sim.history
    const [left, right] = [sim.client(), sim.client()]
    left.target = "R0"
    right.target = "R2"
    left.register()
    right.register()
    sim.run(10_000)
    assert.strictEqual(sim.history.op, op)
    sim.heal()
    converges(sim)
  })
})

describe("every replica takes another one's place", () => {
  it("one by one, under load, until none of the first is left, and then some leave", () => {
    const sim = Simulation.start({ replicas: 1, seed: 9, durability: "disk" })
    const groups = [
      ["R0", "R1", "R2"], ["R0", "R1", "R2", "R3", "R4"], ["R1", "R2", "R3", "R4", "R5"], ["R2", "R3", "R4", "R5", "R6"],
      ["R3", "R4", "R5", "R6", "R7"], ["R5", "R6", "R7"]
    ]
    for (const group of groups) {
      for (let i = 0; i < 20; i++) sim.append()
      become(sim, ...group)
    }
    sim.append()
    converges(sim)
    sim.runUntil(() => sim.processes.slice(0, 5).every(({ replica: { state } }) => state._tag === "Leaving" && state.isRetired), long_ms)
    // What they kept is not needed.
    for (const process of sim.processes.slice(0, 5)) process.crash()
    sim.append()
    converges(sim)
  })
})
