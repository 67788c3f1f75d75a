/**
 * A group of replicas over the pure core, with everything around it simulated: network, disks, clocks, clients, faults.
 * One seed decides everything. All invariants are checked after every step and whenever something leaves a replica.
 *
 * @module
 */
import type { Durability } from "../../src/storage/Journal.ts"
import { type Configuration, isMember, makeConfiguration, primaryOf } from "../../src/vr/Configuration.ts"
import { countOf, epochOf, type Message, type ReplicaId } from "../../src/vr/Message.ts"
import type { Reply, Timers } from "../../src/vr/Replica.ts"
import { holds, same } from "./checkers/Check.ts"
import { allCheckers } from "./checkers/all.ts"
import type { Checker, World } from "./checkers/Checker.ts"
import { Client, type ClientSurroundings, type Pending } from "./Client.ts"
import { Coverage } from "./Coverage.ts"
import type { Workload } from "./Data.ts"
import { EventQueue } from "./EventQueue.ts"
import { History } from "./History.ts"
import { type Envelope, fairWeather, type Hold, Network, type Weather } from "./Network.ts"
import { Process } from "./Process.ts"
import type { ProcessOptions, Surroundings } from "./Surroundings.ts"
import { append, get, registers } from "./Register.ts"
import { Trace } from "./Trace.ts"

export interface SimulationOptions {
  readonly replicas: number
  readonly seed: number
  readonly timers?: Timers
  /** None unless said otherwise. */
  readonly lease_ms?: number
  readonly weather?: Weather
  readonly tick_ms?: number
  /** Memory unless said otherwise. */
  readonly durability?: Durability
  readonly disk_ms?: number
  readonly turn_ms?: number
  readonly retry_ms?: number
  readonly sessionsMax?: number
  readonly inboxMax?: number
  /** Registers unless said otherwise. */
  readonly workload?: Workload
  /** There is a trace. */
  readonly keepTrace?: boolean
}

const viewText = (view: number): string => epochOf(view) === 0 ? String(view) : `${epochOf(view)}/${countOf(view)}`

export class Simulation implements World {
  /** Of each epoch that a replica has gone over to. */
  readonly configurations: Array<Configuration>
  readonly processes: Array<Process>
  /** Groups that the present one was asked to become: each of them may be in its log. */
  asked: ReadonlyArray<ReadonlyArray<ReplicaId>> = []
  readonly history: History
  readonly events = new EventQueue()
  readonly network: Network
  readonly trace: Trace
  readonly clients: Array<Client> = []
  /** Faults are over. */
  isCalm = false
  /** Every client asks one replica for so many writes at once. */
  burst: (target: ReplicaId, count: number) => void = () => {}
  /** Every client reads something there, if few of its reads are open. */
  glance: (target: ReplicaId) => void = () => {}
  /** Steps of replicas so far. */
  steps = 0
  lastStepped: ReplicaId | null = null
  readonly coverage = new Coverage()
  private readonly checkers: ReadonlyArray<Checker> = allCheckers()
  private readonly seed: number
  private readonly workload: Workload
  private readonly retry_ms: number
  private readonly processOptions: ProcessOptions

  private constructor(options: SimulationOptions) {
    this.seed = options.seed
    this.trace = new Trace(options.keepTrace === true)
    this.workload = options.workload ?? registers
    this.retry_ms = options.retry_ms ?? 300
    const ids = Array.from({ length: options.replicas }, (_, i) => `R${i}`)
    this.configurations = [makeConfiguration(0, ids)]
    const sessionsMax = options.sessionsMax ?? 1_000
    this.history = new History(sessionsMax, this.workload.model())
    this.network = new Network(this.events, options.seed, (envelope) => this.arrive(envelope), options.weather ?? fairWeather())
    this.processOptions = {
      timers: options.timers ?? { heartbeat_ms: 100, view_change_ms: 500 },
      lease_ms: options.lease_ms ?? 0,
      tick_ms: options.tick_ms ?? 20,
      durability: options.durability ?? "memory",
      disk_ms: options.disk_ms ?? 0,
      turn_ms: options.turn_ms ?? 0,
      sessionsMax,
      inboxMax: options.inboxMax ?? 1_000
    }
    this.processes = ids.map((id) => new Process(id, this.processOptions, this.surroundings(), this.configuration))
  }

  static start(options: SimulationOptions): Simulation {
    return new Simulation(options)
  }

  private surroundings(): Surroundings {
    const { events, seed, workload } = this
    return {
      events,
      seed,
      makeData: workload.replica,
      onStep: (process, before, out, inputs) => {
        this.steps++
        this.lastStepped = process.id
        if (out.configuration !== null && out.configuration.epoch > this.configuration.epoch) this.change(out.configuration)
        // What came later in the turn may have met a later state.
        for (const input of inputs) if (input._tag === "Message") this.coverage.counts[before.tag][input.message._tag]++
        this.trace.step(this.steps, this.events.now, process, before, inputs, out)
        for (const checker of this.checkers) checker.onStep?.(this, process, before, out, inputs)
      },
      onSends: (process, sends) => {
        if (sends.length === 0) return
        for (const checker of this.checkers) checker.onSends?.(this, process, sends)
        for (const { epoch, message, to } of sends) this.network.send(process.id, to, { _tag: "Peer", epoch, message })
      },
      onReplies: (process, out) => {
        if (out.replies.length === 0) return
        for (const checker of this.checkers) checker.onReplies?.(this, process, out)
        for (const reply of out.replies) this.network.send(process.id, `C${reply.to.connection}`, { _tag: "Reply", reply })
      },
      onSnapshot: (process, op, digest) => {
        this.trace.note(this.events.now, process.id, `has written its snapshot of op ${op}`)
        for (const checker of this.checkers) checker.onSnapshot?.(this, process, op, digest)
      },
      onCrash: (process) => {
        this.trace.note(this.events.now, process.id, "crashes")
        for (const checker of this.checkers) checker.onCrash?.(this, process)
      },
      onRestart: (process) => {
        this.coverage.restarted(process.replica.state._tag)
        for (const checker of this.checkers) checker.onRestart?.(this, process)
      }
    }
  }

  private arrive({ from, payload, to }: Envelope): void {
    if (payload._tag === "Reply") return this.clients[Number(to.slice(1))]?.receive(payload.reply, from)
    const process = this.replica(to)
    if (payload._tag === "Peer") process.input({ _tag: "Message", from, epoch: payload.epoch, message: payload.message })
    else process.input({ _tag: "Requests", requests: [payload.request] })
  }

  // --- the group

  /** The newest one that anybody has gone over to. */
  get configuration(): Configuration {
    return this.configurations[this.configurations.length - 1]!
  }

  private change(configuration: Configuration): void {
    const known = this.configuration
    same(configuration.epoch, known.epoch + 1, "the group", "epochs begin one after the other")
    const isAsked = this.asked.some((replicas) => replicas.join() === configuration.replicas.join())
    holds(isAsked, "the group", "becomes what it was asked to become")
    this.configurations.push(configuration)
    this.asked = []
  }

  /**
   * Asks primaries, for a while, to make these the group; those that are new begin to follow. Ids are taken in order, and
   * never again.
   */
  reconfigure(replicas: ReadonlyArray<ReplicaId>, for_ms: number): void {
    const { configuration, events } = this
    for (const id of replicas) {
      if (this.processes.some((process) => process.id === id)) continue
      this.processes.push(new Process(id, this.processOptions, this.surroundings(), configuration))
    }
    this.asked = [...this.asked, [...replicas].sort()]
    const end = events.now + for_ms
    const ask = (): void => {
      if (this.configuration !== configuration || this.isCalm || events.now > end) return
      this.ask(replicas)
      events.after(100, ask)
    }
    ask()
  }

  private ask(replicas: ReadonlyArray<ReplicaId>): void {
    for (const process of this.processes) if (process.isUp) process.input({ _tag: "Reconfigure", replicas })
  }

  /** What is not in a log yet is not wanted any more. */
  withdraw(): void {
    this.ask(this.configuration.replicas)
  }

  /**
   * Is a change of the group still to come? What a primary of an earlier one has in its log has no quorum any more, and if all who
   * could tell it of the next one have lost their memory, it never hears of that here (corpus: nobody-left-to-tell-of-the-change);
   * in a node it does, by gossip.
   */
  get isChanging(): boolean {
    return this.processes.some((process) => {
      if (!process.isUp || process.replica.configuration.epoch < this.configuration.epoch) return false
      const { state } = process.replica
      return state._tag === "Primary" && state.change !== null
    })
  }

  /** Groups of which each needs a quorum with its memory, until its successor has begun. */
  get needed(): ReadonlyArray<Configuration> {
    const last = this.configurations.length - 1
    const isOver = (epoch: number): boolean => {
      const { quorum, replicas } = this.configurations[epoch + 1]!
      return this.processes.filter(({ id, journal }) => replicas.includes(id) && journal.head.epoch > epoch).length >= quorum
    }
    const present = this.configurations.filter(({ epoch }) => epoch === last || !isOver(epoch))
    return [...present, ...this.asked.map((replicas) => makeConfiguration(last + 1, replicas))]
  }

  // --- looking

  /** Replicas read without asking as long as their clocks go about equally fast. */
  get hasLeases(): boolean {
    return this.processOptions.lease_ms > 0
  }

  /** Crashes cost no memory: disk durability. */
  get keepsLogs(): boolean {
    return this.processes[0]!.journal.durability === "disk"
  }

  replica(id: ReplicaId): Process {
    const process = this.processes.find((one) => one.id === id)
    if (process === undefined) throw new Error(`there is no ${id}`)
    return process
  }

  /** The primary of the highest view that has one which serves; undefined if there is none. */
  get primary(): ReplicaId | undefined {
    let found: Process | undefined
    for (const process of this.processes) {
      if (!process.isUp || process.paused) continue
      const { state } = process.replica
      if (state._tag !== "Primary" || state.abdicated) continue
      if (found === undefined || process.view > found.view) found = process
    }
    return found?.id
  }

  primaryOf(view: number): ReplicaId {
    return primaryOf(this.groupOf(view), view)
  }

  readonly groupOf = (view: number): Configuration => this.configurations[epochOf(view)] ?? this.configuration

  /** All members are up and normal in one view, and have committed the same. */
  get hasConverged(): boolean {
    return this.haveConverged(this.processes.filter(({ id }) => isMember(this.configuration, id)))
  }

  /** The same for some of them. */
  haveConverged(processes: ReadonlyArray<Process>): boolean {
    const [first] = processes
    if (first === undefined || !first.isUp) return false
    return processes.every((process) =>
      (process.state === "Primary" || process.state === "Backup") && process.view === first.view &&
      process.commit === this.history.op && process.op === first.op
    )
  }

  // --- faults

  /** Both directions between two replicas. A cut connection is noticed by both ends, unless it is cut silently. */
  link(a: string, b: string): { readonly cut: () => void; readonly heal: () => void; readonly breaks: () => void } {
    return {
      cut: () => {
        this.network.cut(a, b)
        this.network.cut(b, a)
      },
      heal: () => {
        this.network.heal(a, b)
        this.network.heal(b, a)
      },
      breaks: () => {
        this.replica(a).input({ _tag: "PeerLost", replica: b })
        this.replica(b).input({ _tag: "PeerLost", replica: a })
      }
    }
  }

  /** One direction. */
  path(from: string, to: string): { readonly cut: () => void; readonly heal: () => void } {
    return { cut: () => this.network.cut(from, to), heal: () => this.network.heal(from, to) }
  }

  /** Cuts a replica off from all other replicas. */
  isolate(id: ReplicaId): void {
    for (const { id: other } of this.processes) if (other !== id) this.link(id, other).cut()
  }

  heal(): void {
    this.network.healAll()
  }

  /** Keeps back what matches, from now on. */
  hold(matches: (message: Message, from: string, to: string) => boolean): Hold {
    return this.network.hold(({ from, payload, to }) => payload._tag === "Peer" && matches(payload.message, from, to))
  }

  holdReplies(matches: (reply: Reply, from: string, to: string) => boolean): Hold {
    return this.network.hold(({ from, payload, to }) => payload._tag === "Reply" && matches(payload.reply, from, to))
  }

  // --- going on

  /** Simulated time passes. */
  run(duration_ms: number): void {
    const end = this.events.now + duration_ms
    while (this.events.nextAt <= end) this.events.runNext()
    this.events.now = end
  }

  /** Until the condition holds; fails if it does not within the limit of simulated time. */
  runUntil(condition: () => boolean, limit_ms = 30_000): void {
    const end = this.events.now + limit_ms
    while (!condition()) {
      if (this.events.nextAt > end) throw new Error(`not reached within ${limit_ms} ms: ${String(condition)}\n${this.summary()}`)
      this.events.runNext()
    }
  }

  summary(): string {
    return this.processes.map((process) => {
      if (!process.isUp) return `${process.id}: down`
      const { commit, log, logView, state, view } = process.replica
      const views = `view ${viewText(view)} logView ${viewText(logView)}`
      return `${process.id}: ${state._tag} ${views} op ${log.op} commit ${commit}${process.paused ? " paused" : ""}`
    }).join("\n")
  }

  // --- clients

  client(watch: Partial<Pick<ClientSurroundings, "onAsked" | "onAnswered">> = {}): Client {
    const { events, network } = this
    const client = new Client(this.clients.length, { retry_ms: this.retry_ms }, {
      events,
      replicas: () => this.configuration.replicas,
      send: (from, to, request) => network.send(from, to, { _tag: "Request", request }),
      onAsked: (asking, pending) => {
        for (const checker of this.checkers) checker.onAsked?.(this, pending.request)
        watch.onAsked?.(asking, pending)
      },
      onAnswered: watch.onAnswered ?? (() => {})
    })
    this.clients.push(client)
    return client
  }

  private get anyClient(): Client {
    return this.clients[0] ?? this.client()
  }

  /** Appends through a client and waits for the answer. */
  append(key = "k", client = this.anyClient, limit_ms = 30_000): Pending {
    return this.write(append(key, client.tag()), client, limit_ms)
  }

  /** The same for an append that the test made itself. */
  write(operation: Uint8Array, client = this.anyClient, limit_ms = 30_000): Pending {
    let asked: Pending | undefined
    client.write(operation, (pending) => {
      asked = pending
    })
    this.runUntil(() => asked?.reply !== undefined, limit_ms)
    return asked!
  }

  /** Reads through a client and waits for the answer. */
  read(key = "k", client = this.anyClient, limit_ms = 30_000): Pending {
    const asked = client.read(get(key))
    this.runUntil(() => asked.reply !== undefined, limit_ms)
    return asked
  }
}
