/**
 * The tree: what each operation does to it, and the answer. Operations have passed `refuseOperation`.
 *
 * - A write sets the version of its element, and of every directory above it up to the root, to its op number. A
 *   directory's version thereby guards its whole subtree. Op numbers only rise, so a version never comes back, not even
 *   when an element is deleted and created again.
 * - A write that fails changes nothing: everything is checked before anything is touched.
 * - A path that leads through an element that is no directory does not exist; only to create there is a `WrongType`.
 * - Of several things that are wrong with a write the first in this order is reported: NotFound (or ParentNotFound),
 *   WrongType, CasFailed, NotEmpty.
 * - A deleted directory is cut off whole; what is below it is visited later, a few elements with each write and each tick, to give back
 *   the memory of its blobs.
 * - A pinned root stays as it is, with all directories below it: one that a pin has seen is copied when it first changes
 *   after it, and so is everything above it. What a blob was is kept by the pin until that is released. An element tells by
 *   its version: what was made or changed since has one above the pin's.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { Blobs, type Entry } from "./Blobs.ts"
import type { Blob } from "./elements/Blob.ts"
import { Directory } from "./elements/Directory.ts"
import { type Element, elementKinds, elementOf } from "./elements/Elements.ts"
import { Graveyard } from "./Graveyard.ts"
import type { ReadOperation, WriteOperation } from "./Operation.ts"
import { flat, namesOf, pathOf } from "./Path.ts"
import { never_pinned, Pin } from "./Pin.ts"
import { Prefetch } from "./Prefetch.ts"
import type { ErrorResult, Result } from "./Result.ts"

type Create = Extract<WriteOperation, { readonly _tag: "Create" }>
type Put = Extract<WriteOperation, { readonly _tag: "Put" }>
type Delete = Extract<WriteOperation, { readonly _tag: "Delete" }>
type List = Extract<ReadOperation, { readonly _tag: "List" }>

/** How far a path leads. The same one is used again for the next path. */
interface Way {
  /** The directories passed, from the root. */
  readonly above: Array<Directory>
  /** It leads to its end: as many directories are passed as the path has names. */
  whole: boolean
  /** What stands where the way ends. If it ends early: what is there instead of a directory. */
  element: Element | undefined
}

export class Tree {
  #root: Directory
  #blobs: Blobs
  /** Cut off, with memory that is still to be given back. */
  #graveyard = new Graveyard()
  /** The tree's version at the last pin. Also the epoch of all nodes that were made since. */
  #pinned = never_pinned
  /** Those that are not released: they keep what blobs were. */
  #pins: ReadonlyArray<Pin> = []
  #prefetch: Prefetch
  readonly #way: Way = { above: [], whole: false, element: undefined }

  constructor(blobs = new Blobs()) {
    this.#blobs = blobs
    this.#root = Directory.empty(blobs, 0, 0)
    this.#prefetch = new Prefetch(blobs)
  }

  /** The op number of the last write that changed something; 0 before the first. */
  get version(): number {
    return this.#root.version
  }

  /** Without the root. */
  get elements(): number {
    return this.#root.elements_below
  }

  get value_bytes(): number {
    return this.#root.value_bytes_below
  }

  /** `version`: the op number, above that of every write before. */
  write(operation: WriteOperation, version: number): Result {
    invariant(version > this.version, "op numbers rise", { version, last: this.version })
    this.tidy(Limits.graves_per_write_max)
    switch (operation._tag) {
      case "Create":
        return this.#create(operation, version)
      case "Put":
        return this.#put(operation, version)
      case "Delete":
        return this.#delete(operation, version)
    }
  }

  /** Gives back the memory of up to `count` elements that were deleted. */
  tidy(count: number): void {
    this.#graveyard.clear(count, this.#blobs, this.#pins)
  }

  /** The present state, which no later write changes. */
  pin(): Pin {
    const pin = new Pin(this.#root, this.#blobs)
    this.#pins = [...this.#pins, pin]
    this.#pinned = this.version
    return pin
  }

  /** It is not read any more, and nothing is kept for it. */
  release(pin: Pin): void {
    pin.release()
    this.#pins = this.#pins.filter((one) => one !== pin)
  }

  /** For how many pins writes keep what they replace. */
  get pins(): number {
    return this.#pins.length
  }

  /** Goes on with another root, to which and to all below it nobody else holds on, and its blobs. Its nodes: of `never_pinned`. */
  install(root: Directory, blobs: Blobs): void {
    this.#pinned = never_pinned
    this.#pins = []
    this.#root = root
    this.#blobs = blobs
    this.#prefetch = new Prefetch(blobs)
    this.#graveyard = new Graveyard()
  }

  /** The data of a value is to be encoded at once, not kept. */
  read(operation: ReadOperation): Result {
    const { path } = operation
    const { element, whole } = this.#walk(path)
    if (element === undefined || !whole) return notFound(path)
    switch (operation._tag) {
      case "Get":
        if (element.type !== "blob") return wrongType(path, "blob", element)
        return { _tag: "Value", data: element.data, version: element.version }
      case "Stat": {
        const { type, version, created_version, size, children } = element
        return { _tag: "Stat", type, version, created_version, size, children }
      }
      case "List":
        return element.type === "directory" ? list(this.#blobs, element, operation) : wrongType(path, "directory", element)
    }
  }

  /** What is at their paths will be asked for soon. */
  prefetch(operations: ReadonlyArray<{ readonly path: string }>): void {
    this.#prefetch.run(operations, this.#parentOf)
  }

  readonly #parentOf = (path: string): Directory | undefined => this.#walk(path).above.at(-1)

  #create({ path, type, data, parents }: Create, version: number): Result {
    const names = namesOf(path)
    const { above, element, whole } = this.#walk(path)
    if (whole) {
      if (element !== undefined) return { _tag: "Error", code: "AlreadyExists", path }
    } else {
      const parent = pathOf(names, above.length)
      if (element !== undefined) return wrongType(parent, "directory", element)
      if (!parents) return { _tag: "Error", code: "ParentNotFound", path, parent }
    }
    this.#own(path, above)
    while (above.length < names.length) {
      const directory = Directory.empty(this.#blobs, version, version)
      this.#attach(above, names[above.length - 1]!, directory, version)
      above.push(directory)
    }
    const name = names[names.length - 1]!
    this.#attach(above, name, elementKinds[type].create(name, data, version, this.#blobs), version)
    return { _tag: "Written", version }
  }

  #put({ path, data, version: expected }: Put, version: number): Result {
    const { above, element, whole } = this.#walk(path)
    if (element === undefined || !whole) return notFound(path)
    if (element.type !== "blob") return wrongType(path, "blob", element)
    if (expected !== null && expected !== element.version) return casFailed(path, expected, element)
    const growth = data.length - element.size
    if (element.version <= this.#pinned) {
      this.#own(path, above)
      this.#keep(element)
    }
    element.replace(data)
    element.version = version
    touch(above, version, 0, growth)
    return { _tag: "Written", version }
  }

  #delete({ path, version: expected, recursive }: Delete, version: number): Result {
    const names = namesOf(path)
    invariant(names.length > 0, "the root is not deleted")
    const { above, element, whole } = this.#walk(path)
    if (element === undefined || !whole) return notFound(path)
    if (expected !== null && expected !== element.version) return casFailed(path, expected, element)
    const { children } = element
    if (children > 0 && !recursive) return { _tag: "Error", code: "NotEmpty", path, children }
    this.#own(path, above)
    above[above.length - 1]!.entries.remove(names[names.length - 1]!, this.#pinned)
    const [elements, value_bytes] = element.type === "directory"
      ? [1 + element.elements_below, element.value_bytes_below]
      : [1, element.size]
    touch(above, version, -elements, -value_bytes)
    this.#graveyard.add(element, version, this.#pins)
    // The way is kept for the next path: what was deleted is not kept with it.
    this.#way.element = undefined
    return { _tag: "Written", version }
  }

  /** What the blob is goes to all pins that have seen it so, and not changed since. */
  #keep(blob: Blob): void {
    for (const pin of this.#pins) if (pin.version >= blob.version) pin.keep(blob)
  }

  /** Puts copies in the place of those directories on the way that a pin has seen. */
  #own(path: string, above: Array<Directory>): void {
    // Whatever changed since the pin has changed everything above it too.
    if (above[above.length - 1]!.version > this.#pinned) return
    const names = namesOf(path)
    for (let i = 0; i < above.length; i++) {
      const directory = above[i]!
      if (directory.version > this.#pinned) continue
      const copy = directory.copy()
      if (i === 0) this.#root = copy
      else above[i - 1]!.entries.replace(names[i - 1]!, copy, this.#pinned)
      above[i] = copy
    }
  }

  /** Adds a new element below the last of `above`. */
  #attach(above: ReadonlyArray<Directory>, name: string, element: Element, version: number): void {
    above[above.length - 1]!.entries.add(flat(name), element.entry, this.#pinned)
    touch(above, version, 1, element.size)
  }

  /** Takes the names out of the path one by one: a list of them would cost as much as the rest. */
  #walk(path: string): Way {
    const way = this.#way
    const { above } = way
    let length = 0
    let entry: Entry | undefined = this.#root
    let from = 1
    while (from < path.length && typeof entry === "object") {
      above[length++] = entry
      const slash = path.indexOf("/", from)
      const to = slash < 0 ? path.length : slash
      entry = entry.entries.get(path.slice(from, to))
      from = to + 1
    }
    above.length = length
    way.element = entry === undefined ? undefined : elementOf(this.#blobs, entry)
    way.whole = from >= path.length
    return way
  }
}

const touch = (above: ReadonlyArray<Directory>, version: number, elements: number, value_bytes: number): void => {
  for (const directory of above) {
    directory.version = version
    directory.elements_below += elements
    directory.value_bytes_below += value_bytes
  }
}

const list = (blobs: Blobs, directory: Directory, { limit, after }: List): Result => {
  // One more than asked for tells whether there is a next page.
  const found = directory.entries.page(after, limit + 1)
  const page = found.slice(0, limit)
  return {
    _tag: "Page",
    entries: page.map(([name, entry]) => {
      const { type, version, size, children } = elementOf(blobs, entry)
      return { name, type, version, size, children }
    }),
    next: found.length > limit ? page[limit - 1]![0] : null
  }
}

const notFound = (path: string): ErrorResult => ({ _tag: "Error", code: "NotFound", path })

const wrongType = (path: string, expected: Element["type"], element: Element): ErrorResult => ({
  _tag: "Error",
  code: "WrongType",
  path,
  expected,
  actual: element.type
})

const casFailed = (path: string, expected: number, element: Element): ErrorResult => ({
  _tag: "Error",
  code: "CasFailed",
  path,
  expected,
  actual: element.version
})
