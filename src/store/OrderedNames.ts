/**
 * Names in order, each with a value: a B+-tree, so that a look-up, an insertion and a removal cost O(log n), a page of
 * a listing costs the page, and no single call ever pays for the whole (as the growth of a hash table does).
 * The order is that of `<` on strings: by UTF-16 code units.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"

/** The most names in a leaf, and children in a branch. */
const node_size_max = 64
/** A node that falls below this joins a neighbour if both fit into one with room to spare. */
const node_size_low = node_size_max / 4
const joined_size_max = (node_size_max * 3) / 4

interface Leaf<Value> {
  readonly leaf: true
  names: Array<string>
  values: Array<Value>
}

/** `names[i]` is not above any name in `nodes[i]`, and above every name in `nodes[i - 1]`; `names[0]` is never read. */
interface Branch<Value> {
  readonly leaf: false
  names: Array<string>
  nodes: Array<Node<Value>>
}

type Node<Value> = Leaf<Value> | Branch<Value>

export class OrderedNames<Value> {
  #size = 0
  /** Absent while empty, as many directories are. */
  #root: Node<Value> | undefined = undefined

  get size(): number {
    return this.#size
  }

  get(name: string): Value | undefined {
    let node = this.#root
    while (node !== undefined && !node.leaf) node = node.nodes[childIndex(node.names, name)]
    if (node === undefined) return undefined
    const index = firstAtLeast(node.names, name)
    return node.names[index] === name ? node.values[index] : undefined
  }

  /** Adds a name that must not be there yet. */
  add(name: string, value: Value): void {
    this.#size += 1
    if (this.#root === undefined) {
      this.#root = { leaf: true, names: [name], values: [value] }
      return
    }
    const right = insert(this.#root, name, value, true)
    if (right === undefined) return
    this.#root = { leaf: false, names: ["", firstName(right)], nodes: [this.#root, right] }
  }

  /** Removes a name that must be there. */
  remove(name: string): void {
    invariant(this.#root !== undefined, "there are names to remove")
    remove(this.#root, name)
    this.#size -= 1
    if (this.#size === 0) this.#root = undefined
    else while (!this.#root.leaf && this.#root.nodes.length === 1) this.#root = this.#root.nodes[0]!
  }

  /** Up to `limit` names and values, from the first name above `after` (from the first name of all if `null`). */
  page(after: string | null, limit: number): ReadonlyArray<readonly [name: string, value: Value]> {
    const page: Array<readonly [string, Value]> = []
    if (this.#root !== undefined) collect(this.#root, after, limit, page)
    return page
  }
}

/** How many of the sorted names are below `name`. */
const firstAtLeast = (names: ReadonlyArray<string>, name: string): number => {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (names[middle]! < name) low = middle + 1
    else high = middle
  }
  return low
}

/** The child of a branch under which `name` belongs. */
const childIndex = (names: ReadonlyArray<string>, name: string): number => {
  let low = 1
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (names[middle]! <= name) low = middle + 1
    else high = middle
  }
  return low - 1
}

const firstName = <Value>(node: Node<Value>): string => {
  let at = node
  while (!at.leaf) at = at.nodes[0]!
  return at.names[0]!
}

const sizeOf = <Value>(node: Node<Value>): number => node.names.length

/** Returns the new right neighbour if the node had to be split. `last`: no name of the tree is behind this node. */
const insert = <Value>(node: Node<Value>, name: string, value: Value, last: boolean): Node<Value> | undefined => {
  if (node.leaf) {
    const index = firstAtLeast(node.names, name)
    invariant(node.names[index] !== name, "a name is added once", { name })
    node.names.splice(index, 0, name)
    node.values.splice(index, 0, value)
    return sizeOf(node) > node_size_max ? split(node, last && index === sizeOf(node) - 1) : undefined
  }
  const index = childIndex(node.names, name)
  const lastChild = last && index === node.nodes.length - 1
  const right = insert(node.nodes[index]!, name, value, lastChild)
  if (right === undefined) return undefined
  node.names.splice(index + 1, 0, firstName(right))
  node.nodes.splice(index + 1, 0, right)
  return sizeOf(node) > node_size_max ? split(node, lastChild) : undefined
}

/**
 * Splits off the right half; or, when names arrive in order at the very end, only the newest one, which leaves full
 * nodes behind instead of half-full ones.
 */
const split = <Value>(node: Node<Value>, atTheEnd: boolean): Node<Value> => {
  const from = atTheEnd ? node_size_max : node_size_max / 2
  // Slices rather than splices on the left: an array keeps the capacity that it once had.
  const names = node.names.slice(from)
  node.names = node.names.slice(0, from)
  if (node.leaf) {
    const values = node.values.slice(from)
    node.values = node.values.slice(0, from)
    return { leaf: true, names, values }
  }
  const nodes = node.nodes.slice(from)
  node.nodes = node.nodes.slice(0, from)
  return { leaf: false, names, nodes }
}

const remove = <Value>(node: Node<Value>, name: string): void => {
  if (node.leaf) {
    const index = firstAtLeast(node.names, name)
    invariant(node.names[index] === name, "a name that is removed is there", { name })
    node.names.splice(index, 1)
    node.values.splice(index, 1)
    return
  }
  const index = childIndex(node.names, name)
  const child = node.nodes[index]!
  remove(child, name)
  if (sizeOf(child) === 0) {
    node.names.splice(index, 1)
    node.nodes.splice(index, 1)
  } else if (sizeOf(child) < node_size_low) {
    if (!joinWithNext(node, index - 1)) joinWithNext(node, index)
  }
}

/** Joins two neighbours if they are small enough together. */
const joinWithNext = <Value>(parent: Branch<Value>, index: number): boolean => {
  const left = parent.nodes[index]
  const right = parent.nodes[index + 1]
  if (left === undefined || right === undefined || sizeOf(left) + sizeOf(right) > joined_size_max) return false
  if (left.leaf && right.leaf) {
    left.names = left.names.concat(right.names)
    left.values = left.values.concat(right.values)
  } else if (!left.leaf && !right.leaf) {
    // The first name of a branch may be stale; the parent knows the bound between the two.
    left.names = left.names.concat(parent.names[index + 1]!, right.names.slice(1))
    left.nodes = left.nodes.concat(right.nodes)
  }
  parent.names.splice(index + 1, 1)
  parent.nodes.splice(index + 1, 1)
  return true
}

const collect = <Value>(
  node: Node<Value>,
  after: string | null,
  limit: number,
  page: Array<readonly [string, Value]>
): void => {
  if (!node.leaf) {
    const from = after === null ? 0 : childIndex(node.names, after)
    for (let i = from; i < node.nodes.length && page.length < limit; i++) {
      collect(node.nodes[i]!, i === from ? after : null, limit, page)
    }
    return
  }
  let from = after === null ? 0 : firstAtLeast(node.names, after)
  if (after !== null && node.names[from] === after) from += 1
  for (let i = from; i < node.names.length && page.length < limit; i++) page.push([node.names[i]!, node.values[i]!])
}
