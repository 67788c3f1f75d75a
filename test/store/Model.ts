/**
 * The tree once more, as simply as possible: a flat map from path to element, scanned for everything. Shares no code
 * with the store. Knows only valid operations.
 *
 * @module
 */
import type { Operation, Result } from "../../src/store/Operation.ts"

interface Entry {
  readonly directory: boolean
  readonly data: ReadonlyArray<number>
  readonly created: number
  readonly version: number
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/"

/** From the path upwards to the root, without the path itself. */
const ancestors = (path: string): ReadonlyArray<string> =>
  path === "/" ? [] : [parentOf(path), ...ancestors(parentOf(path))]

const error = <Rest extends object>(rest: Rest): { readonly _tag: "Error" } & Rest => ({ _tag: "Error", ...rest })

export class Model {
  #entries = new Map<string, Entry>([["/", { directory: true, data: [], created: 0, version: 0 }]])

  get paths(): ReadonlyArray<string> {
    return [...this.#entries.keys()].sort()
  }

  versionOf(path: string): number | undefined {
    return this.#entries.get(path)?.version
  }

  stats(): { readonly elements: number; readonly value_bytes: number } {
    const lengths = [...this.#entries.values()].map((entry) => entry.data.length)
    return { elements: this.#entries.size - 1, value_bytes: lengths.reduce((sum, length) => sum + length, 0) }
  }

  execute(operation: Operation, op: number): Result {
    switch (operation._tag) {
      case "Create":
        return this.#create(operation, op)
      case "Put":
      case "Delete":
        return this.#change(operation, op)
      default:
        return this.#read(operation)
    }
  }

  #create(operation: Extract<Operation, { _tag: "Create" }>, op: number): Result {
    const { path } = operation
    if (this.#entries.has(path)) return error({ code: "AlreadyExists", path })
    const above = ancestors(path).toReversed()
    const blob = above.find((one) => this.#entries.get(one)?.directory === false)
    if (blob !== undefined) return error({ code: "WrongType", path: blob, expected: "directory", actual: "blob" })
    const missing = above.filter((one) => !this.#entries.has(one))
    if (missing[0] !== undefined && !operation.parents) return error({ code: "ParentNotFound", path, parent: missing[0] })
    for (const one of missing) this.#entries.set(one, { directory: true, data: [], created: op, version: op })
    const directory = operation.type === "directory"
    this.#entries.set(path, { directory, data: [...operation.data], created: op, version: op })
    return this.#written(path, op)
  }

  #change(operation: Extract<Operation, { _tag: "Put" | "Delete" }>, op: number): Result {
    const { path, version } = operation
    const entry = this.#entries.get(path)
    if (entry === undefined) return error({ code: "NotFound", path })
    if (operation._tag === "Put" && entry.directory) {
      return error({ code: "WrongType", path, expected: "blob", actual: "directory" })
    }
    if (version !== null && version !== entry.version) {
      return error({ code: "CasFailed", path, expected: version, actual: entry.version })
    }
    if (operation._tag === "Put") {
      this.#entries.set(path, { ...entry, data: [...operation.data], version: op })
      return this.#written(path, op)
    }
    const children = this.#children(path).length
    if (children > 0 && !operation.recursive) return error({ code: "NotEmpty", path, children })
    for (const one of this.paths) if (one === path || ancestors(one).includes(path)) this.#entries.delete(one)
    return this.#written(path, op)
  }

  #written(path: string, op: number): Result {
    for (const one of ancestors(path)) this.#entries.set(one, { ...this.#entries.get(one)!, version: op })
    return { _tag: "Written", version: op }
  }

  #children(path: string): ReadonlyArray<string> {
    return this.paths.filter((one) => one !== "/" && parentOf(one) === path)
  }

  #read(operation: Extract<Operation, { _tag: "Get" | "Stat" | "List" }>): Result {
    const { path } = operation
    const entry = this.#entries.get(path)
    if (entry === undefined) return error({ code: "NotFound", path })
    if (operation._tag === "Stat") {
      const { version, created } = entry
      return { _tag: "Stat", ...this.#described(path), version, created_version: created }
    }
    if (operation._tag === "Get") {
      return entry.directory ? error({ code: "WrongType", path, expected: "blob", actual: "directory" })
        : { _tag: "Value", data: Uint8Array.from(entry.data), version: entry.version }
    }
    if (!entry.directory) return error({ code: "WrongType", path, expected: "directory", actual: "blob" })
    const { after, limit } = operation
    const found = this.#children(path)
      .map((child) => ({
        name: child.slice(child.lastIndexOf("/") + 1),
        version: this.#entries.get(child)!.version,
        ...this.#described(child)
      }))
      .sort((a, b) => a.name < b.name ? -1 : 1)
      .filter((child) => after === null || child.name > after)
    const entries = found.slice(0, limit)
    return { _tag: "Page", entries, next: found.length > entries.length ? entries.at(-1)!.name : null }
  }

  #described(path: string) {
    const { directory, data } = this.#entries.get(path)!
    return {
      type: directory ? "directory" as const : "blob" as const,
      size: data.length,
      children: this.#children(path).length
    }
  }
}
