/**
 * One run of a whole cluster from one seed: it is formed, tenants are created, clients work, and everything that can
 * happen does. Then it stops happening, and all must become well: nodes, replicas, clients; and what clients were told
 * must be what one store could have said.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { between, dice, pick } from "../Dice.ts"
import { checkLinearizable } from "../linearizability/Linearizability.ts"
import { squeeze } from "../Squeeze.ts"
import { Calls, type Outcome } from "./Calls.ts"
import { Changes } from "./Changes.ts"
import { Client } from "./Clients.ts"
import { Cluster } from "./Cluster.ts"
import { Executor, Stuck } from "./Executor.ts"
import { faults, type Ground } from "./Faults.ts"
import { type Plan, planOf } from "./Plan.ts"
import { Sockets } from "./Sockets.ts"
import { Tenants } from "./Tenants.ts"
import { haveConverged, isQuiet, isServing, isWell, registriesAgree } from "./Wellness.ts"
import { Wires } from "./Wires.ts"

export interface NodesReport {
  readonly seed: number
  readonly nodes: number
  readonly tenants: number
  readonly clients: number
  /** By how they ended. */
  readonly calls: Readonly<Record<Outcome, number>>
  /** By kind: how many befell the cluster, and what operators did. */
  readonly faults: Readonly<Record<string, number>>
  /** Histories, one a tenant, for which the checker could not decide in time. */
  readonly undecided: number
  readonly virtual_ms: number
  /** Tasks that the scheduler ran. */
  readonly steps: number
  /** Of all decisions of the scheduler, and all that was delivered. */
  readonly digest: number
  readonly trace: ReadonlyArray<string>
}

/** How long it may take until all is well again: views are lost with a back-off of up to 32 patiences. */
const well_ms = 120_000
/** How long after one node has vanished. Before the kernels notice, which is after 20 s. */
const bereaved_ms = 18_000
const steps_max = 30_000_000
const moment_steps_max = 300_000
/** For each session: about ten times what is usual. */
const redirects_per_second_max = 40
/** Of the trace, in the message of a failure. */
const shown_lines_max = 60

export class NodesFailure extends Error {
  override readonly name = "NodesFailure"
  readonly trace: ReadonlyArray<string>

  constructor(message: string, trace: ReadonlyArray<string>) {
    super(message)
    this.trace = trace
  }
}

/** One run. Throws a {@link NodesFailure} with the seed, the end of the trace and what is wrong. */
export const runNodes = (seed: number): NodesReport => {
  const plan = planOf(seed)
  const restore = squeeze(plan.tight)
  try {
    return runPlan(plan)
  } finally {
    restore()
  }
}

const runPlan = (plan: Plan): NodesReport => {
  const random = dice(plan.seed, "executor")
  const { late_ms, order } = plan
  const executor = new Executor({ random, order, late_ms, steps_max, moment_steps_max })
  const wires = new Wires(dice(plan.seed, "wires"), plan.weather)
  const cluster = new Cluster({ executor, sockets: new Sockets(executor, wires, plan.pipe_bytes_max), plan })
  const story = new Story(cluster)
  let isDone = false
  try {
    cluster.operator.run(story.whole, cluster.operator, (exit) => {
      isDone = true
      if (exit?._tag === "Failure") cluster.fail(`the story broke off: ${String(exit.cause)}`)
    })
    executor.runUntil(() => isDone || cluster.failure !== null)
  } catch (cause) {
    if (!(cause instanceof Stuck)) throw cause
    cluster.fail(cause.message)
  }
  checkRedirects(cluster)
  const undecided = cluster.failure === null ? story.checkHistories() : 0
  if (cluster.failure !== null) throw failed(plan, cluster, cluster.failure)
  return {
    seed: plan.seed,
    nodes: plan.nodes,
    tenants: plan.tenants.length,
    clients: plan.clients.length,
    calls: story.calls.count(),
    faults: story.befallen,
    undecided,
    virtual_ms: Math.round(executor.now),
    steps: executor.steps,
    digest: executor.digest,
    trace: cluster.trace
  }
}

/** Nodes may be wrong about the primary, but not send a client to and fro: a session takes a few hints, and then a pause. */
const checkRedirects = (cluster: Cluster): void => {
  const { executor, plan, redirects } = cluster
  const sessions = plan.clients.reduce((sum, { tenants }) => sum + tenants.length, 0)
  const seconds = executor.now / 1_000
  if (redirects <= redirects_per_second_max * sessions * seconds) return
  cluster.fail(`${sessions} sessions were sent elsewhere ${redirects} times in ${seconds.toFixed(0)} s`)
}

const failed = (plan: Plan, { executor, trace }: Cluster, failure: string): NodesFailure => {
  const tail = trace.slice(-shown_lines_max).join("\n")
  const what = `seed ${plan.seed} fails at ${executor.now.toFixed(1)} ms, step ${executor.steps}: ${failure}`
  const replay = `npm run simulate -- --nodes --seed ${plan.seed}`
  return new NodesFailure(`${what}\n${tail}\n${what}\nreplay: ${replay}`, trace)
}

class Story {
  readonly calls = new Calls()
  readonly befallen: Record<string, number> = {}
  private readonly cluster: Cluster
  private readonly tenants: Tenants
  private readonly clients: ReadonlyArray<Client>
  private readonly ground: Ground
  private readonly changes: Changes

  constructor(cluster: Cluster) {
    this.cluster = cluster
    this.tenants = new Tenants(cluster)
    this.clients = cluster.plan.clients.map((plan) => new Client(cluster, this.calls, plan))
    this.ground = { cluster, tenants: this.tenants, clients: this.clients, random: dice(cluster.plan.seed, "nemesis") }
    this.changes = new Changes(cluster, this.tenants, (what) => this.count(what))
  }

  private count(what: string): void {
    this.befallen[what] = (this.befallen[what] ?? 0) + 1
  }

  readonly whole: Effect.Effect<void> = Effect.scoped(Effect.gen({ self: this }, function*() {
    const { cluster, tenants } = this
    yield* this.form()
    yield* Effect.forkScoped(tenants.watch)
    const creations = yield* Effect.forkScoped(
      Effect.forEach(cluster.plan.tenants, (plan) => tenants.create(plan), { concurrency: "unbounded", discard: true })
    )
    for (const client of this.clients) client.start()
    const joining = yield* Effect.forkScoped(this.joinLate())
    yield* Effect.forkScoped(this.changes.run(cluster.plan.faults_ms))
    yield* this.suffer()
    cluster.note("nemesis", "— ends: from here on all must become well")
    this.heal()
    yield* cluster.until("all tenants are created", well_ms, Effect.sync(() =>
      tenants.ids.size === cluster.plan.tenants.length ? null : `only ${[...tenants.ids.keys()].join(", ")}`))
    yield* Fiber.join(creations)
    yield* Fiber.join(joining)
    yield* this.changes.settle(well_ms)
    yield* cluster.until("everybody is well", well_ms, isWell(cluster))
    yield* cluster.until("all nodes know the groups", well_ms, registriesAgree(cluster, tenants))
    for (const client of this.clients) client.well_since_ms = cluster.executor.now
    yield* this.beServed(well_ms)
    if (cluster.plan.isBereft) yield* this.bereave()
    yield* this.rest()
  }))

  /** All but the one that comes late: they start, and join the first. */
  private form(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { machines, plan } = this.cluster
      const prompt = plan.lateJoin_ms > 0 && plan.nodes > 3 ? machines.slice(0, -1) : machines
      for (const machine of prompt) this.cluster.start(machine)
      yield* Effect.forEach(prompt.slice(1), (machine) => this.join(machine.name), { concurrency: "unbounded", discard: true })
      yield* this.cluster.until("the cluster is formed", well_ms, isWell(this.cluster))
    })
  }

  private joinLate(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const late = this.cluster.machines.at(-1)!
      if (late.state !== "off" || this.cluster.plan.lateJoin_ms === 0) return
      yield* Effect.sleep(this.cluster.plan.lateJoin_ms)
      if (late.process === null) this.cluster.start(late)
      yield* this.join(late.name)
    })
  }

  /** Tries until the first node takes it in. */
  private join(name: string): Effect.Effect<void> {
    const [first] = this.cluster.machines
    const address = `${name}:2000`
    return this.cluster.until(`${name} has joined`, well_ms, Effect.gen({ self: this }, function*() {
      if (first?.state !== "up") return "the first node is not up"
      const joined = yield* this.cluster.ask(first, "cluster.join", { address })
      return Result.isSuccess(joined) ? null : joined.failure.message
    }))
  }

  /** One misfortune after the other, each of which lasts a while. */
  private suffer(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster, ground: { random } } = this
      const end = cluster.executor.now + cluster.plan.faults_ms
      while (cluster.executor.now < end) {
        yield* Effect.sleep(2 * cluster.plan.gap_ms * random.next())
        if (this.ongoing.size >= cluster.plan.together) continue
        const name = pick(random, Object.keys(faults))
        const undo = faults[name]!(this.ground)
        if (undo === null) continue
        this.count(name)
        const for_ms = pick(random, [between(random, 0, 100), between(random, 0, 1_000), between(random, 500, 4_000)])
        const over = () => {
          if (!this.ongoing.delete(over)) return
          cluster.note("nemesis", `ends: ${name}`)
          undo()
        }
        this.ongoing.add(over)
        cluster.operator.after(for_ms, over)
      }
    })
  }

  private readonly ongoing = new Set<() => void>()

  private heal(): void {
    for (const over of this.ongoing) over()
    for (const client of this.clients) client.isRelaxed = true
    this.cluster.sockets.wires.weather = { latency_ms: [0.05, 0.5], split_chance: 0 }
  }

  /** Whoever works is answered again. */
  private beServed(bound_ms: number): Effect.Effect<void> {
    const before = new Map(this.clients.map((client) => [client, client.answered]))
    return this.cluster.until("every client is served", bound_ms, Effect.sync(() => {
      const waiting = this.clients.filter((client) =>
        client.answered < before.get(client)! + 5 || client.entered < client.plan.tenants.length)
      return waiting.length === 0 ? null : `waiting: ${waiting.map(({ plan }) => plan.name).join(", ")}`
    }))
  }

  /** One node is gone for good, without a word: whoever counted on it has to find out. */
  private bereave(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster, ground, tenants } = this
      const spare = cluster.machines.filter((machine) => tenants.couldLose(machine))
      if (spare.length === 0) return
      const machine = pick(ground.random, spare)
      const losses = ["memory", "disk"] as const
      yield* cluster.until("all have their logs", well_ms, Effect.sync(() =>
        losses.every((loss) => tenants.canLose(machine, loss)) ? null : `${machine.name} cannot be spared`))
      for (const client of this.clients) client.well_since_ms = null
      for (const loss of losses) tenants.onLost(machine, loss)
      const bound_ms = cluster.executor.now + bereaved_ms
      cluster.kill(machine, true)
      yield* cluster.until("the others do without it", bereaved_ms, isServing(cluster))
      yield* this.beServed(bound_ms - cluster.executor.now)
      if (cluster.plan.changes === null) return
      yield* this.changes.replace(machine.name, well_ms)
      yield* this.changes.settle(well_ms)
      yield* cluster.until("those that are left know the groups", well_ms, registriesAgree(cluster, tenants))
      yield* this.beServed(well_ms)
    })
  }

  /** Clients leave, replicas agree, nodes stop. */
  private rest(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster } = this
      for (const client of this.clients) client.leave()
      yield* cluster.until("all clients have left", well_ms, Effect.sync(() =>
        this.clients.every(({ isOver }) => isOver) ? null : "some have not"))
      yield* cluster.until("all replicas agree", well_ms, haveConverged(cluster, this.tenants))
      yield* cluster.until("no connection of a client is left", well_ms, isQuiet(cluster))
      for (const machine of cluster.machines) if (machine.state === "up") cluster.stop(machine)
      yield* cluster.until("all nodes have stopped", well_ms, Effect.sync(() =>
        cluster.machines.every(({ state }) => state === "off") ? null : "some have not"))
    })
  }

  /** How many histories could not be decided. */
  checkHistories(): number {
    let undecided = 0
    for (const { name } of this.cluster.plan.tenants) {
      const verdict = checkLinearizable(this.calls.of(name))
      if (verdict._tag === "Undecided") undecided++
      if (verdict._tag === "NotLinearizable") {
        this.cluster.fail(`the history of ${name} is not linearizable, in ${verdict.partition}: ${verdict.explanation}`)
      }
    }
    return undecided
  }
}
