/**
 * Who may disturb whom: suspicion, probes, back-off, abdication (F15 of the brief), and slow or dead replicas.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { fairWeather } from "../simulation/Network.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { entry, One, only, to, write } from "../vr/One.ts"

describe("a deaf replica, which sends but does not hear (F15; brief §8.13)", () => {
  it("does not disturb the others", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    sim.append()
    sim.path("R0", "R2").cut()
    sim.path("R1", "R2").cut()
    for (let i = 0; i < 100; i++) {
      sim.append("k", sim.clients[0], 100)
      sim.run(100)
    }
    assert.deepStrictEqual(sim.processes.map((process) => process.view), [0, 0, 0])
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(sim.replica("R2").view, 0)
  })

  it("does not disturb them though the others' connections break now and then", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    sim.path("R0", "R2").cut()
    sim.path("R1", "R2").cut()
    for (let i = 0; i < 100; i++) {
      sim.append("k", sim.clients[0], 3_000)
      sim.link("R0", "R1").breaks()
      sim.run(100)
    }
    // A broken connection and a deaf replica may look like a lost primary; never for long.
    assert.isBelow(sim.replica("R0").view, 100)
  })
})

describe("a deaf primary, which goes on sending heartbeats (brief §8.14)", () => {
  it("abdicates, and a new view starts", () => {
    const sim = Simulation.start({ replicas: 3, seed: 2 })
    sim.append()
    sim.path("R1", "R0").cut()
    sim.path("R2", "R0").cut()
    sim.runUntil(() => sim.primary !== undefined && sim.primary !== "R0", 3_000)
    const { state } = sim.replica("R0").replica
    assert.isTrue(state._tag === "Primary" && state.abdicated)
    sim.append()
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
  })

  it("turns away whoever waits, and whoever comes", () => {
    const one = One.start("R0")
    assert.isEmpty(one.ask({ kind: "register", to, nonce: new Uint8Array(16) }).replies)
    assert.isEmpty(one.ask({ kind: "read", to, request: 5, operation: new Uint8Array(1) }).replies)
    const replies = []
    for (let i = 0; i < 100; i++) {
      one.mono += 20
      replies.push(...one.turn({ _tag: "Tick" }).replies)
    }
    assert.deepStrictEqual(replies.map(({ kind, status }) => [kind, status]), [["register", "not primary"], ["read", "not primary"]])
    assert.strictEqual(one.ask(write(1, 1)).replies[0]?.status, "not primary")
  })

  it("leaves the writes that are in its log open: the next primary may execute them", () => {
    const one = One.start("R0")
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    assert.isEmpty(one.ask(write(1, 1)).replies)
    const { replies } = one.receive("R1", { _tag: "StartViewChange", view: 1, probing: false })
    assert.deepStrictEqual(replies.map(({ kind, status }) => [kind, status]), [["write", "in doubt"]])
  })

  it("says nothing more as a primary, but asks for a view change", () => {
    const one = One.start("R0")
    one.pass(1_100)
    const later = one.pass(500)
    assert.isEmpty(only("Commit", later))
    assert.isNotEmpty(only("StartViewChange", later))
  })
})

describe("back-off (F15)", () => {
  const afterThreeViews = (): One => {
    const one = One.start("R2")
    for (const view of [1, 2, 4]) one.receive("R1", { _tag: "StartViewChange", view, probing: false })
    one.receive("R1", { _tag: "StartView", view: 4, first: 1, entries: [], commit: 0 })
    assert.strictEqual(one.replica.state._tag, "Backup")
    return one
  }

  const patience = ({ replica }: One): number => replica.state._tag === "Backup" ? replica.state.patience : assert.fail()

  it("is not reset on entering a view", () => {
    const one = afterThreeViews()
    one.pass(500)
    assert.isAtLeast(patience(one), 0.5 * 4)
  })

  it("is reset after a stable time", () => {
    const one = afterThreeViews()
    for (let i = 0; i < 20; i++) {
      one.pass(100)
      one.receive("R1", { _tag: "Commit", view: 4, op: 0, commit: 0, round: 0, lease_ms: 0 })
    }
    assert.isAtMost(patience(one), 1.5)
  })

  it("is reset though messages are lost and gaps are filled all the time", () => {
    const one = afterThreeViews()
    for (let op = 1; op < 20; op++) {
      one.receive("R1", { _tag: "Commit", view: 4, op, commit: 0, round: 0, lease_ms: 0 })
      one.pass(100)
      one.receive("R1", { _tag: "NewState", view: 4, first: op, entries: [entry(op, 4)], op, commit: 0 })
      one.pass(100)
    }
    assert.strictEqual(one.replica.attempts, 0)
  })
})

describe("a network that is slower than the time-outs", () => {
  for (const delay_ms of [300, 700, 1_500]) {
    it(`of ${delay_ms} ms one way is found out, and the group serves`, () => {
      const weather = { ...fairWeather(), delay_ms: [delay_ms, delay_ms] as const }
      const sim = Simulation.start({ replicas: 3, seed: 6, weather, retry_ms: 10_000 })
      sim.append("k", sim.client(), 300_000)
      sim.append("k", sim.clients[0], 300_000)
    })
  }

  it("is found out too when the quorum depends on one that has to catch up, chunk by chunk", () => {
    const release = squeeze({ transfer_chunk_bytes_max: 1 })
    try {
      const sim = Simulation.start({ replicas: 3, seed: 2, retry_ms: 10_000 })
      sim.isolate("R2")
      for (let i = 0; i < 60; i++) sim.append()
      sim.heal()
      sim.isolate("R1")
      // One operation at a time, and each takes longer than the primary waits for signs of life.
      sim.network.weather = { ...sim.network.weather, delay_ms: [650, 650] }
      sim.append("k", sim.clients[0], 600_000)
      assert.isBelow(Math.max(...sim.processes.map(({ view }) => view)), 20)
    } finally {
      release()
    }
  })
})

describe("a process that stood still", () => {
  it("does not take that for the others' silence", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3 })
    sim.append()
    for (let i = 0; i < 20; i++) {
      sim.replica("R1").pause()
      sim.run(2_000)
      sim.replica("R1").resume()
      sim.run(500)
    }
    assert.strictEqual(sim.replica("R0").view, 0)
  })

  it("nor do all of them together, as on a machine that slept", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3 })
    sim.append()
    for (let i = 0; i < 20; i++) {
      for (const process of sim.processes) process.pause()
      sim.run(5_000)
      for (const process of sim.processes) process.resume()
      sim.run(1_000)
    }
    assert.strictEqual(sim.replica("R0").view, 0)
  })

  it("notices a lost primary though its every tick is late", () => {
    const one = One.start("R1")
    assert.isNotEmpty(only("StartViewChange", one.pass(5_000, 400)))
  })
})

describe("a probe", () => {
  it("alone makes nobody leave", () => {
    const one = One.start("R1")
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: true })
    assert.strictEqual(one.replica.state._tag, "Backup")
  })

  it("is agreed to by one that misses the primary too", () => {
    const one = One.start("R1")
    one.pass(260)
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: true })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
  })

  it("that is old is not counted", () => {
    const one = One.start("R1", 5)
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: true })
    one.receive("R3", { _tag: "StartViewChange", view: 1, probing: true })
    one.pass(240)
    one.receive("R0", { _tag: "Commit", view: 0, op: 0, commit: 0, round: 0, lease_ms: 0 })
    one.pass(800)
    assert.strictEqual(one.replica.state._tag, "Backup")
  })

  it("is sent at once when the primary's connection breaks, and only for the primary's", () => {
    const one = One.start("R1")
    assert.isEmpty(one.turn({ _tag: "PeerLost", replica: "R2" }).sends)
    assert.isNotEmpty(only("StartViewChange", one.turn({ _tag: "PeerLost", replica: "R0" }).sends))
  })

  it("asks for a view whose primary may be there", () => {
    const one = One.start("R2", 5)
    one.turn({ _tag: "PeerLost", replica: "R1" })
    const probes = only("StartViewChange", one.turn({ _tag: "PeerLost", replica: "R0" }).sends)
    assert.deepStrictEqual(new Set(probes.map(({ view }) => view)), new Set([2]))
  })

  it("of a stranger's loss changes nothing", () => {
    const one = One.start("R1")
    one.turn({ _tag: "PeerLost", replica: "stranger" })
    assert.strictEqual(one.replica.lost.size, 0)
  })
})

describe("one slow or dead replica (brief §8.27)", () => {
  for (const fault of ["crashed", "paused"] as const) {
    it(`that is ${fault} costs the others nothing, and a client waits no longer`, () => {
      const sim = Simulation.start({ replicas: 3, seed: 4 })
      sim.append()
      if (fault === "crashed") sim.replica("R2").crash()
      else sim.replica("R2").pause()
      for (let i = 0; i < 200; i++) {
        // Four messages of 1 ms each.
        sim.append("k", sim.clients[0], 5)
        sim.run(20)
      }
      assert.strictEqual(sim.replica("R0").view, 0)
    })
  }

  it("the primary's loss is over within its detection and one view change", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5 })
    for (let i = 0; i < 20; i++) {
      sim.append()
      const lost = sim.replica(sim.primary!)
      lost.crash()
      sim.append("k", sim.clients[0], 2_000)
      lost.restart()
      sim.runUntil(() => sim.hasConverged)
      sim.run(1_500)
    }
  })
})

describe("what is written", () => {
  it("is nothing when a gap within the view is filled: a head costs a flush", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 0, op: 1, commit: 0, round: 0, lease_ms: 0 })
    const out = one.receive("R0", { _tag: "NewState", view: 0, first: 1, entries: [entry(1)], op: 1, commit: 0 })
    assert.strictEqual(one.replica.state._tag, "Backup")
    assert.isNull(out.head)
  })

  it("keeps no entry that was appended and dropped in one turn", () => {
    const one = One.start("R2")
    const out = one.turn(
      { _tag: "Message", from: "R0", epoch: 0, message: { _tag: "Prepare", view: 0, first: 1, entries: [entry(1), entry(2)], commit: 1 } },
      { _tag: "Message", from: "R1", epoch: 0, message: { _tag: "StartView", view: 1, first: 2, entries: [entry(2, 1)], commit: 1 } }
    )
    assert.isNull(out.truncate_to)
    assert.deepStrictEqual(out.entries.map(({ op, view }) => [op, view]), [[1, 0], [2, 1]])
  })
})
