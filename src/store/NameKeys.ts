/**
 * Names in short: of a node's names, which all begin alike, the first characters in which they differ, as one small
 * number. A node is searched by these; the strings themselves, each in a place of its own in memory, are looked at only
 * where two numbers are equal. Of names that are not ASCII there more often are.
 *
 * @module
 */

const characters = 4
const character_bits = 7
/** Stands for itself and all above. What follows it in a name does not count. */
const character_max = 2 ** character_bits - 1

/**
 * The characters of a name from `from` on. Of two names that are equal up to there the one with the lower number is
 * the lower one; if the numbers are equal, nothing is known.
 */
export const keyOf = (name: string, from: number): number => {
  if (from + characters <= name.length) {
    const a = name.charCodeAt(from)
    const b = name.charCodeAt(from + 1)
    const c = name.charCodeAt(from + 2)
    const d = name.charCodeAt(from + 3)
    if ((a | b | c | d) < character_max) return a << 21 | b << 14 | c << 7 | d
  }
  return slowKeyOf(name, from)
}

const slowKeyOf = (name: string, from: number): number => {
  let key = 0
  for (let i = from; i < from + characters; i++) {
    const unit = i < name.length ? name.charCodeAt(i) : 0
    if (unit >= character_max) {
      const left = (from + characters - i) * character_bits
      return (key << left) + 2 ** left - 1
    }
    key = key << character_bits | unit
  }
  return key
}

/** How many characters two names have in common at their beginning; `max` if there are more. */
export const commonLength = (a: string, b: string, max: number): number => {
  const end = Math.min(a.length, b.length, max)
  let i = 0
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++
  return i
}
