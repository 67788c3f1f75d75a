/**
 * Drawn damage to files: what disks, copies and people do to them.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import { below } from "./Scripts.ts"

type Damage = (random: Random, bytes: Uint8Array) => Uint8Array | null

/** Behind the last byte that is something; not so near that nothing could be cut. */
const endOf = (bytes: Uint8Array): number => Math.max(1, bytes.findLastIndex((byte) => byte !== 0) + 1)

const damages: { readonly [name: string]: Damage } = {
  flip: (random, bytes) => {
    const copy = bytes.slice()
    copy[below(random, endOf(bytes))]! ^= 1 << below(random, 8)
    return copy
  },
  cut: (random, bytes) => bytes.slice(0, below(random, bytes.length)),
  "zeros from a byte on": (random, bytes) => bytes.slice().fill(0, below(random, endOf(bytes))),
  "zeros from near the end on": (random, bytes) => bytes.slice().fill(0, endOf(bytes) - 1 - below(random, Math.min(200, endOf(bytes)))),
  "a sector of zeros": (random, bytes) => {
    const at = 512 * below(random, Math.ceil(endOf(bytes) / 512))
    return bytes.slice().fill(0, at, at + 512)
  },
  empty: () => new Uint8Array(0),
  lost: () => null,
  nothing: (_, bytes) => bytes
}

export interface Files {
  readonly names: ReadonlyArray<string>
  readonly content: (name: string) => Uint8Array
  /** Null: the file goes away. */
  readonly change: (name: string, bytes: Uint8Array | null) => void
}

/** Changes one of the files. What was done, in words. */
export const drawChange = (random: Random, files: Files): string => {
  const { names } = files
  // What crashes leave more often than the rest.
  const torn = "zeros from near the end on"
  const all = [...Object.keys(damages), torn, torn]
  const what = all[below(random, all.length)]!
  // Most things happen to the files that are written last.
  const name = random.next() < 0.4 ? names.at(-1)! : names[below(random, names.length)]!
  files.change(name, damages[what]!(random, files.content(name)))
  return `${what}: ${name}`
}
