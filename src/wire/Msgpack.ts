/**
 * msgpack for values whose shape is not known in advance (hello, admin, cluster). The one place that configures
 * msgpackr, which only writes here.
 *
 * Reading what strangers send with msgpackr is not safe: extension 0x72 compiles a record reader with `new Function`,
 * others build regular expressions, errors and cyclic graphs, deep nesting exhausts the stack; and a scan beforehand does
 * not help, as its string reader runs past the end of malformed UTF-8. So values are read by {@link MsgpackReader},
 * which knows data only: nil, booleans, numbers, strings, bytes, arrays, and maps with string keys.
 *
 * @module
 */
import { Packr } from "msgpackr/pack"
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"

export type Unpacked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string }

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true })
const reader = new MsgpackReader()
let budget = 0

/** One msgpack value: null, booleans, finite numbers, strings, Uint8Array, arrays and plain objects of such. */
export const pack = (value: unknown): Uint8Array => packr.pack(value)

/**
 * The one value that fills `bytes`, in the types that {@link pack} takes; binary data in it are views of `bytes`.
 * At most `msgpack_depth_max` deep, with `msgpack_values_max` values. Never throws.
 */
export const unpack = (bytes: Uint8Array): Unpacked => {
  reader.open(bytes)
  budget = Limits.msgpack_values_max
  const value = read(0)
  return reader.close() ? { ok: true, value } : { ok: false, reason: reader.fault ?? "malformed" }
}

const read = (depth: number): unknown => {
  const token = reader.peek()
  if (--budget < 0) reader.fail(`more than ${Limits.msgpack_values_max} values`)
  if (depth > Limits.msgpack_depth_max) reader.fail(`nested deeper than ${Limits.msgpack_depth_max}`)
  if (reader.fault !== null) return null
  switch (kinds[token]) {
    case "number": return reader.number("number")
    case "string": return reader.string("string", Number.MAX_SAFE_INTEGER)
    case "bin": return reader.bin("binary data", Number.MAX_SAFE_INTEGER)
    case "array": return readArray(depth)
    case "map": return readMap(depth)
    case "constant":
      reader.skip()
      return token === 0xc0 ? null : token === 0xc3
    default:
      reader.fail(`format 0x${token.toString(16)} is not allowed here`)
      return null
  }
}

const readArray = (depth: number): ReadonlyArray<unknown> => {
  const values: Array<unknown> = []
  for (let left = reader.array("array", Limits.msgpack_values_max); left > 0 && reader.fault === null; left--) {
    values.push(read(depth + 1))
  }
  return values
}

const readMap = (depth: number): Readonly<Record<string, unknown>> => {
  const values: Record<string, unknown> = {}
  for (let left = reader.map("map", Limits.msgpack_values_max); left > 0 && reader.fault === null; left--) {
    const key = reader.string("map key", Number.MAX_SAFE_INTEGER)
    if (key === "__proto__") reader.fail("a map key must not be __proto__")
    else values[key] = read(depth + 1)
  }
  return values
}

/** What begins with each of the 256 tokens. Extensions and 0xc1 are nothing. */
const kinds = Array.from({ length: 256 }, (_, token) => {
  if (token < 0x80 || token >= 0xe0 || (token >= 0xca && token <= 0xd3)) return "number"
  if (token <= 0x8f || token === 0xde || token === 0xdf) return "map"
  if (token <= 0x9f || token === 0xdc || token === 0xdd) return "array"
  if (token <= 0xbf || (token >= 0xd9 && token <= 0xdb)) return "string"
  if (token >= 0xc4 && token <= 0xc6) return "bin"
  return token === 0xc0 || token === 0xc2 || token === 0xc3 ? "constant" : "nothing"
})
