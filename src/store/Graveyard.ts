/**
 * What was cut off a tree, until the memory of its blobs is given back: a few elements at a time, so that to delete a directory
 * takes as long however much is in it. What a pin has seen waits until that is released.
 *
 * @module
 */
import type { Blobs, Entry } from "./Blobs.ts"
import type { Element } from "./elements/Elements.ts"
import type { NamesCursor } from "./OrderedNames.ts"
import { never_pinned } from "./Pin.ts"

/** What no pin has seen, or what was cut off between two pins. */
interface Plot {
  readonly blobs: Array<number>
  /** Each at what comes next in it; those last that are below others. */
  readonly directories: Array<NamesCursor<Entry>>
  /** The version of the first write that put something here. Pins from there on have seen none of it, as they begin another plot. */
  readonly from: number
}

const makePlot = (from: number): Plot => ({ blobs: [], directories: [], from })

const isEmpty = ({ blobs, directories }: Plot): boolean => blobs.length === 0 && directories.length === 0

export class Graveyard {
  readonly #unseen = makePlot(never_pinned)
  /** The others, in order. */
  #plots: ReadonlyArray<Plot> = []

  /** The element, and all below it, was cut off by the write of this version. `pins`: those that are held, in order. */
  add(element: Element, version: number, pins: ReadonlyArray<{ readonly version: number }>): void {
    const newest = pins.at(-1)?.version ?? never_pinned
    // What a blob was before it changed is the pin's; and nothing moves to another directory, so what is below one came after it.
    const since = element.type === "blob" ? element.version : element.created_version
    if (since > newest) return put(this.#unseen, element.entry)
    let plot = this.#plots.at(-1)
    if (plot === undefined || plot.from <= newest) this.#plots = [...this.#plots, plot = makePlot(version)]
    put(plot, element.entry)
  }

  /** Gives back what up to `count` elements have, of what those who still hold a pin have not seen. `pins`: as above. */
  clear(count: number, all: Blobs, pins: ReadonlyArray<{ readonly version: number }>): void {
    let left = clearPlot(this.#unseen, count, all)
    for (const plot of this.#plots) {
      const oldest = pins[0]
      if (left === 0 || oldest !== undefined && oldest.version < plot.from) return
      left = clearPlot(plot, left, all)
      if (isEmpty(plot)) this.#plots = this.#plots.slice(1)
    }
  }
}

const put = ({ blobs, directories }: Plot, entry: Entry): void => {
  if (typeof entry === "number") blobs.push(entry)
  else directories.push(entry.entries.cursor())
}

/** How many of `count` are left. A directory counts twice: as it is found, and once nothing is left in it. */
const clearPlot = (plot: Plot, count: number, all: Blobs): number => {
  let left = count
  for (; left > 0 && !isEmpty(plot); left--) {
    const blob = plot.blobs.pop()
    if (blob !== undefined) {
      all.free(blob)
      continue
    }
    const directory = plot.directories.at(-1)!
    const entry = directory.value
    directory.advance()
    if (entry === undefined) plot.directories.pop()
    else if (typeof entry === "number") all.free(entry)
    else put(plot, entry)
  }
  return left
}
