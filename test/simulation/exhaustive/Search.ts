/**
 * Breadth-first search over everything that can happen to a small group within given bounds: an explicit-state model
 * check of the real core. Finds a shortest trace to a violation, or says that there is none.
 *
 * @module
 */
import { makeConfiguration, primaryOf } from "../../../src/vr/Configuration.ts"
import { countOf, epochOf } from "../../../src/vr/Message.ts"
import type { Replica } from "../../../src/vr/Replica.ts"
import { squeeze } from "../Squeeze.ts"
import { type Core, realCore } from "./Action.ts"
import type { Bounds } from "./Bounds.ts"
import { countsAsTick, type Outlook } from "./Dead.ts"
import { type Inbox, Inboxes } from "./Inbox.ts"
import { crash, deliver, late, type Local, type Mail, Model, type Move, read, reconfigure, request, restart, skip, tick } from "./Model.ts"
import { Histories, type History, oneLogPerView, primaryIsLongest, quorumsHold, withCommits } from "./Rules.ts"
import { tight } from "./Snapshots.ts"
import { StateTable } from "./StateTable.ts"
import { type Happened, tell } from "./Story.ts"

export interface Options {
  /** A restart forgets the promised view (flaw F1). */
  readonly forgetful?: boolean
  readonly core?: Core
  /** Gives up beyond that many; a state takes about 60 bytes (of 3 replicas). */
  readonly states_max?: number
  /** Gives up when the tables of replicas and inboxes have made the heap grow beyond. */
  readonly heap_bytes_max?: number
  /** Keeps messages that can have no effect: to show that they have none. */
  readonly keepsDead?: boolean
  readonly onProgress?: (progress: Progress) => void
  /** Every new state's replicas. */
  readonly onState?: (locals: ReadonlyArray<Local>) => void
}

export interface Progress {
  readonly states: number
  /** Actions from the first state. */
  readonly depth: number
  /** States that are still to be left. */
  readonly open: number
  readonly seconds: number
}

export interface Found {
  readonly rule: string
  /** Readable, one line an action. */
  readonly trace: ReadonlyArray<string>
  readonly happened: ReadonlyArray<Happened>
  /** How the search left them. */
  readonly replicas: ReadonlyArray<Replica>
}

export interface SearchReport {
  readonly states: number
  readonly depth: number
  /** Every state within the bounds was seen, and keeps the rules. */
  readonly exhausted: boolean
  readonly violation: Found | null
  /** Why it gave up, if it did. */
  readonly stopped: string | null
  readonly seconds: number
}

/** Of an epoch, from 0: there are bits for so many, of two epochs. */
const views_max = 6
const statesMax = 30_000_000
const heapBytesMax = 1.5e9

/** Budgets used, and what the rules have to remember; packed into one word. */
interface Spent {
  requests: number
  crashes: number
  ticks: number
  lates: number
  skips: number
  /** 0: not asked; else 1 + the commits at the time when it was asked. */
  read: number
  /** One bit a view. */
  started: number
}

const pack = ({ crashes, lates, read, requests, skips, started, ticks }: Spent): number =>
  requests | (crashes << 3) | (ticks << 6) | (lates << 10) | (skips << 13) | (read << 16) | (started << 20)

const unpack = (word: number): Spent => ({
  requests: word & 7,
  crashes: (word >> 3) & 7,
  ticks: (word >> 6) & 15,
  lates: (word >> 10) & 7,
  skips: (word >> 13) & 7,
  read: (word >> 16) & 15,
  started: word >> 20
})

/** An action as a number: its kind, the replica, and the argument. */
const codeOf = (kind: number, index: number, argument: number): number => kind | (index << 4) | (argument << 7)

class Search {
  readonly model: Model
  private readonly bounds: Bounds
  /** How many replicas there are in all. */
  private readonly size: number
  private readonly options: Options
  private readonly inboxes = new Inboxes()
  private readonly histories = new Histories()
  private readonly table: StateTable
  private readonly began = performance.now()
  private violation: Found | null = null
  private stopped: string | null = null
  private depth = 0
  // The state that is being left.
  private at = 0
  private locals: Array<Local> = []
  private boxes: Array<Inbox> = []
  private spent = unpack(0)
  private history: History
  // The next one.
  private readonly words: Int32Array

  constructor(bounds: Bounds, options: Options) {
    this.size = bounds.replicas + bounds.joiners
    const ids = Array.from({ length: this.size }, (_, i) => `R${i}`)
    const { core = realCore, forgetful = false } = options
    const first = makeConfiguration(0, ids.slice(0, bounds.replicas))
    this.model = new Model(core, first, ids, forgetful, bounds.snapshots > 0)
    this.bounds = bounds
    this.options = options
    this.history = this.histories.all[0]!
    this.words = new Int32Array(2 * this.size + 2)
    this.table = new StateTable(this.words.length)
  }

  run(): SearchReport {
    this.locals = [...this.model.initial()]
    this.boxes = this.locals.map(() => this.inboxes.empty)
    this.spent.started = 1
    this.enter(-1, 0)
    let level = 0
    while (level < this.table.count && this.isGoing) {
      const end = this.table.count
      this.tellProgress(end - level)
      for (let at = level; at < end && this.isGoing; at++) {
        this.leave(at)
        this.guard(at)
      }
      level = end
      this.depth++
    }
    const { depth, seconds, stopped, violation } = this
    return { states: this.table.count, depth, exhausted: violation === null && stopped === null, violation, stopped, seconds }
  }

  private get isGoing(): boolean {
    return this.violation === null && this.stopped === null
  }

  /** Better no answer than a machine that swaps. */
  private guard(at: number): void {
    const { heap_bytes_max = heapBytesMax, states_max = statesMax } = this.options
    if (this.table.count > states_max) this.stopped = `there are more than ${states_max} states`
    if (at % 4096 === 0 && process.memoryUsage().heapUsed > heap_bytes_max) {
      this.stopped = `the heap has grown beyond ${heap_bytes_max} bytes`
    }
  }

  private get seconds(): number {
    return (performance.now() - this.began) / 1000
  }

  private tellProgress(open: number): void {
    this.options.onProgress?.({ states: this.table.count, depth: this.depth, open, seconds: this.seconds })
  }

  private load(at: number): void {
    this.table.read(at, this.words)
    const { size } = this
    this.at = at
    for (let i = 0; i < size; i++) {
      this.locals[i] = this.model.locals[this.words[i]!]!
      this.boxes[i] = this.inboxes.all[this.words[size + i]!]!
    }
    this.spent = unpack(this.words[2 * size]!)
    this.history = this.histories.all[this.words[2 * size + 1]!]!
  }

  /** All that can happen in state `at`. */
  private leave(at: number): void {
    this.load(at)
    const { bounds, size, spent } = this
    for (let i = 0; i < size && this.violation === null; i++) {
      for (const mail of this.boxes[i]!.mails) this.arrive(i, mail)
      if (spent.ticks < bounds.ticks) this.happen(i, tick, 0, { ...spent, ticks: spent.ticks + 1 })
      if (spent.lates < bounds.lates) this.happen(i, late, 0, { ...spent, lates: spent.lates + 1 })
      if (spent.crashes < bounds.crashes) this.crash(i)
      if (spent.skips < bounds.skips) {
        const over = this.nextPrimary(this.locals[i]!)
        if (over !== i) this.happen(i, skip, over, { ...spent, skips: spent.skips + 1 })
      }
      if (this.locals[i]!.tag !== "Primary") continue
      const next = [bounds.next, bounds.after][this.locals[i]!.replica.configuration.epoch] ?? 0
      if (next !== 0) this.happen(i, reconfigure, next, spent)
      if (spent.requests < bounds.requests) {
        this.happen(i, request, spent.requests, { ...spent, requests: spent.requests + 1 })
      }
      if (spent.read === 0 && bounds.reads > 0) {
        this.happen(i, read, 0, { ...spent, read: 1 + this.history.entries.length })
      }
    }
  }

  /** Position of the one that leads the next view. */
  private nextPrimary({ replica, view }: Local): number {
    return this.model.ids.indexOf(primaryOf(replica.configuration, view + 1))
  }

  private crash(index: number): void {
    const { bounds, locals } = this
    const spent = { ...this.spent, crashes: this.spent.crashes + 1 }
    if (bounds.disk !== 1) this.happen(index, crash, 0, spent)
    // What recovers has no log of its own yet.
    if (bounds.disk === 0 || locals[index]!.tag === "Recovery") return
    this.happen(index, restart, 0, spent)
    if (locals[index]!.tag !== "Primary" || spent.requests >= bounds.requests) return
    this.happen(index, restart, 1 + spent.requests, { ...spent, requests: spent.requests + 1 })
  }

  private arrive(index: number, mail: Mail): void {
    const { bounds, locals, spent } = this
    if (!countsAsTick(mail, locals[index]!, locals[mail.from]!)) this.happen(index, deliver, mail.number, spent)
    else if (spent.ticks < bounds.ticks) this.happen(index, deliver, mail.number, { ...spent, ticks: spent.ticks + 1 })
  }

  private happen(index: number, kind: number, argument: number, spent: Spent): void {
    if (this.violation !== null) return
    const before = this.locals[index]!
    const move = this.model.move(before, kind, argument)
    const code = codeOf(kind, index, argument)
    if (move.broken !== null) return this.fail(move.broken, code)
    if (countOf(move.to.view) > this.bounds.views) return
    if (kind === deliver && move.to === before && move.sends.length === 0) return
    const rule = this.follow(move, index, spent, code)
    if (rule !== null) this.fail(rule, code)
  }

  /** Goes to the state behind a move, if that is a new one, and comes back. Gives the rule that is broken there. */
  private follow(move: Move, index: number, spent: Spent, code: number): string | null {
    const { at, boxes, history, locals, spent: before } = this
    const grown = withCommits(this.histories, history, move.to, move.to.tag === "Primary" || locals[index]!.tag === "Primary")
    if (typeof grown === "string") return grown
    let started = spent.started
    if (move.started !== null) {
      if (!this.model.isOwnPrimary(move.to)) return "a view is started by its primary"
      const bit = 1 << (epochOf(move.started) * views_max + countOf(move.started))
      if ((started & bit) !== 0) return "a view is started once"
      started |= bit
    }
    if (move.served && spent.read - 1 > move.to.commit) return "no read is older than what was committed before it"
    this.locals = [...locals]
    this.locals[index] = move.to
    this.boxes = [...boxes]
    this.spent = { ...spent, started }
    this.history = grown
    this.deliverable(move, index, boxes, spent.crashes !== before.crashes || spent.ticks !== before.ticks)
    const isNew = this.enter(at, code)
    const rule = isNew ? this.brokenHere() : null
    if (isNew) this.options.onState?.(this.locals)
    this.locals = locals
    this.boxes = boxes
    this.spent = before
    this.history = history
    return rule
  }

  /** Puts what was sent into the inboxes, and takes out what is dead now. */
  private deliverable(move: Move, index: number, before: ReadonlyArray<Inbox>, isDearer: boolean): void {
    const { bounds, boxes, inboxes, locals } = this
    const outlook: Outlook = {
      mayCrash: this.spent.crashes < bounds.crashes,
      forgetful: this.options.forgetful ?? false,
      disk: bounds.disk > 0,
      // A log on a disk begins with a snapshot of all that is committed, if there are any.
      mayForget: this.spent.crashes < bounds.crashes && (bounds.disk !== 1 || bounds.snapshots === 0),
      mayTick: this.spent.ticks < bounds.ticks,
      keepsDead: this.options.keepsDead ?? false
    }
    for (const mail of move.sends) {
      if (!("view" in mail.message) || countOf(mail.message.view) <= bounds.views) boxes[mail.to] = inboxes.add(boxes[mail.to]!, mail)
    }
    const actor = locals[index]!
    for (let i = 0; i < this.size; i++) {
      const receiver = locals[i]!
      const isActor = i === index
      // Nothing has changed for the others but what the actor sent, and what it does not wait for any more.
      if (isActor || isDearer || boxes[i] !== before[i]) boxes[i] = inboxes.settle(boxes[i]!, receiver, receiver, outlook)
      if (!isActor) boxes[i] = inboxes.settle(boxes[i]!, receiver, actor, outlook)
      if (!isDearer) continue
      for (const peer of locals) if (peer !== receiver) boxes[i] = inboxes.settle(boxes[i]!, receiver, peer, outlook)
    }
  }

  private enter(parent: number, code: number): boolean {
    const { size } = this
    for (let i = 0; i < size; i++) {
      this.words[i] = this.locals[i]!.number
      this.words[size + i] = this.boxes[i]!.number
    }
    this.words[2 * size] = pack(this.spent)
    this.words[2 * size + 1] = this.history.number
    return this.table.add(this.words, parent, code) >= 0
  }

  private brokenHere(): string | null {
    const { history, locals } = this
    if (!quorumsHold(locals, history, this.model.ends)) return "a quorum might choose a log without a committed op"
    if (!oneLogPerView(locals)) return "one log per view"
    if (!primaryIsLongest(locals)) return "the primary's log is the longest of its view"
    return null
  }

  private fail(rule: string, code: number): void {
    const locals = [...this.model.initial()]
    const happened = [...this.table.pathTo(this.at), code].map((word): Happened => {
      const [kind, index, argument] = [word & 15, (word >> 4) & 7, word >> 7]
      const before = locals[index]!
      locals[index] = this.model.move(before, kind, argument).to
      return { index, action: this.model.actionOf(before, kind, argument) }
    })
    const story = tell(this.model.core, this.model.configuration, happened, this.model.ids)
    this.violation = { rule, happened, trace: story.lines, replicas: locals.map(({ replica }) => replica) }
  }
}

/** While it runs, limits of the core may be others (`chunked`, `snapshots`): nothing else may use it meanwhile. */
export const search = (bounds: Bounds, options: Options = {}): SearchReport => {
  const chunked = bounds.chunked === 0 ? {} : { transfer_chunk_bytes_max: 1 }
  const inStep = { ...chunked, learner_lag_ops_max: 0 }
  const restore = squeeze(bounds.snapshots === 0 ? inStep : { ...inStep, ...tight })
  try {
    return new Search(bounds, options).run()
  } finally {
    restore()
  }
}
