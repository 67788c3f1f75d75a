/**
 * The hello: the first frame each way on every connection, of all four protocols. Who connects speaks first; the other
 * side answers with its own hello, or says why not and closes.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { encodeFrame } from "./Frame.ts"
import { pack, unpack } from "./Msgpack.ts"

export type Protocol = "v2r2-client" | "v2r2-admin" | "v2r2-cluster" | "v2r2-peer"

/** Of all four protocols; they change together. */
export const protocol_version = 1

export interface Hello {
  readonly _tag: "Hello"
  /** One of {@link Protocol}; any string when it comes from outside. */
  readonly protocol: string
  readonly version: number
  /** The cluster's name; null: any (clients and admins only). */
  readonly cluster: string | null
  /** The name of the node that speaks; null for clients and admins. */
  readonly node: string | null
  /** What the speaker accepts, by name: `frame_bytes_max` and others, so that the other side need not guess. */
  readonly limits: Readonly<Record<string, number>>
}

const codes = ["protocol", "version", "cluster", "limit", "busy", "timeout", "malformed", "name"] as const
export type RejectCode = (typeof codes)[number]

/** Instead of a hello: why there will be no conversation. */
export interface Reject {
  readonly _tag: "Reject"
  readonly code: RejectCode
  /** In plain English: what was got, what was expected. */
  readonly message: string
}

/** The first payload was neither. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
}

/** This side's hello. The limits always say `frame_bytes_max`. */
export const makeHello = (
  protocol: Protocol,
  { cluster, node, limits }: {
    readonly cluster: string | null
    readonly node: string | null
    readonly limits: { readonly frame_bytes_max: number; readonly [name: string]: number }
  }
): Hello => ({ _tag: "Hello", protocol, version: protocol_version, cluster, node, limits })

export const reject = (code: RejectCode, message: string): Reject => ({ _tag: "Reject", code, message })

/** A whole frame. */
export const encodeHello = (hello: Hello): Uint8Array =>
  encodeFrame(pack({
    hello: hello.protocol,
    version: hello.version,
    cluster: hello.cluster,
    node: hello.node,
    limits: hello.limits
  }))

/** A whole frame. */
export const encodeReject = ({ code, message }: Reject): Uint8Array => encodeFrame(pack({ reject: code, message }))

/**
 * The first payload of the other side. Whatever it means, it is well-formed: a payload that is neither hello nor reject
 * gives `Malformed`. Fields that this version does not know are ignored.
 */
export const decodeHello = (payload: Uint8Array): Hello | Reject | Malformed => {
  const unpacked = unpack(payload)
  if (!unpacked.ok) return malformed(`not msgpack: ${unpacked.reason}`)
  const map = unpacked.value
  if (!isMap(map)) return malformed("not a map")
  if (map["reject"] !== undefined) return decodeReject(map)
  const { hello, version, cluster, node, limits } = map
  if (!isText(hello)) return malformed("hello: expected the name of a protocol")
  if (!isCount(version)) return malformed("version: expected an integer")
  if (cluster !== null && !isName(cluster)) return malformed("cluster: expected a name or nil")
  if (node !== null && !isName(node)) return malformed("node: expected a name or nil")
  if (!isLimits(limits)) return malformed("limits: expected a map of integers with frame_bytes_max")
  return { _tag: "Hello", protocol: hello, version, cluster, node, limits }
}

const decodeReject = (map: Record<string, unknown>): Reject | Malformed => {
  const code = codes.find((code) => code === map["reject"])
  // A code that is newer than this version still has a message for people.
  return isText(map["message"]) ? reject(code ?? "protocol", map["message"]) : malformed("reject without a message")
}

/** May the two sides talk? Null, or why not. `expected` is this side's own hello; a null cluster on it means any. */
export const verifyHello = (expected: Hello, got: Hello): Reject | null => {
  if (got.protocol !== expected.protocol) {
    return reject("protocol", `wrong protocol: got ${quote(got.protocol)}, expected ${quote(expected.protocol)}`)
  }
  if (got.version !== expected.version) {
    return reject("version", `wrong version of ${expected.protocol}: got ${got.version}, expected ${expected.version}`)
  }
  const anonymous = expected.protocol === "v2r2-client" || expected.protocol === "v2r2-admin"
  if (got.cluster === null && !anonymous) {
    return reject("cluster", `wrong cluster: got none, expected ${quote(expected.cluster ?? "a name")}`)
  }
  if (got.cluster !== null && expected.cluster !== null && got.cluster !== expected.cluster) {
    return reject("cluster", `wrong cluster: got ${quote(got.cluster)}, expected ${quote(expected.cluster)}`)
  }
  if (got.node === null && !anonymous) {
    return reject("name", "a node must say its name: got none")
  }
  return null
}

const quote = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)

const malformed = (reason: string): Malformed => ({ _tag: "Malformed", reason })

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const isText = (value: unknown): value is string => typeof value === "string"

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const isName = (value: unknown): value is string =>
  isText(value) && value.length <= Limits.name_bytes_max && /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(value)

const isLimits = (value: unknown): value is Readonly<Record<string, number>> =>
  isMap(value) && Object.values(value).every(isCount) && isCount(value["frame_bytes_max"])
