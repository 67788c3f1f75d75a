/**
 * Names that people give (nodes, tenants, replicas), ids that we give (UUIDs), and the ways to write replicas:
 * `r1::dev1` in a tenant, `r1::dev1,r2::dev2` for a group, `<tenant>::r1::dev1` in full.
 *
 * @module
 */
import { Limits } from "./Limits.ts"
import type { Random } from "./Random.ts"

/** What came out of reading text of unknown origin: a value, or one phrase that says what is wrong with it. */
export type Parsed<A> =
  | { readonly ok: true; readonly value: A }
  | { readonly ok: false; readonly reason: string }

const good = <A>(value: A): Parsed<A> => ({ ok: true, value })
const bad = (reason: string): Parsed<never> => ({ ok: false, reason })

/** A replica is named within its tenant by its own name and the node that it lives on. */
export interface ReplicaName {
  readonly name: string
  readonly node: string
}

/** A replica of any tenant; `tenant` is a name or a UUID. */
export interface ReplicaPath extends ReplicaName {
  readonly tenant: string
}

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const uuidLike = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const nameStart = /[a-zA-Z0-9]/
const nameOther = /[^a-zA-Z0-9._-]/u

/** Text from elsewhere, fit to be shown in one line of a message. */
export const quoted = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)

/** Is this an id of ours: a lower-case UUID of version 4? */
export const isUuid = (text: string): boolean => uuidV4.test(text)

/** A UUID of version 4 (36 characters). It is as unpredictable as `random` is. */
export const uuid = (random: Random): string => {
  const bytes = Array.from({ length: 16 }, () => Math.floor(random.next() * 256))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

/** Why `text` cannot be the name of a node, tenant or replica, or null if it can. */
export const nameProblem = (text: string): string | null => {
  if (text === "") return "a name must not be empty"
  const first = String.fromCodePoint(text.codePointAt(0)!)
  if (!nameStart.test(first)) return `a name starts with a letter or digit, ${quoted(text)} does not`
  const other = nameOther.exec(text)
  if (other) return `a name has only letters, digits, ".", "_" and "-"; ${quoted(text)} has ${quoted(other[0])}`
  if (text.length > Limits.name_bytes_max) {
    return `a name has at most ${Limits.name_bytes_max} characters, ${quoted(text)} has ${text.length}`
  }
  if (uuidLike.test(text)) return `a name must not look like an id (UUID), ${quoted(text)} does`
  return null
}

/** Why `text` cannot stand for a tenant (by name or id), or null if it can. */
export const tenantProblem = (text: string): string | null => isUuid(text) ? null : nameProblem(text)

/** `r1::dev1`: the replica's id, unique in its tenant. */
export const replicaId = (replica: ReplicaName): string => `${replica.name}::${replica.node}`

/** Reads `r1::dev1`. */
export const parseReplicaId = (text: string): Parsed<ReplicaName> => {
  const [name, node, ...rest] = text.split("::")
  if (name === undefined || node === undefined || rest.length > 0) {
    return bad(`expected <replica>::<node>, such as r1::dev1, got ${quoted(text)}`)
  }
  const problem = partProblem("replica", nameProblem(name)) ?? partProblem("node", nameProblem(node))
  return problem === null ? good({ name, node }) : bad(problem)
}

/** Reads `r1::dev1,r2::dev2`, in the order given; spaces around a comma do not matter. Duplicates are not judged. */
export const parseReplicas = (text: string): Parsed<ReadonlyArray<ReplicaName>> => {
  const replicas: Array<ReplicaName> = []
  for (const part of text.split(",")) {
    const replica = parseReplicaId(part.trim())
    if (!replica.ok) return replica
    replicas.push(replica.value)
  }
  return good(replicas)
}

/** Reads `<tenant>::<replica>::<node>`. */
export const parseReplicaPath = (text: string): Parsed<ReplicaPath> => {
  const [tenant, name, node, ...rest] = text.split("::")
  if (tenant === undefined || name === undefined || node === undefined || rest.length > 0) {
    return bad(`expected <tenant>::<replica>::<node>, such as orders::r1::dev1, got ${quoted(text)}`)
  }
  const problem = partProblem("tenant", tenantProblem(tenant)) ??
    partProblem("replica", nameProblem(name)) ??
    partProblem("node", nameProblem(node))
  return problem === null ? good({ tenant, name, node }) : bad(problem)
}

const partProblem = (part: string, problem: string | null): string | null =>
  problem === null ? null : `${part}: ${problem}`
