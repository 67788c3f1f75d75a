/**
 * The exhaustive search bites, and what it finds is real; with all fixes on, the same bounds hold no violation.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { makeConfiguration } from "../../../src/vr/Configuration.ts"
import { firstView, type Message } from "../../../src/vr/Message.ts"
import { emptyOutcome, type Outcome, type Replica } from "../../../src/vr/Replica.ts"
import { makeStaging } from "../../../src/vr/Staging.ts"
import { commitTo, replaceSuffix } from "../../../src/vr/states/Normal.ts"
import { reply } from "../../../src/vr/Sending.ts"
import { becomeBackup, makePrimaryState } from "../../../src/vr/Transitions.ts"
import { type Core, realCore } from "./Action.ts"
import { type Bounds, small } from "./Bounds.ts"
import { copyReplica, replicaKey } from "./Canonical.ts"
import type { Local } from "./Model.ts"
import { type Found, type Options, search } from "./Search.ts"
import { tell } from "./Story.ts"

type Kept = Parameters<Core["restartedReplica"]>[1]

const timeout = 120_000

const foundIn = (within: Bounds, options: Options): Found =>
  search(within, options).violation ?? assert.fail("nothing was found")

const bounds = (name: string): Bounds => small[name] ?? assert.fail(`no bounds are called ${name}`)

const f1 = bounds("f1")

describe("the exhaustive search", () => {
  it("finds that a promised view which is forgotten loses what was committed (F1)", () => {
    const { happened, replicas, rule, trace } = foundIn(f1, { forgetful: true })
    assert.strictEqual(rule, "a quorum might choose a log without a committed op")
    assert.lengthOf(trace, happened.length)
    assert.lengthOf(happened.filter(({ action }) => action.kind === "crash"), 1)
    // Fresh replicas, stepped without copies, come to where the search came.
    const story = tell(realCore, makeConfiguration(0, ["R0", "R1", "R2"]), happened)
    assert.deepStrictEqual(story.replicas.map((replica) => replicaKey(copyReplica(replica))), replicas.map(replicaKey))
  }, timeout)

  for (const [name, within] of Object.entries(small)) {
    it(`exhausts the bounds "${name}" without a violation`, () => {
      const { exhausted, violation } = search(within)
      assert.deepStrictEqual(violation?.trace ?? [], [])
      assert.isTrue(exhausted)
    }, timeout)
  }

  it("misses nothing by leaving out dead messages", () => {
    const replicasIn = (within: Bounds, keepsDead: boolean): ReadonlyArray<string> => {
      const seen = new Set<string>()
      const keys = new Map<Replica, string>()
      const keyOf = ({ replica }: Local): string => {
        const key = keys.get(replica) ?? replicaKey(replica)
        keys.set(replica, key)
        return key
      }
      const onState: Options["onState"] = (locals) => seen.add(locals.map(keyOf).join("\n"))
      assert.isTrue(search(within, { keepsDead, onState }).exhausted)
      return [...seen].sort()
    }
    const lagging = { snapshots: 1, views: 1 }
    for (const more of [
      { ticks: 1 },
      { crashes: 1 },
      { reads: 1, lates: 1 },
      { ...lagging, ticks: 1 },
      { ...lagging, crashes: 1 },
      { ...lagging, crashes: 1, disk: 1 }
    ]) {
      const within = { ...f1, crashes: 0, ticks: 0, ...more }
      assert.deepStrictEqual(replicasIn(within, false), replicasIn(within, true))
    }
  }, timeout)

  it("finds that a restart with an empty log loses what was committed (F9)", () => {
    const core: Core = { ...realCore, recoveringReplica: (options) => realCore.newReplica(options) }
    const { happened } = foundIn(f1, { core })
    assert.lengthOf(happened.filter(({ action }) => action.kind === "crash"), 1)
  }, timeout)

  /** A core whose restarts in disk mode go on with something else than what was kept. */
  const restarting = (change: (kept: Kept) => Kept, after: (replica: Replica) => void = () => {}): Core => ({
    ...realCore,
    restartedReplica: (options, kept) => {
      const replica = realCore.restartedReplica(options, change(kept))
      after(replica)
      return replica
    }
  })

  it("finds that a restarted primary which resumes its view makes two logs of it", () => {
    const core = restarting((kept) => kept, (replica) => {
      const { state } = replica
      if (state._tag === "Primary") replica.state = { ...state, abdicated: false, restarted: false }
    })
    const { happened, rule } = foundIn(small["torn"]!, { core })
    assert.match(rule, /one log per view|the primary's log is the longest/)
    assert.isNotEmpty(happened.filter(({ action }) => action.kind === "restart" && action.torn !== null))
  }, timeout)

  it("finds that a log loses what was committed if it passes for that of a view which it had only promised (F12)", () => {
    const core = restarting((kept) => ({ ...kept, logView: kept.view }))
    assert.match(foundIn(small["disk"]!, { core }).rule, /quorum/)
  }, timeout)

  it("finds that a view which was promised, and forgotten, loses what was committed, log or not (F1)", () => {
    const core = restarting((kept) => ({ ...kept, view: kept.logView }))
    assert.match(foundIn(small["disk"]!, { core, forgetful: true }).rule, /quorum/)
  }, timeout)

  it("finds that a log without its end loses what was committed (F16)", () => {
    const core = restarting((kept) => ({ ...kept, entries: kept.entries.slice(0, -1) }))
    assert.match(foundIn(small["disk"]!, { core }).rule, /quorum/)
  }, timeout)

  it("finds that views are lost which are not written before they are spoken of (F1)", () => {
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => ({ ...realCore.step(replica, inputs, now), head: null })
    }
    assert.strictEqual(foundIn(f1, { core }).rule, "the view is written before anything is said in it")
  }, timeout)

  it("finds that a quorum of one lets two primaries commit", () => {
    const core: Core = {
      ...realCore,
      newReplica: (options) =>
        realCore.newReplica({ ...options, configuration: { ...options.configuration, quorum: 1 } })
    }
    assert.match(foundIn(f1, { core }).rule, /quorum|prefixes|primary/)
  }, timeout)

  it("finds an acknowledgement of what was never received", () => {
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => {
        const out = realCore.step(replica, inputs, now)
        const early = out.early.map(({ epoch, message, to }) =>
          ({ to, epoch, message: message._tag === "CommitOk" ? { ...message, op: message.op + 1 } : message })
        )
        return { ...out, early }
      }
    }
    assert.isNotEmpty(foundIn(f1, { core }).trace)
  }, timeout)

  it("finds that answers to a former life lead back to before what was acknowledged", () => {
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => {
        const { state } = replica
        const believed = inputs.map((input) =>
          input._tag === "Message" && input.message._tag === "RecoveryResponse" && state._tag === "Recovery"
            ? { ...input, message: { ...input.message, nonce: state.nonce } }
            : input
        )
        return realCore.step(replica, believed, now)
      }
    }
    const { happened } = foundIn(bounds("restarts"), { core })
    assert.lengthOf(happened.filter(({ action }) => action.kind === "crash"), 2)
  }, timeout)

  /** A core that goes on in another way once a snapshot is whole. */
  const installing = (change: (replica: Replica, out: Outcome) => void): Core => ({
    ...realCore,
    step: (replica, inputs, now) => {
      const out = realCore.step(replica, inputs, now)
      change(replica, out)
      return out
    }
  })

  it("installs snapshots in a transfer, in a recovery, and before a view starts", () => {
    const seen = new Set<string>()
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => {
        const { _tag } = replica.state
        const out = realCore.step(replica, inputs, now)
        if (out.install !== null) seen.add(_tag)
        return out
      }
    }
    for (const name of ["snapshots_of_views", "snapshots_and_crashes"]) search(bounds(name), { core })
    assert.deepStrictEqual([...seen].sort(), ["Recovery", "StateTransfer", "ViewChange"])
  }, timeout)

  it("finds a recovery that ends with the snapshot, without what was acknowledged behind it", () => {
    const core = installing((replica, out) => {
      if (out.install === null || replica.state._tag !== "Recovery") return
      becomeBackup(replica, replica.state.fetching?.view ?? 0, { mono: 0, wall: 0 }, out)
    })
    const within = { ...bounds("snapshots_in_memory"), requests: 2, ticks: 0, views: 0 }
    assert.match(foundIn(within, { core }).rule, /quorum/)
  }, timeout)

  it("finds a transfer that ends with the snapshot, without what was acknowledged behind it", () => {
    const core = installing((replica, out) => {
      if (out.install === null || replica.state._tag !== "StateTransfer") return
      becomeBackup(replica, replica.state.target, { mono: 0, wall: 0 }, out)
    })
    assert.match(foundIn(bounds("snapshots"), { core }).rule, /quorum/)
  }, timeout)

  it("finds a snapshot that takes the place of a log which is longer (F2)", () => {
    const core = installing((replica, out) => {
      const { state } = replica
      if (state._tag !== "StateTransfer" || state.staging === null || state.staging.image === null) return
      replaceSuffix(replica, state.staging, out)
      state.staging = makeStaging(replica.commit)
    })
    assert.match(foundIn(bounds("snapshots"), { core }).rule, /a log only grows/)
  }, timeout)

  it("finds a snapshot that is installed without its sessions", () => {
    const core = installing(({ clients }, out) => {
      if (out.install !== null) clients.install([])
    })
    assert.strictEqual(foundIn(bounds("snapshots"), { core }).rule, "the sessions are those that are committed")
  }, timeout)

  it("finds a snapshot that is installed and not written", () => {
    const core = installing((_, out) => {
      out.install = null
    })
    assert.strictEqual(foundIn(bounds("snapshots"), { core }).rule, "what is written is the log")
  }, timeout)

  it("finds that a restart without the snapshot loses what was committed", () => {
    const core = restarting((kept) => ({ ...kept, image: null, base: 0, entries: [] }))
    assert.match(foundIn(bounds("snapshots"), { core }).rule, /quorum/)
  }, timeout)

  it("sees groups that have changed, and serve", () => {
    const seen = new Set<string>()
    const onState: Options["onState"] = (locals) => {
      for (const { commit, replica: { configuration, epochStart }, tag } of locals) {
        const isBeyond = epochStart !== null && commit > epochStart.op
        if (configuration.epoch === 1) seen.add(`${tag}${isBeyond ? ", and more is committed" : ""}`)
      }
    }
    search(bounds("group_grows"), { onState })
    search(bounds("group_moves"), { onState })
    const expected = ["Backup", "Backup, and more is committed", "Leaving", "Primary", "Primary, and more is committed", "Recovery"]
    assert.includeMembers([...seen], expected)
  }, timeout)

  /** A core that takes some messages in another way. */
  const hearing = (change: (replica: Replica, message: Message) => void): Core => ({
    ...realCore,
    step: (replica, inputs, now) => {
      for (const input of inputs) if (input._tag === "Message") change(replica, input.message)
      return realCore.step(replica, inputs, now)
    }
  })

  it("finds an epoch that begins without the log of the one before", () => {
    const core = hearing((replica, { _tag }) => {
      if (_tag !== "StartEpoch" || replica.configuration.epoch > 0) return
      replica.configuration = makeConfiguration(1, ["R1"])
      replica.history = [{ epoch: 1, replicas: ["R1"], leaving: ["R2", "R3"], op: 1, view: 0 }]
      replica.view = replica.logView = firstView(1)
      replica.state = makePrimaryState(replica, { mono: 0, wall: 0 })
    })
    assert.match(foundIn(bounds("group_moves"), { core }).rule, /quorum|the group is what the log says/)
  }, timeout)

  it("finds what follows the last operation of an epoch", () => {
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => {
        const { state } = replica
        if (inputs[0]?._tag === "Requests" && state._tag === "Primary" && state.change !== null) state.change.op = null
        return realCore.step(replica, inputs, now)
      }
    }
    assert.match(foundIn(bounds("group_grows"), { core }).rule, /nothing follows the last operation/)
  }, timeout)

  it("finds a group that changes before its change is committed", () => {
    const core = hearing((replica, message) => {
      const last = replica.log.op > replica.commit ? replica.log.get(replica.log.op) : null
      if (message._tag === "Commit" && last?.kind === "reconfigure") commitTo(replica, last.op, emptyOutcome(replica))
    })
    assert.match(foundIn(bounds("one_is_replaced"), { core }).rule, /what commits first|view is written/)
  }, timeout)

  it("finds reads that nobody has confirmed", () => {
    const core: Core = {
      ...realCore,
      step: (replica, inputs, now) => {
        const out = realCore.step(replica, inputs, now)
        const isRead = inputs.some((input) => input._tag === "Requests" && input.requests[0]?.kind === "read")
        if (isRead) reply(out, { kind: "read", to: { connection: 0, channel: 0 }, request: 1, operation: Uint8Array.of() }, "ok")
        return out
      }
    }
    assert.match(foundIn(bounds("reads"), { core }).rule, /^no read is older/)
  }, timeout)

  it("says when there are more states than it may hold", () => {
    const { exhausted, stopped, violation } = search(f1, { states_max: 1_000 })
    assert.isNull(violation)
    assert.isFalse(exhausted)
    assert.match(stopped ?? "", /more than 1000 states/)
    assert.match(search(f1, { heap_bytes_max: 1 }).stopped ?? "", /heap/)
  })
})
