/**
 * Which calls can notice which: the search tries a write of unknown outcome only just before something that it can
 * matter to. All else it passes without a difference.
 *
 * @module
 */
import type { Operation } from "../../../src/store/Operation.ts"
import { isWrite } from "../../../src/store/Operation.ts"
import type { Known, Unknown } from "./Calls.ts"
import { isWithin } from "./Sightings.ts"

/** The path, or the topmost directory that the operation may create on its way. */
const reachOf = (operation: Operation): string => {
  const { path } = operation
  if (operation._tag !== "Create" || !operation.parents) return path
  const end = path.indexOf("/", 1)
  return end === -1 ? path : path.slice(0, end)
}

/** The directories above, without the path itself, from the top. */
const above = (path: string): ReadonlyArray<string> => {
  if (path === "/") return []
  const paths = ["/"]
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) paths.push(path.slice(0, end))
  return paths
}

export class Dependence {
  /** Elements whose version some call looks at; and directories of whose children it looks at the versions. */
  readonly #watched = new Set<string>()
  readonly #listed = new Set<string>()

  constructor(calls: Iterable<Known | Unknown>) {
    for (const { operation } of calls) {
      if (operation._tag === "List") this.#listed.add(operation.path)
      else if (operation._tag === "Stat") this.#watched.add(operation.path)
      else if (operation._tag === "Put" || operation._tag === "Delete") {
        if (operation.version !== null) this.#watched.add(operation.path)
      }
    }
  }

  /** May it make a difference whether `write` comes before or after `other`? */
  matters(write: Operation, other: Operation): boolean {
    const [one, two] = [reachOf(write), reachOf(other)]
    if (isWithin(one, two) || isWithin(two, one)) return true
    if (!isWrite(other)) return false
    const shared = new Set(above(other.path))
    return above(write.path).some((path) => shared.has(path) && this.#isWatched(path))
  }

  #isWatched(path: string): boolean {
    if (this.#watched.has(path)) return true
    return path !== "/" && this.#listed.has(above(path).at(-1)!)
  }
}
