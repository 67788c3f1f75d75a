/**
 * What an operator may want a group to become.
 *
 * @module
 */
import { Limits } from "../../../src/base/Limits.ts"
import type { Random } from "../../../src/base/Random.ts"
import type { ChangeWish } from "../../../src/wire/Changes.ts"
import { pick } from "../Dice.ts"
import { placeOf } from "./Groups.ts"
import { shuffled } from "./Plan.ts"

export const wishes = ["grow", "shrink", "replace one", "off a node", "replace all", "any"] as const

export interface WishGround {
  readonly tenant: string
  /** Ids. */
  readonly present: ReadonlyArray<string>
  /** All nodes, also those that are down, or have not joined yet. */
  readonly nodes: ReadonlyArray<string>
  /** A name that was never used. */
  readonly name: () => string
}

/** Null: there is no room for one of that kind. */
export const drawWish = (random: Random, kind: typeof wishes[number], ground: WishGround): ChangeWish | null => {
  const { name, nodes, tenant } = ground
  const present = shuffled(random, ground.present.map(placeOf))
  const spare = shuffled(random, nodes.filter((node) => !present.some((place) => place.node === node)))
  const named = (node: string) => ({ name: name(), node })
  const unnamed = (node: string) => ({ name: random.next() < 0.8 ? null : name(), node })
  switch (kind) {
    case "grow": {
      const add = spare.slice(0, Math.min(pick(random, [1, 1, 2]), Limits.replicas_max - present.length))
      return add.length === 0 ? null : { tenant, add: add.map(unnamed) }
    }
    case "shrink": {
      const left = pick(random, [3, 3, 3, 2, 1])
      return present.length <= left ? null : { tenant, remove: present.slice(left) }
    }
    case "replace one":
      return spare.length === 0 ? null : { tenant, remove: present.slice(0, 1), add: [unnamed(spare[0]!)] }
    case "off a node":
      return present.length === 1 && spare.length === 0 ? null : { tenant, off: present[0]!.node }
    case "replace all":
      return spare.length === 0 ? null : { tenant, to: spare.slice(0, Math.max(present.length, 3)).map(named) }
    case "any": {
      const kept = present.filter(() => random.next() < 0.6)
      const to = [...kept, ...spare.filter(() => random.next() < 0.5).map(named)].slice(0, Limits.replicas_max)
      return to.length === 0 ? null : { tenant, to }
    }
  }
}
