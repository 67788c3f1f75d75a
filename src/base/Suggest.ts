/**
 * "Did you mean": the word that someone probably wanted to write.
 *
 * @module
 */

/** The known word nearest to `word`, if it is near enough to be a slip. Two letters swapped are one slip. */
export const nearest = (word: string, known: ReadonlyArray<string>): string | undefined =>
  known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.min(word.length, candidate.length) / 3))
    .sort((a, b) => a.distance - b.distance)[0]?.candidate

/**
 * Letters to insert, remove, replace, or swap with their neighbour (Damerau; optimal string alignment). Infinite if `a`
 * is more than twice as long as `b`, and no near one.
 */
export const editDistance = (a: string, b: string): number => {
  if (a.length - b.length > Math.max(2, b.length)) return Number.POSITIVE_INFINITY
  let [older, old]: [Array<number>, Array<number>] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = old[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? older[j - 2]! + 1 : replaced
      row.push(Math.min(old[j]! + 1, row[j - 1]! + 1, replaced, swapped))
    }
    older = old
    old = row
  }
  return old[b.length]!
}
