/**
 * What answers tell about versions. A version is the number of one write: whoever is told one has seen that write, on
 * an element that it made, changed, or changed something below.
 *
 * @module
 */
import type { Operation, Result, WriteOperation } from "../../../src/store/Operation.ts"

/** Somebody saw an element at a version. */
export interface Sighting {
  readonly path: string
  readonly version: number
  /** The version is the one that created the element, not its current one. */
  readonly created: boolean
  /** `null`, here and below: not told. */
  readonly type: "blob" | "directory" | null
  readonly size: number | null
  readonly data: Uint8Array | null
}

const sighting = (path: string, version: number, rest: Partial<Sighting>): Sighting =>
  ({ path, version, created: false, type: null, size: null, data: null, ...rest })

export const sightingsOf = (operation: Operation, result: Result): ReadonlyArray<Sighting> => {
  const { path } = operation
  const expected = "version" in operation ? operation.version : null
  switch (result._tag) {
    case "Written":
      // It was let through because the element had this version.
      return expected === null ? [] : [sighting(path, expected, { type: operation._tag === "Put" ? "blob" : null })]
    case "Value":
      return [sighting(path, result.version, { type: "blob", size: result.data.length, data: result.data })]
    case "Stat": {
      const { created_version, size, type, version } = result
      const seen = sighting(path, version, { type, size })
      return path === "/" ? [seen] : [seen, sighting(path, created_version, { created: true, type })]
    }
    case "Page": {
      const above = path === "/" ? "/" : `${path}/`
      return result.entries.map(({ name, size, type, version }) => sighting(above + name, version, { type, size }))
    }
    case "Error":
      if (result.code === "CasFailed") return [sighting(path, result.actual, {})]
      return result.code === "NotEmpty" && expected !== null ? [sighting(path, expected, { type: "directory" })] : []
  }
}

/** Is `path` that of `above`, or of something below it? */
export const isWithin = (path: string, above: string): boolean =>
  path.startsWith(above) && (path.length === above.length || above === "/" || path[above.length] === "/")

/** Can the element have been seen like this because of this write? */
export const mayHaveMade = (operation: WriteOperation, seen: Sighting): boolean => {
  if (!isWithin(operation.path, seen.path)) return false
  const create = operation._tag === "Create"
  if (operation.path !== seen.path) return seen.type !== "blob" && (!seen.created || (create && operation.parents))
  if (operation._tag === "Delete") return false
  const type = create ? operation.type : "blob"
  if (seen.created && !create) return false
  if (seen.type !== null && seen.type !== type) return false
  if (seen.size !== null && seen.size !== operation.data.length) return false
  return seen.data === null || Buffer.compare(seen.data, operation.data) === 0
}
