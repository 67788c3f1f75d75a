/**
 * The search for an order: Wing and Gong's, with Lowe's memory of configurations that led nowhere.
 *
 * - Versions force the order of all writes that somebody has seen. What is left to choose is which write of unknown
 *   outcome was one that was seen (a slot), and when others were done that nobody was told of.
 * - A read of the state that fits is taken at once: it changes nothing, so later is never better.
 * - An untold write is done only just before something that it can matter to (`Dependence.ts`). An untold put is never
 *   needed: what it writes is seen only together with its version.
 * - Untold versions are not counted: between two versions there is room for any number of untold writes.
 *
 * @module
 */
import type { Operation, WriteOperation } from "../../../src/store/Operation.ts"
import type { History, Known, Unknown } from "./Calls.ts"
import { Dependence } from "./Dependence.ts"
import { Model, sameResult, untold } from "./Model.ts"
import { Promises } from "./Promises.ts"
import { mayHaveMade } from "./Sightings.ts"
import { explain, type Furthest } from "./Stuck.ts"
import type { Slot } from "./Versions.ts"

export type Outcome =
  | { readonly _tag: "Found"; readonly configurations: number }
  | { readonly _tag: "None"; readonly configurations: number; readonly furthest: Furthest }
  | { readonly _tag: "GaveUp"; readonly configurations: number }

/** A write that somebody has seen: a known one, or whichever of the candidates it was. */
interface Step {
  readonly version: number
  readonly write: Known | null
  readonly candidates: ReadonlyArray<Unknown>
}

/** What can be done next: a write, known or not, at a version. */
interface Choice {
  readonly call: Known | Unknown
  readonly version: number
  /** It is the next of the steps. */
  readonly step: boolean
}

/** A configuration: what has been done so far. The model and `done` hold the rest. */
interface Configuration {
  readonly mark: number
  /** How many calls have been done. */
  readonly trail: number
  /** How many steps have been done, and the highest version so far. */
  readonly steps: number
  readonly version: number
  /** How many reads have been looked at, and how many calls, by their end, are done without a gap. */
  readonly admitted: number
  readonly ended: number
  /** Reads that can be next but do not fit. */
  readonly blocked: ReadonlyArray<Known>
  choices: ReadonlyArray<Choice>
  tried: number
  /** The choices include untold writes: they are thought of only when nothing else works. */
  exhausted: boolean
}

export interface Problem extends History {
  readonly slots: ReadonlyArray<Slot>
  /** Versions of all writes of the whole history that somebody has seen. */
  readonly versions: ReadonlySet<number>
}

export class Search {
  readonly #model = new Model()
  readonly #reads: ReadonlyArray<Known>
  readonly #byEnd: ReadonlyArray<Known>
  readonly #steps: ReadonlyArray<Step>
  readonly #unknown: ReadonlyArray<Unknown>
  /** Versions that a write of unknown outcome asks for, and that nobody has seen: there may have been such a write. */
  readonly #guesses: ReadonlyArray<{ readonly path: string; readonly version: number }>
  readonly #dependence: Dependence
  /** Needed only where there is something to choose. */
  readonly #promises: Promises | null
  /** For each unknown write: the unknown writes of the same operation before it. */
  readonly #twins = new Map<Unknown, ReadonlyArray<Unknown>>()
  readonly #done = new Set<Known | Unknown>()
  readonly #trail: Array<Known | Unknown> = []
  readonly #failed = new Set<string>()
  readonly #configurations_max: number
  readonly #thorough: boolean
  #configurations = 0
  #furthest: Furthest = { done: -1, lines: [], calls: [] }

  /** `thorough`: not so, it only tries untold writes that help at once. What it finds is an order all the same. */
  constructor({ known, slots, unknown, versions }: Problem, configurations_max: number, thorough: boolean) {
    this.#thorough = thorough
    this.#reads = known.filter((call) => call.version === 0)
    this.#byEnd = known.toSorted((a, b) => a.end - b.end)
    this.#unknown = unknown
    const writes = known.filter((call) => call.version > 0)
      .map((write): Step => ({ version: write.version, write, candidates: [] }))
    this.#steps = [...writes, ...slots.map((slot): Step => ({ ...slot, write: null }))].sort((a, b) => a.version - b.version)
    this.#configurations_max = configurations_max + this.#steps.length
    this.#guesses = unknown.flatMap(({ operation }) => {
      const version = operation._tag === "Create" ? null : operation.version
      return version === null || version < 1 || versions.has(version) ? [] : [{ path: operation.path, version }]
    })
    this.#promises = unknown.length === 0 ? null : new Promises(known)
    this.#dependence = new Dependence([...known, ...unknown])
    const same = new Map<string, Array<Unknown>>()
    for (const call of unknown) {
      const key = keyOf(call.operation)
      const twins = same.get(key) ?? []
      this.#twins.set(call, [...twins])
      twins.push(call)
      same.set(key, twins)
    }
  }

  run(): Outcome {
    const start = { mark: 0, trail: 0, steps: 0, version: 0, admitted: 0, ended: 0, blocked: [] }
    const path = [this.#settle({ ...start, choices: [], tried: 0, exhausted: false }, null)]
    while (path.length > 0) {
      const here = path.at(-1)!
      if (here.steps === this.#steps.length && here.ended === this.#byEnd.length) {
        return { _tag: "Found", configurations: this.#configurations }
      }
      if (this.#configurations >= this.#configurations_max) {
        return { _tag: "GaveUp", configurations: this.#configurations }
      }
      const next = this.#advance(here)
      if (next !== undefined) {
        path.push(next)
        continue
      }
      this.#giveUp(here)
      path.pop()
    }
    return { _tag: "None", configurations: this.#configurations, furthest: this.#furthest }
  }

  /** The configuration after the next choice that works. The model is at `here`, or somewhere behind it. */
  #advance(here: Configuration): Configuration | undefined {
    for (;;) {
      this.#return(here)
      const choice = here.choices[here.tried]
      if (choice === undefined) {
        if (here.exhausted) return undefined
        here.exhausted = true
        here.choices = this.#untold(here)
        here.tried = 0
        continue
      }
      here.tried++
      const { call, version } = choice
      const ended = this.#promises?.endedBy(call.operation, this.#model) ?? []
      const result = this.#model.execute(call.operation, version)
      if (!("result" in call ? sameResult(result, call.result) : result._tag === "Written")) continue
      this.#take(call)
      if (this.#promises?.isBroken(ended) === true) continue
      const next = this.#settle(here, choice)
      if (this.#failed.size === 0 || !this.#failed.has(this.#keyOf(next))) return next
    }
  }

  #return({ mark, trail }: Configuration): void {
    this.#model.rollback(mark)
    while (this.#trail.length > trail) {
      const call = this.#trail.pop()!
      this.#done.delete(call)
      this.#promises?.done(call, -1)
    }
  }

  #take(call: Known | Unknown): void {
    this.#done.add(call)
    this.#trail.push(call)
    this.#promises?.done(call)
  }

  /** After `choice`: all reads that can be next and fit are done. */
  #settle(before: Configuration, choice: Choice | null): Configuration {
    this.#configurations++
    const steps = before.steps + (choice?.step === true ? 1 : 0)
    const version = choice === null || choice.version === untold ? before.version : choice.version
    const reached = (this.#steps[steps]?.version ?? Infinity) - 1
    const fits = (read: Known): boolean =>
      read.floor <= reached && sameResult(this.#model.probe(read.operation), read.result)
    const blocked: Array<Known> = []
    for (const read of before.blocked) {
      const same = choice !== null && before.version >= read.floor && !this.#dependence.matters(choice.call.operation, read.operation)
      if (!same && fits(read)) this.#take(read)
      else blocked.push(read)
    }
    let { admitted, ended } = before
    for (;;) {
      while (ended < this.#byEnd.length && this.#done.has(this.#byEnd[ended]!)) ended++
      const read = this.#reads[admitted]
      if (read === undefined || read.begin > this.#horizon(ended)) break
      admitted++
      if (fits(read)) this.#take(read)
      else blocked.push(read)
    }
    const next = { mark: this.#model.mark, trail: this.#trail.length, steps, version, admitted, ended, blocked }
    return { ...next, choices: this.#told(next), tried: 0, exhausted: false }
  }

  /** The end of the first call to end that is not done yet: what began later cannot be next. */
  #horizon(ended: number): number {
    return this.#byEnd[ended]?.end ?? Infinity
  }

  /** The next step, in all ways that it can be done. */
  #told({ ended, steps }: Pick<Configuration, "ended" | "steps">): ReadonlyArray<Choice> {
    const step = this.#steps[steps]
    if (step === undefined || step.version >= (this.#byEnd[ended]?.ceiling ?? Infinity)) return []
    const { version } = step
    // That nothing has to come before it says the ceiling, which is at most the version of any write that began later.
    if (step.write !== null) return [{ call: step.write, version, step: true }]
    return this.#free(step.candidates, this.#horizon(ended)).map((call) => ({ call, version, step: true }))
  }

  /** Those of `calls` that are not done, and can be. Of equal ones the first. */
  #free(calls: ReadonlyArray<Unknown>, horizon: number): ReadonlyArray<Unknown> {
    return calls.filter((call) =>
      call.begin < horizon && !this.#done.has(call) && this.#twins.get(call)!.every((twin) => this.#done.has(twin))
    )
  }

  /** Writes of unknown outcome that nobody saw, and that can matter to what may come next. */
  #untold(here: Configuration): ReadonlyArray<Choice> {
    const horizon = this.#horizon(here.ended)
    const step = this.#steps[here.steps]
    const reached = (step?.version ?? Infinity) - 1
    const free = this.#free(this.#unknown, horizon)
    const told = step === undefined ? [] : step.write === null ? step.candidates : [step.write]
    const guessed = this.#guesses.filter(({ version }) => version > here.version && version <= reached)
    const guesses = guessed.flatMap(({ path, version }) =>
      free.filter((one) => one.floor < version && mayHaveMade(one.operation, { ...unseen, path, version }))
        .map((call): Choice => ({ call, version, step: false }))
    )
    const noticing: Array<Operation> = [...here.blocked, ...told, ...guesses.map(({ call }) => call)]
      .map(({ operation }) => operation)
    const able = free.filter(({ floor, operation }) => operation._tag !== "Put" && floor <= reached)
    // One may matter only to another that matters.
    const found = new Set<Unknown>()
    for (let before = -1; before < found.size;) {
      before = found.size
      for (const one of able) {
        if (found.has(one) || !noticing.some((other) => this.#dependence.matters(one.operation, other))) continue
        found.add(one)
        noticing.push(one.operation)
      }
    }
    const choices = [...[...found].map((call): Choice => ({ call, version: untold, step: false })), ...guesses]
    const wanted = told.filter(({ operation }) => this.#model.probe(operation)._tag !== "Written")
    const { false: rest = [], true: first = [] } = Object.groupBy(choices, (choice) =>
      this.#helps(choice, here.blocked, wanted) ? "true" : "false")
    return this.#thorough ? [...first, ...rest] : first
  }

  /** After it, does one of the `blocked` fit, or can one of the `wanted` be done? */
  #helps({ call, version }: Choice, blocked: ReadonlyArray<Known>, wanted: ReadonlyArray<Known | Unknown>): boolean {
    const { mark } = this.#model
    const helps = this.#model.execute(call.operation, version)._tag === "Written" && (
      blocked.some(({ operation, result }) => sameResult(this.#model.probe(operation), result)) ||
      wanted.some(({ operation }) => this.#model.probe(operation)._tag === "Written")
    )
    this.#model.rollback(mark)
    return helps
  }

  /** Nothing leads on from here. The model is at `here`. */
  #giveUp(here: Configuration): void {
    this.#failed.add(this.#keyOf(here))
    if (here.trail <= this.#furthest.done) return
    const step = this.#steps[here.steps]
    this.#furthest = explain({
      done: this.#trail,
      blocked: here.blocked,
      write: step !== undefined && step.write !== null && step.write.begin < this.#horizon(here.ended) ? step.write : null,
      slot: step?.write === null ? step : null,
      model: this.#model,
      promises: this.#promises ?? new Promises(this.#byEnd)
    })
  }

  /** Equal for configurations from which the same is possible. */
  #keyOf({ admitted, blocked, steps, version }: Configuration): string {
    const unknown = this.#unknown.filter((call) => this.#done.has(call)).map((call) => call.index)
    const reads = blocked.map((call) => call.index)
    return `${steps} ${this.#guesses.length === 0 ? "" : version} ${admitted} ${reads.join(",")} ${unknown.join(",")} ${this.#model.key}`
  }
}

const unseen = { created: false, type: null, size: null, data: null }

const keyOf = (operation: WriteOperation): string => {
  if (operation._tag === "Delete") return `delete ${operation.recursive} ${operation.version} ${operation.path}`
  const data = Buffer.from(operation.data).toString("latin1")
  if (operation._tag === "Put") return `put ${operation.version} ${operation.path} ${data}`
  return `create ${operation.type} ${operation.parents} ${operation.path} ${data}`
}
