/**
 * The nodes of a B+-tree of names. Every node bears the epoch in which it was made; a change at a later epoch leaves the
 * node as it is, for whoever holds the tree as it was, and goes on with a copy. So a change costs the nodes on its way
 * once in an epoch, and after that nothing more than the change.
 *
 * A node that is given to be changed is of the present epoch already: the caller has taken care of that.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { commonLength, keyOf } from "./NameKeys.ts"

/** The most names in a leaf, and children in a branch. */
const node_size_max = 64
/** A node that falls below this joins a neighbour if both fit into one with room to spare. */
const node_size_low = node_size_max / 4
const joined_size_max = (node_size_max * 3) / 4

interface Names {
  readonly epoch: number
  /** So many characters all names have in common that are in the node or below it. */
  shared: number
  /** Of each name what `keyOf` makes of the characters behind these. */
  keys: Array<number>
  names: Array<string>
}

export interface Leaf<Value> extends Names {
  readonly leaf: true
  values: Array<Value>
}

/** `names[i]` is not above any name in `nodes[i]`, and above every name in `nodes[i - 1]`; `names[0]` is never read. */
export interface Branch<Value> extends Names {
  readonly leaf: false
  nodes: Array<Node<Value>>
}

export type Node<Value> = Leaf<Value> | Branch<Value>

/** How many of the sorted names are below `name`, which begins as they do. Of others it says nothing that holds. */
export const firstAtLeast = ({ keys, names, shared }: Names, name: string): number => {
  const key = keyOf(name, shared)
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = keys[middle]!
    if (other < key || (other === key && names[middle]! < name)) low = middle + 1
    else high = middle
  }
  return low
}

/** The child of a branch under which `name` belongs, if it begins as all names there do. */
export const childIndex = ({ keys, names, shared }: Names, name: string): number => {
  const key = keyOf(name, shared)
  let low = 1
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = keys[middle]!
    if (other < key || (other === key && names[middle]! <= name)) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The same as `firstAtLeast` for a leaf and as `childIndex` for a branch, for any name. */
export const placeOf = <Value>(node: Node<Value>, name: string): number => {
  if (beginsAlike(node, name)) return node.leaf ? firstAtLeast(node, name) : childIndex(node, name)
  if (name < anyName(node)) return 0
  return node.leaf ? node.names.length : node.names.length - 1
}

const beginsAlike = <Value>(node: Node<Value>, name: string): boolean =>
  commonLength(name, anyName(node), node.shared) === node.shared

/** One that begins as all in the node do. */
const anyName = <Value>(node: Node<Value>): string => {
  let at = node
  while (!at.leaf && at.nodes.length === 1) at = at.nodes[0]!
  return at.names[at.names.length - 1]!
}

export const firstName = <Value>(node: Node<Value>): string => {
  let at = node
  while (!at.leaf) at = at.nodes[0]!
  return at.names[0]!
}

const lastName = <Value>(node: Node<Value>): string => {
  let at = node
  while (!at.leaf) at = at.nodes[at.nodes.length - 1]!
  return at.names[at.names.length - 1]!
}

/** Sets what the node's names have in common, and their keys. */
const rekey = <Value>(node: Node<Value>, shared: number): void => {
  node.shared = shared
  node.keys = node.names.map((name) => keyOf(name, shared))
}

/** As `rekey`, for a node whose names are others than before. */
const rekeyAll = <Value>(node: Node<Value>): void => rekey(node, commonLength(firstName(node), lastName(node), Infinity))

export const makeLeaf = <Value>(epoch: number, names: Array<string>, values: Array<Value>): Leaf<Value> => {
  const leaf: Leaf<Value> = { leaf: true, epoch, shared: 0, keys: [], names, values }
  rekeyAll(leaf)
  return leaf
}

export const makeBranch = <Value>(epoch: number, names: Array<string>, nodes: Array<Node<Value>>): Branch<Value> => {
  const branch: Branch<Value> = { leaf: false, epoch, shared: 0, keys: [], names, nodes }
  rekeyAll(branch)
  return branch
}

const sizeOf = <Value>(node: Node<Value>): number => node.names.length

/** The node itself if it is of this epoch, else a copy that is. */
export const own = <Value>(node: Node<Value>, epoch: number): Node<Value> => {
  if (node.epoch === epoch) return node
  const { shared } = node
  const keys = node.keys.slice()
  const names = node.names.slice()
  return node.leaf
    ? { leaf: true, epoch, shared, keys, names, values: node.values.slice() }
    : { leaf: false, epoch, shared, keys, names, nodes: node.nodes.slice() }
}

const ownChild = <Value>(branch: Branch<Value>, index: number): Node<Value> => {
  const child = branch.nodes[index]!
  if (child.epoch === branch.epoch) return child
  return branch.nodes[index] = own(child, branch.epoch)
}

/** Returns the new right neighbour if the node had to be split. `last`: no name of the tree is behind this node. */
export const insert = <Value>(node: Node<Value>, name: string, value: Value, last: boolean): Node<Value> | undefined => {
  const shared = commonLength(name, anyName(node), node.shared)
  if (shared < node.shared) rekey(node, shared)
  if (node.leaf) {
    const index = firstAtLeast(node, name)
    if (node.names[index] === name) invariant(false, "a name is added once", { name })
    node.keys.splice(index, 0, keyOf(name, shared))
    node.names.splice(index, 0, name)
    node.values.splice(index, 0, value)
    return sizeOf(node) > node_size_max ? split(node, last && index === sizeOf(node) - 1) : undefined
  }
  const index = childIndex(node, name)
  const lastChild = last && index === node.nodes.length - 1
  const right = insert(ownChild(node, index), name, value, lastChild)
  if (right === undefined) return undefined
  const bound = firstName(right)
  node.keys.splice(index + 1, 0, keyOf(bound, shared))
  node.names.splice(index + 1, 0, bound)
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
  let right: Node<Value>
  if (node.leaf) {
    right = makeLeaf(node.epoch, names, node.values.slice(from))
    node.values = node.values.slice(0, from)
  } else {
    right = makeBranch(node.epoch, names, node.nodes.slice(from))
    node.nodes = node.nodes.slice(0, from)
  }
  rekeyAll(node)
  return right
}

export const remove = <Value>(node: Node<Value>, name: string): void => {
  if (node.leaf) {
    const index = firstAtLeast(node, name)
    if (node.names[index] !== name) invariant(false, "a name that is removed is there", { name })
    node.keys.splice(index, 1)
    node.names.splice(index, 1)
    node.values.splice(index, 1)
    return
  }
  const index = childIndex(node, name)
  const child = ownChild(node, index)
  remove(child, name)
  if (sizeOf(child) === 0) {
    node.keys.splice(index, 1)
    node.names.splice(index, 1)
    node.nodes.splice(index, 1)
  } else if (sizeOf(child) < node_size_low) {
    if (!joinWithNext(node, index - 1)) joinWithNext(node, index)
  }
}

/** Joins two neighbours if they are small enough together. The right one is only read. */
const joinWithNext = <Value>(parent: Branch<Value>, index: number): boolean => {
  const right = parent.nodes[index + 1]
  if (index < 0 || right === undefined || sizeOf(parent.nodes[index]!) + sizeOf(right) > joined_size_max) return false
  const left = ownChild(parent, index)
  if (left.leaf && right.leaf) {
    left.names = left.names.concat(right.names)
    left.values = left.values.concat(right.values)
  } else if (!left.leaf && !right.leaf) {
    // The first name of a branch may be stale; the parent knows the bound between the two.
    left.names = left.names.concat(parent.names[index + 1]!, right.names.slice(1))
    left.nodes = left.nodes.concat(right.nodes)
  }
  rekeyAll(left)
  parent.keys.splice(index + 1, 1)
  parent.names.splice(index + 1, 1)
  parent.nodes.splice(index + 1, 1)
  return true
}

/** Another value for a name that is there. */
export const replace = <Value>(root: Node<Value>, name: string, value: Value): void => {
  let node = root
  while (!node.leaf) node = ownChild(node, childIndex(node, name))
  const index = firstAtLeast(node, name)
  if (node.names[index] !== name) invariant(false, "a name whose value is replaced is there", { name })
  node.values[index] = value
}
