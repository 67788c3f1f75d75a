/**
 * A replica as its caller sees it (the contract in src/vr/Replica.ts): an inbox, one turn at a time, writes before
 * sends, turns that go on while entries are written, crashes between any two of these, pauses, a clock of its own.
 *
 * @module
 */
import { crc32 } from "../../src/base/Checksum.ts"
import { type Random, seeded } from "../../src/base/Random.ts"
import { type Configuration, isMember } from "../../src/vr/Configuration.ts"
import type { Entry, OpNumber, ReplicaId, View } from "../../src/vr/Message.ts"
import type { Input, Now, Outcome, Replica, StateTag } from "../../src/vr/Replica.ts"
import type { ReplicaOptions } from "../../src/vr/MakeReplica.ts"
import { isBehind, knownCommit } from "../../src/vr/states/Backup.ts"
import { awaitsOwnCopy } from "../../src/vr/states/Primary.ts"
import { newLearner, newReplica, recoveringReplica, restartedReplica, step, stepAhead } from "../../src/vr/Step.ts"
import type { Replicated } from "./Data.ts"
import { dice } from "./Dice.ts"
import { hasToWrite, imageOf, Journal } from "./Journal.ts"
import { Saver } from "./Saver.ts"
import type { Before, ProcessOptions, Surroundings, Waiting } from "./Surroundings.ts"

const epoch_2026 = 1_767_225_600_000

export class Process {
  readonly id: ReplicaId
  readonly journal: Journal
  /** undefined while the process is down. */
  private running: Replica | undefined
  private replicated: Replicated
  private readonly random: Random
  paused = false
  /** Writes take up to so much longer. */
  slowedBy_ms = 0
  /** No write ends. */
  hangs = false
  /** The one that would have. */
  private hung: ReadonlyArray<Waiting> | null = null
  /** Its disk is lost: it will not come back under its name. */
  isGone = false
  /** Parts of the monotonic clock, and the offset of the wall clock. */
  private clock = { rate: 1, offset: 0 }
  wallOffset_ms = 0
  /** How often it came back without its log. */
  losses = 0
  /** Incarnations: what is due for an earlier one is void. */
  private life = 0
  private inbox: Array<Input> = []
  /** By steps, in order; the first ones of them are being written, all in one. */
  private waiting: Array<Waiting> = []
  private underWay = 0
  /** No turn before all that waits is written: the last of it is more than entries. */
  private isHeldUp = false
  /** A write that was done while the process stood still. */
  private unheeded: ReadonlyArray<Waiting> | null = null
  /** The replica is to be told of it at its next turn; 0: nothing. `tells`: that turn is not to wait for anything else. */
  private durable: OpNumber = 0
  private tells = false
  private turnDue = false
  /** In its next turn it stands still for so long, once it has taken its inputs and looked at the clock. */
  stall_ms = 0
  /** What it has then. */
  private begun: { readonly inputs: ReadonlyArray<Input>; readonly now: Now } | null = null
  private readonly saver: Saver
  /** Crash at this point of the next turn that comes to it. A failed flush leaves open what is on the disk. */
  crashAt: "early sent" | "flush failed" | "written" | null = null
  private readonly options: ProcessOptions
  private readonly around: Surroundings

  /** Of the group, or one that is to join it. */
  constructor(id: ReplicaId, options: ProcessOptions, around: Surroundings, configuration: Configuration) {
    this.id = id
    this.options = options
    this.around = around
    this.random = dice(around.seed, id)
    this.journal = new Journal(options.durability, configuration)
    this.saver = new Saver({
      events: around.events,
      hangs: () => this.hangs,
      part_ms: () => (options.disk_ms + this.slowedBy_ms + 1) * this.random.next(),
      onSaved: (op, parts) => this.saved(op, parts)
    })
    this.replicated = around.makeData()
    this.running = this.make((made) => isMember(configuration, id) ? newReplica(made) : newLearner(made))
    this.tickLater()
  }

  private make(create: (options: ReplicaOptions) => Replica): Replica {
    this.replicated = this.around.makeData()
    return create({
      id: this.id,
      configuration: this.journal.configuration,
      left: this.journal.left,
      application: this.replicated,
      random: seeded(Math.floor(this.random.next() * 2 ** 32)),
      timers: this.options.timers,
      lease_ms: this.options.lease_ms,
      hold_ms: this.life === 0 ? 0 : this.options.lease_ms,
      now: this.now,
      sessionsMax: this.options.sessionsMax
    })
  }

  get now(): Now {
    const mono = this.around.events.now * this.clock.rate + this.clock.offset
    return { mono, wall: Math.floor(epoch_2026 + this.around.events.now + this.wallOffset_ms) }
  }

  /** From now on the monotonic clock runs at `rate`, and jumps ahead once; it never goes back. */
  drift(rate: number, jump_ms = 0): void {
    this.clock = { rate, offset: this.now.mono + jump_ms - this.around.events.now * rate }
  }

  get isUp(): boolean {
    return this.running !== undefined
  }

  get replica(): Replica {
    if (this.running === undefined) throw new Error(`${this.id} is down`)
    return this.running
  }

  get data(): Replicated {
    return this.replicated
  }

  get state(): StateTag | "Down" {
    return this.running?.state._tag ?? "Down"
  }

  /** Holds data that the group may count on: in memory, unless it recovers; or, while it is down, on a sound disk. */
  get remembers(): boolean {
    if (this.running === undefined) return this.journal.isTrusted && !this.isGone
    const { configuration, epochStart, state } = this.running
    // Who has no vote may come back with nothing, which is said by nothing but that.
    const hasNothing = epochStart === null && configuration.epoch > 0 && !isMember(configuration, this.id)
    return state._tag !== "Recovery" && !hasNothing
  }

  /** Without its memory, or it will be after a crash that may come at any time. */
  get isLost(): boolean {
    return !this.remembers || (this.journal.durability === "disk" ? !this.journal.isTrusted : this.crashAt !== null)
  }

  get view(): View {
    return this.replica.view
  }

  /** As it was written last. */
  get configuration(): Configuration {
    return this.journal.configuration
  }

  get commit(): OpNumber {
    return this.replica.commit
  }

  /** The last entry that was handed over to be written, and is not written yet. */
  get lastHandedOver(): Entry | undefined {
    return this.waiting.findLast(({ out }) => out.entries.length > 0)?.out.entries.at(-1)
  }

  /** What was handed over to be written there, and is not written yet. */
  handedOver(op: OpNumber): Entry | undefined {
    return this.waiting.flatMap(({ out }) => out.entries).findLast((entry) => entry.op === op)
  }

  get op(): OpNumber {
    return this.replica.log.op
  }

  /** Snapshots that were given to be written, and are not. */
  get snapshotsHeld(): number {
    return this.saver.held + this.waiting.filter(({ out }) => out.snapshot !== null).length
  }

  // --- faults

  /** `finds`: what is being written then; drawn unless said otherwise. */
  crash({ finds = this.random.next() < 0.5 } = {}): void {
    if (this.running === undefined) return
    this.life++
    // What is being written is found whole, or not at all.
    if (this.underWay > 0 && this.unheeded === null && finds) this.write(this.waiting.slice(0, this.underWay))
    this.running = undefined
    this.inbox = []
    this.waiting = []
    this.underWay = 0
    this.isHeldUp = false
    this.unheeded = null
    this.durable = 0
    this.tells = false
    this.crashAt = null
    this.hangs = false
    this.hung = null
    this.turnDue = false
    this.begun = null
    this.stall_ms = 0
    this.saver.stop()
    this.paused = false
    this.journal.lose()
    this.around.onCrash(this)
  }

  /**
   * Comes back with what it wrote: in disk mode all of it, unless its disk is damaged; else the head alone. `forgetful`:
   * without even that (flaw F1).
   */
  restart({ forgetful = false } = {}): void {
    if (this.running !== undefined || this.isGone) return
    if (forgetful) this.journal.head = { epoch: 0, view: 0, log_view: 0 }
    const { base, commit, configuration, entries, head, isTrusted, newest } = this.journal
    if (isTrusted) {
      const kept = { view: head.view, logView: head.log_view, base, entries, commit }
      this.running = this.make((made) => restartedReplica(made, { ...kept, image: imageOf(newest, made) }))
    } else {
      this.losses++
      this.journal.giveUp()
      this.running = this.make((made) =>
        isMember(configuration, this.id) ? recoveringReplica(made, head.view) : newLearner(made, head.view, head.log_view))
    }
    this.around.onRestart(this)
    this.tickLater()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    const { begun } = this
    this.begun = null
    if (begun !== null) this.takeStep(begun.inputs, begun.now)
    if (this.paused || this.running === undefined) return
    if (this.unheeded !== null) this.finish(this.unheeded)
    else this.turnSoon()
  }

  hang(): void {
    this.hangs = true
  }

  /** The writes end after all. */
  goOn(): void {
    const { hung } = this
    this.hangs = false
    this.hung = null
    if (hung !== null) this.written(hung)
  }

  /** What came by connections that are gone, and was not looked at yet. */
  loseMessages(): void {
    this.inbox = this.inbox.filter(({ _tag }) => _tag !== "Message")
  }

  // --- inputs

  input(input: Input): void {
    if (this.running === undefined || this.inbox.length >= this.options.inboxMax) return
    this.inbox.push(input)
    this.turnSoon()
  }

  /** The first one comes at any time: replicas do not tick in step. */
  private tickLater(after_ms = this.options.tick_ms * this.random.next()): void {
    const life = this.life
    this.around.events.after(after_ms / this.clock.rate, () => {
      if (life !== this.life) return
      // As in a node: a process that stands still makes no ticks, and one that is slow does not collect them.
      if (!this.paused && this.inbox[this.inbox.length - 1]?._tag !== "Tick") this.input({ _tag: "Tick" })
      this.tickLater(this.options.tick_ms)
    })
  }

  private turnSoon(): void {
    if (this.turnDue || !this.hasToTurn) return
    if (this.options.turn_ms === 0) return this.turn()
    const life = this.life
    this.turnDue = true
    this.around.events.after(this.options.turn_ms * this.random.next(), () => {
      if (life !== this.life) return
      this.turnDue = false
      this.turn()
    })
  }

  /** Something has come, is durable and waited for, or is to be applied. */
  private get hasToTurn(): boolean {
    return this.inbox.length > 0 || this.tells || this.running !== undefined && isBehind(this.running)
  }

  private turn(): void {
    if (this.running === undefined || this.paused || this.isHeldUp || !this.hasToTurn) return
    // What became durable comes first: the others may cut the log.
    const inputs: ReadonlyArray<Input> = this.durable > 0 ? [{ _tag: "Durable", op: this.durable }, ...this.inbox] : this.inbox
    this.inbox = []
    this.durable = 0
    this.tells = false
    const { now, stall_ms } = this
    if (stall_ms === 0) return this.takeStep(inputs, now)
    this.stall_ms = 0
    const begun = { inputs, now }
    this.begun = begun
    this.pause()
    this.around.events.after(stall_ms, () => {
      if (this.begun === begun) this.resume()
    })
  }

  private takeStep(inputs: ReadonlyArray<Input>, now: Now): void {
    const running = this.replica
    const { commit, log, logView, state, view } = running
    const before: Before = { tag: state._tag, view, logView, commit, op: log.op }
    // What is left of a turn is taken by the next one, whatever has come meanwhile.
    const out = (isBehind(running) ? step : stepAhead)(running, inputs, now)
    this.around.onStep(this, before, out, inputs)
    this.around.onSends(this, out.early)
    if (this.crashAt === "early sent") return this.crash()
    const isPlain = out.head === null && out.install === null && out.truncate_to === null
    if (isPlain) this.around.onReplies(this, out)
    if (this.waiting.length === 0 && !hasToWrite(out)) {
      this.letGo(out)
      return this.turnSoon()
    }
    this.waiting.push({ out, commit: knownCommit(running), left: running.left })
    this.isHeldUp = !isPlain
    this.writeNext()
    this.turnSoon()
  }

  /** All that waits in one write; what is more than entries, in one of its own. */
  private writeNext(): void {
    if (this.underWay > 0 || this.waiting.length === 0) return
    this.underWay = this.isHeldUp && this.waiting.length > 1 ? this.waiting.length - 1 : this.waiting.length
    const batch = this.waiting.slice(0, this.underWay)
    const write_ms = batch.some(({ out }) => hasToWrite(out)) ? this.options.disk_ms + this.slowedBy_ms : 0
    if (write_ms === 0) return this.written(batch)
    const life = this.life
    this.around.events.after(write_ms * this.random.next(), () => {
      if (life === this.life) this.written(batch)
    })
  }

  private written(batch: ReadonlyArray<Waiting>): void {
    if (this.hangs && batch.some(({ out }) => hasToWrite(out))) {
      this.hung = batch
      return
    }
    if (this.crashAt === "flush failed") return this.crash()
    this.write(batch)
    // Set before a crash too, which would find it half of the time only.
    this.unheeded = batch
    if (this.crashAt === "written") this.crash()
    else if (!this.paused) this.finish(batch)
  }

  private write(batch: ReadonlyArray<Waiting>): void {
    for (const { out, ...replica } of batch) {
      if (hasToWrite(out)) this.journal.write(out, replica)
      out.install?.release()
    }
  }

  private finish(batch: ReadonlyArray<Waiting>): void {
    this.waiting = this.waiting.slice(batch.length)
    this.underWay = 0
    this.unheeded = null
    const heldUp = this.isHeldUp && this.waiting.length === 0
    this.durable = batch.findLast(({ out }) => out.entries.length > 0)?.out.entries.at(-1)?.op ?? this.durable
    // Behind a cut all that is there is durable, and what was to be told before may be of what is not there any more.
    if (heldUp && this.durable > 0) this.durable = this.replica.log.op
    this.tells ||= this.durable > 0 && (heldUp || awaitsOwnCopy(this.replica))
    if (heldUp) this.isHeldUp = false
    for (const { out } of batch) {
      if (heldUp) this.around.onReplies(this, out)
      this.letGo(out)
    }
    this.writeNext()
    this.turnSoon()
  }

  private letGo(out: Outcome): void {
    this.around.onSends(this, out.sends)
    if (out.snapshot !== null) this.saver.save(out.snapshot)
  }

  private saved(op: OpNumber, parts: ReadonlyArray<Uint8Array>): void {
    const digest = parts.reduce((before, part) => crc32(part, before), 0)
    this.journal.save(op, parts)
    this.around.onSnapshot(this, op, digest)
    this.input({ _tag: "Snapshotted", op, digest })
  }
}
