/**
 * Drawn damage to files: what disks, copies and people do to them.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import { below } from "./Scripts.ts"
import type { TestLogDisk } from "./TestLogDisk.ts"

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

/** Changes one of the files. What was done, in words. */
export const drawChange = (random: Random, disk: TestLogDisk, names: ReadonlyArray<string>): string => {
  const all = Object.keys(damages)
  const what = all[below(random, all.length)]!
  // Most things happen to the files that are written last.
  const name = random.next() < 0.4 ? names.at(-1)! : names[below(random, names.length)]!
  disk.change(name, damages[what]!(random, disk.content(name)))
  return `${what}: ${name}`
}
