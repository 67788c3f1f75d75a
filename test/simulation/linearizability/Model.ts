/**
 * The sequential model of the store that histories are compared with. Written apart from the store, from its contract
 * alone; shares nothing with it but the types of operations and results. Every change can be taken back, for a search
 * that tries orders, and equal contents have equal keys.
 *
 * @module
 */
import type { ErrorResult, Operation, PageEntry, Result } from "../../../src/store/Operation.ts"

/** The version of a write whose number no client was ever told: equal to no version in any answer. */
export const untold = -1

interface Element {
  readonly created: number
  version: number
  /** Of a blob. */
  data: Uint8Array
  /** Of a directory; `null`: a blob. */
  readonly children: Map<string, Element> | null
  /** The names of the children in order, once somebody asked. */
  sorted: ReadonlyArray<string> | null
  /** The key of its content, once somebody asked. */
  key: number | null
}

type ReadOperation = Extract<Operation, { readonly _tag: "Get" | "Stat" | "List" }>
type Create = Extract<Operation, { readonly _tag: "Create" }>
type Change = Extract<Operation, { readonly _tag: "Put" | "Delete" }>

const nothing = new Uint8Array(0)

const makeElement = (type: "blob" | "directory", data: Uint8Array, version: number): Element =>
  ({ created: version, version, data, children: type === "directory" ? new Map() : null, sorted: null, key: null })

const typeOf = (element: Element): "blob" | "directory" => element.children === null ? "blob" : "directory"

const sizeOf = (element: Element): number => element.children === null ? element.data.length : 0

const countOf = (element: Element): number => element.children === null ? 0 : element.children.size

const fail = <Rest extends object>(rest: Rest): { readonly _tag: "Error" } & Rest => ({ _tag: "Error", ...rest })

export class Model {
  readonly #root = makeElement("directory", nothing, 0)
  readonly #undo: Array<() => void> = []
  readonly #keys = new Map<string, number>()
  readonly #split = new Map<string, ReadonlyArray<string>>()

  /** A point to {@link rollback} to. */
  get mark(): number {
    return this.#undo.length
  }

  /** Takes back everything since `mark`, which is the mark of an earlier moment. */
  rollback(mark: number): void {
    while (this.#undo.length > mark) this.#undo.pop()!()
  }

  /** `version`: that of the write, should it succeed. */
  execute(operation: Operation, version: number): Result {
    switch (operation._tag) {
      case "Create":
        return this.#create(operation, version)
      case "Put":
      case "Delete":
        return this.#change(operation, version)
      default:
        return this.#read(operation)
    }
  }

  /** What the operation would be answered; nothing is changed. */
  probe(operation: Operation): Result {
    const mark = this.mark
    const result = this.execute(operation, untold)
    this.rollback(mark)
    return result
  }

  /** The elements along the path, from the root, as far as they exist. */
  along(path: string): ReadonlyArray<{ readonly path: string; readonly version: number; readonly created: number }> {
    const names = this.#namesOf(path)
    let at = ""
    return this.#along(names).map(({ created, version }, depth) => {
      if (depth > 0) at += `/${names[depth - 1]!}`
      return { path: depth === 0 ? "/" : at, version, created }
    })
  }

  /** Equal for equal contents, versions included. */
  get key(): number {
    return this.#keyOf(this.#root)
  }

  #keyOf(element: Element): number {
    if (element.key !== null) return element.key
    let text = `${element.version} ${element.created}`
    if (element.children === null) text += ` ${Buffer.from(element.data).toString("latin1")}`
    else for (const name of this.#namesIn(element)) text += `/${name}/${this.#keyOf(element.children.get(name)!)}`
    const key = this.#keys.get(text) ?? this.#keys.size
    this.#keys.set(text, key)
    element.key = key
    return key
  }

  #along(names: ReadonlyArray<string>): Array<Element> {
    const along = [this.#root]
    for (const name of names) {
      const next = along.at(-1)!.children?.get(name)
      if (next === undefined) break
      along.push(next)
    }
    return along
  }

  #create(operation: Create, version: number): Result {
    const { path } = operation
    const names = this.#namesOf(path)
    const along = this.#along(names)
    if (along.length > names.length) return fail({ code: "AlreadyExists", path })
    const last = along.at(-1)!
    if (last.children === null) {
      const blob = `/${names.slice(0, along.length - 1).join("/")}`
      return fail({ code: "WrongType", path: blob, expected: "directory", actual: "blob" })
    }
    if (along.length < names.length && !operation.parents) {
      return fail({ code: "ParentNotFound", path, parent: `/${names.slice(0, along.length).join("/")}` })
    }
    let created = makeElement(operation.type, operation.data, version)
    for (let depth = names.length - 1; depth >= along.length; depth--) {
      const directory = makeElement("directory", nothing, version)
      directory.children!.set(names[depth]!, created)
      created = directory
    }
    this.#setChild(last, names[along.length - 1]!, created)
    return this.#written(along, version)
  }

  #change(operation: Change, version: number): Result {
    const { path, version: expected } = operation
    const names = this.#namesOf(path)
    const along = this.#along(names)
    const element = along.at(-1)!
    if (along.length <= names.length) return fail({ code: "NotFound", path })
    if (operation._tag === "Put" && element.children !== null) {
      return fail({ code: "WrongType", path, expected: "blob", actual: "directory" })
    }
    if (expected !== null && expected !== element.version) {
      return fail({ code: "CasFailed", path, expected, actual: element.version })
    }
    if (operation._tag === "Put") {
      const { data } = element
      this.#undo.push(() => {
        element.data = data
      })
      element.data = operation.data
      return this.#written(along, version)
    }
    if (names.length === 0) return fail({ code: "Invalid", path, reason: "the root cannot be deleted" })
    if (countOf(element) > 0 && !operation.recursive) return fail({ code: "NotEmpty", path, children: countOf(element) })
    const above = along.slice(0, -1)
    this.#setChild(above.at(-1)!, names.at(-1)!, undefined)
    return this.#written(above, version)
  }

  #setChild(directory: Element, name: string, child: Element | undefined): void {
    const children = directory.children!
    const before = children.get(name)
    const set = (element: Element | undefined): void => {
      if (element === undefined) children.delete(name)
      else children.set(name, element)
      directory.sorted = null
    }
    this.#undo.push(() => set(before))
    set(child)
  }

  /** All of `elements` have the version of this write now. */
  #written(elements: ReadonlyArray<Element>, version: number): Result {
    const before = elements.map((element) => element.version)
    this.#undo.push(() => {
      for (const [index, element] of elements.entries()) {
        element.version = before[index]!
        element.key = null
      }
    })
    for (const element of elements) {
      element.version = version
      element.key = null
    }
    return { _tag: "Written", version }
  }

  #read(operation: ReadOperation): Result {
    const { path } = operation
    const names = this.#namesOf(path)
    const along = this.#along(names)
    const element = along.at(-1)!
    if (along.length <= names.length) return fail({ code: "NotFound", path })
    const { version } = element
    if (operation._tag === "Stat") {
      return { _tag: "Stat", type: typeOf(element), version, created_version: element.created, size: sizeOf(element),
        children: countOf(element) }
    }
    if (operation._tag === "Get") {
      if (element.children === null) return { _tag: "Value", data: element.data, version }
      return fail({ code: "WrongType", path, expected: "blob", actual: "directory" })
    }
    if (element.children === null) return fail({ code: "WrongType", path, expected: "directory", actual: "blob" })
    const { after, limit } = operation
    const all = this.#namesIn(element)
    const first = after === null ? 0 : firstBehind(all, after)
    const page = all.slice(first, first + limit)
    const entries = page.map((name) => {
      const child = element.children!.get(name)!
      return { name, type: typeOf(child), version: child.version, size: sizeOf(child), children: countOf(child) }
    })
    return { _tag: "Page", entries, next: first + limit < all.length ? page.at(-1)! : null }
  }

  #namesIn(directory: Element): ReadonlyArray<string> {
    directory.sorted ??= [...directory.children!.keys()].sort()
    return directory.sorted
  }

  #namesOf(path: string): ReadonlyArray<string> {
    const known = this.#split.get(path)
    if (known !== undefined) return known
    const names = path.split("/").slice(path === "/" ? 2 : 1)
    this.#split.set(path, names)
    return names
  }
}

/** Where in `names`, which are in order, those begin that come behind `after`. */
const firstBehind = (names: ReadonlyArray<string>, after: string): number => {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (names[middle]! > after) high = middle
    else low = middle + 1
  }
  return low
}

/** Do two answers say the same? Asked very often. */
export const sameResult = (a: Result, b: Result): boolean => {
  switch (a._tag) {
    case "Written":
      return b._tag === "Written" && a.version === b.version
    case "Value":
      return b._tag === "Value" && a.version === b.version && Buffer.compare(a.data, b.data) === 0
    case "Stat":
      return b._tag === "Stat" && a.created_version === b.created_version && sameElement(a, b)
    case "Page":
      return b._tag === "Page" && a.next === b.next && a.entries.length === b.entries.length &&
        a.entries.every((entry, index) => entry.name === b.entries[index]!.name && sameElement(entry, b.entries[index]!))
    case "Error":
      return b._tag === "Error" && sameError(a, b)
  }
}

type Told = Omit<PageEntry, "name">

const sameElement = (a: Told, b: Told): boolean =>
  a.version === b.version && a.type === b.type && a.size === b.size && a.children === b.children

const sameError = (a: ErrorResult, b: ErrorResult): boolean => {
  if (a.path !== b.path) return false
  switch (a.code) {
    case "ParentNotFound":
      return b.code === a.code && a.parent === b.parent
    case "CasFailed":
      return b.code === a.code && a.expected === b.expected && a.actual === b.actual
    case "WrongType":
      return b.code === a.code && a.expected === b.expected && a.actual === b.actual
    case "NotEmpty":
      return b.code === a.code && a.children === b.children
    default:
      return b.code === a.code
  }
}
