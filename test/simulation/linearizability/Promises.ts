/**
 * What calls that are still to come are known to see: an element at a version that it has now must keep that version
 * until all of them are done, for it never comes back to it. Ends most wrong turns of the search at once.
 *
 * @module
 */
import type { Operation } from "../../../src/store/Operation.ts"
import type { Known, Unknown } from "./Calls.ts"
import type { Model } from "./Model.ts"

const keyOf = (path: string, version: number, created: boolean): string => `${created ? "+" : ""}${version}${path}`

export class Promises {
  readonly #keys = new Map<Known | Unknown, ReadonlyArray<string>>()
  /** How many calls that are not done have seen this. */
  readonly #open = new Map<string, number>()

  constructor(calls: Iterable<Known>) {
    for (const call of calls) {
      const keys = call.sightings.map(({ created, path, version }) => keyOf(path, version, created))
      if (keys.length > 0) this.#keys.set(call, keys)
      this.#add(keys, 1)
    }
  }

  /** The call is done, or (-1) no longer so. */
  done(call: Known | Unknown, by: 1 | -1 = 1): void {
    const keys = this.#keys.get(call)
    if (keys !== undefined) this.#add(keys, -by)
  }

  #add(keys: ReadonlyArray<string>, by: number): void {
    for (const key of keys) this.#open.set(key, (this.#open.get(key) ?? 0) + by)
  }

  /** What this write would end in the model's present state: versions of elements, in keys for {@link isBroken}. */
  endedBy(operation: Operation, model: Model): ReadonlyArray<string> {
    const along = model.along(operation.path)
    const keys = along.map(({ path, version }) => keyOf(path, version, false))
    const last = along.at(-1)!
    if (operation._tag === "Delete" && last.path === operation.path) keys.push(keyOf(last.path, last.created, true))
    return keys
  }

  /** Is there a call still to come that has seen one of them? */
  isBroken(keys: ReadonlyArray<string>): boolean {
    return keys.some((key) => (this.#open.get(key) ?? 0) > 0)
  }

  /** The first such call that is not among `done`. */
  broken(keys: ReadonlyArray<string>, done: ReadonlySet<Known | Unknown>): Known | Unknown | undefined {
    for (const [call, seen] of this.#keys) if (!done.has(call) && seen.some((key) => keys.includes(key))) return call
    return undefined
  }
}
