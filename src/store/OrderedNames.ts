/**
 * Names in order, each with a value: a B+-tree, so that a look-up, an insertion and a removal cost O(log n), a page of
 * a listing costs the page, and no single call ever pays for the whole (as the growth of a hash table does).
 * The order is that of `<` on strings: by UTF-16 code units.
 *
 * A copy costs O(1), as it shares the nodes. Nodes of other epochs than that of a change are not touched, so once there
 * is a copy both are changed only at epochs that neither has seen.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { NameIndex, type NameKeeper, type Places } from "./NameIndex.ts"
import {
  type Branch,
  childIndex,
  firstAtLeast,
  firstName,
  insert,
  type Leaf,
  makeBranch,
  makeLeaf,
  type Node,
  own,
  placeOf,
  remove,
  replace
} from "./NameNodes.ts"

/** From here on an index is worth its memory: fewer names are in one node. */
const indexed_size_min = 64
/** An index with more slots than this for each name is let go. */
const index_slots_max = 16

export class OrderedNames<Value> {
  #size = 0
  /** Absent while empty, as many directories are. */
  #root: Node<Value> | undefined = undefined
  /** Of those that were added or asked for since it is there: from when one is first looked for among enough of them. */
  #index: NameIndex<Value> | undefined = undefined
  readonly #keeper: NameKeeper<Value>

  constructor(keeper: NameKeeper<Value>) {
    this.#keeper = keeper
  }

  get size(): number {
    return this.#size
  }

  get(name: string): Value | undefined {
    if (this.#size >= indexed_size_min) this.#index ??= new NameIndex(this.#keeper)
    const known = this.#index?.get(name)
    if (known !== undefined) return known
    let node = this.#root
    // A name that is there begins as those do on its way; where another one leads does not matter.
    while (node !== undefined && !node.leaf) node = node.nodes[childIndex(node, name)]
    if (node === undefined) return undefined
    const index = firstAtLeast(node, name)
    const own_name = node.names[index]
    if (own_name !== name) return undefined
    const value = node.values[index]!
    // Not the name that was asked for, which may be a part of a longer string.
    this.#index?.set(own_name, value, this.#size)
    return value
  }

  /** Where `get` will look first, if it has an index to look into. */
  locate(name: string, places: Places): void {
    this.#index?.locate(name, places)
  }

  /** Adds a name that must not be there yet. */
  add(name: string, value: Value, epoch: number): void {
    this.#size += 1
    if (this.#root === undefined) {
      this.#root = makeLeaf(epoch, [name], [value])
      return
    }
    this.#root = own(this.#root, epoch)
    const right = insert(this.#root, name, value, true)
    this.#index?.set(name, value, this.#size)
    if (right === undefined) return
    this.#root = makeBranch(epoch, ["", firstName(right)], [this.#root, right])
  }

  /** Gives a name that must be there another value. */
  replace(name: string, value: Value, epoch: number): void {
    invariant(this.#root !== undefined, "there are names whose value can be replaced")
    this.#root = own(this.#root, epoch)
    replace(this.#root, name, value)
    this.#index?.replace(name, value)
  }

  /** Removes a name that must be there. */
  remove(name: string, epoch: number): void {
    invariant(this.#root !== undefined, "there are names to remove")
    this.#root = own(this.#root, epoch)
    remove(this.#root, name)
    this.#size -= 1
    this.#index?.delete(name)
    // It does not shrink: a new one is filled as names are asked for.
    if (this.#index !== undefined && this.#size < this.#index.slots / index_slots_max) this.#index = undefined
    if (this.#size === 0) this.#root = undefined
    else while (!this.#root.leaf && this.#root.nodes.length === 1) this.#root = this.#root.nodes[0]!
  }

  /** The copy is the one that is quick from then on. */
  copy(): OrderedNames<Value> {
    const copy = new OrderedNames<Value>(this.#keeper)
    copy.#index = this.#index
    this.#index = undefined
    copy.#size = this.#size
    copy.#root = this.#root
    return copy
  }

  /** Up to `limit` names and values, from the first name above `after` (from the first name of all if `null`). */
  page(after: string | null, limit: number): ReadonlyArray<readonly [name: string, value: Value]> {
    const page: Array<readonly [string, Value]> = []
    if (this.#root !== undefined) collect(this.#root, after, limit, page)
    return page
  }

  /** At the first name. Only of names that do not change meanwhile. */
  cursor(): NamesCursor<Value> {
    return new NamesCursor(this.#root)
  }
}

const collect = <Value>(
  node: Node<Value>,
  after: string | null,
  limit: number,
  page: Array<readonly [string, Value]>
): void => {
  if (!node.leaf) {
    const from = after === null ? 0 : placeOf(node, after)
    for (let i = from; i < node.nodes.length && page.length < limit; i++) {
      collect(node.nodes[i]!, i === from ? after : null, limit, page)
    }
    return
  }
  let from = after === null ? 0 : placeOf(node, after)
  if (after !== null && node.names[from] === after) from += 1
  for (let i = from; i < node.names.length && page.length < limit; i++) page.push([node.names[i]!, node.values[i]!])
}

/** Goes through the names in order: O(1) for a step, but for the few that change to another leaf. */
export class NamesCursor<Value> {
  readonly #above: Array<{ readonly branch: Branch<Value>; index: number }> = []
  #leaf: Leaf<Value> | undefined = undefined
  #index = 0

  constructor(root: Node<Value> | undefined) {
    if (root !== undefined) this.#descend(root)
  }

  /** Undefined behind the last one, as is `value`. */
  get name(): string | undefined {
    return this.#leaf?.names[this.#index]
  }

  get value(): Value | undefined {
    return this.#leaf?.values[this.#index]
  }

  advance(): void {
    this.#index += 1
    if (this.#leaf === undefined || this.#index < this.#leaf.names.length) return
    this.#leaf = undefined
    this.#index = 0
    for (let top = this.#above.at(-1); top !== undefined; top = this.#above.at(-1)) {
      top.index += 1
      const next = top.branch.nodes[top.index]
      if (next !== undefined) return this.#descend(next)
      this.#above.pop()
    }
  }

  #descend(from: Node<Value>): void {
    let node = from
    while (!node.leaf) {
      this.#above.push({ branch: node, index: 0 })
      node = node.nodes[0]!
    }
    this.#leaf = node
  }
}
