/**
 * The cluster protocol, `v2r2-cluster`: what nodes say to each other beside the replication itself. Each frame after
 * the hello is one msgpack map. The rate is low, so everything that comes in is checked in full.
 *
 * @module
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { Limits } from "../base/Limits.ts"
import type { Parsed } from "../base/Names.ts"
import { type Members, toRecords as memberRecords } from "../members/Members.ts"
import { type Tenants, toRecords as tenantRecords } from "../tenants/Tenants.ts"
import { encodeFrame } from "./Frame.ts"
import { pack, unpack } from "./Msgpack.ts"
import { parseMembers, parserOf, parseTenants } from "./Records.ts"

export type ClusterMessage =
  /** Either → either, on connect, on change and periodically: all that the sender knows, to be merged. */
  | { readonly _tag: "State"; readonly members: Members; readonly tenants: Tenants }
  /** Either → either: do this for me. `id` is the caller's choice, unique among its calls under way on a connection. */
  | { readonly _tag: "Call"; readonly id: number; readonly method: string; readonly args: unknown }
  /** The answer to the call of that id. */
  | { readonly _tag: "Return"; readonly id: number; readonly ok: unknown }
  /** The answer to the call of that id: it was not done, or not known to be done. */
  | { readonly _tag: "Failure"; readonly id: number; readonly code: string; readonly message: string }

/** The payload is no message of this protocol. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
}

const Kind = Schema.Struct({ t: Schema.Literals(["state", "call", "return"]) })
const State = Schema.Struct({ members: Schema.Unknown, tenants: Schema.Unknown })
const Call = Schema.Struct({
  id: Schema.Natural,
  method: Schema.NonEmptyString.check(Schema.isMaxLength(Limits.name_bytes_max)),
  args: Schema.Unknown
})
const Return = Schema.Struct({ id: Schema.Natural, ok: Schema.Unknown })
const Failure = Schema.Struct({
  id: Schema.Natural,
  error: Schema.Struct({
    code: Schema.NonEmptyString.check(Schema.isMaxLength(Limits.name_bytes_max)),
    message: Schema.String
  })
})

const parseKind = parserOf(Kind)
const parseState = parserOf(State)
const parseCall = parserOf(Call)
const parseReturn = parserOf(Return)
const parseFailure = parserOf(Failure)

/** A whole frame, length header included. An undefined `args` or `ok` arrives as null. */
export const encodeClusterMessage = (message: ClusterMessage): Uint8Array => encodeFrame(pack(toMap(message)))

const toMap = (message: ClusterMessage): object => {
  switch (message._tag) {
    case "State":
      return { t: "state", members: memberRecords(message.members), tenants: tenantRecords(message.tenants) }
    case "Call":
      return { t: "call", id: message.id, method: message.method, args: message.args ?? null }
    case "Return":
      return { t: "return", id: message.id, ok: message.ok ?? null }
    case "Failure":
      return { t: "return", id: message.id, error: { code: message.code, message: message.message } }
  }
}

/** One payload: a frame without its header. Never throws. */
export const decodeClusterMessage = (payload: Uint8Array): ClusterMessage | Malformed => {
  const unpacked = unpack(payload)
  if (!unpacked.ok) return malformed("not msgpack", unpacked)
  const kind = parseKind(unpacked.value)
  if (!kind.ok) return malformed("not a message", kind)
  switch (kind.value.t) {
    case "state":
      return decodeState(unpacked.value)
    case "call": {
      const call = parseCall(unpacked.value)
      return call.ok ? { _tag: "Call", ...call.value } : malformed("call", call)
    }
    case "return":
      return decodeReturn(unpacked.value)
  }
}

const decodeState = (value: unknown): ClusterMessage | Malformed => {
  const state = parseState(value)
  if (!state.ok) return malformed("state", state)
  const members = parseMembers(state.value.members)
  if (!members.ok) return malformed("state: members", members)
  const tenants = parseTenants(state.value.tenants)
  if (!tenants.ok) return malformed("state: tenants", tenants)
  return { _tag: "State", members: members.value, tenants: tenants.value }
}

const decodeReturn = (value: unknown): ClusterMessage | Malformed => {
  if (Predicate.hasProperty(value, "error")) {
    const failure = parseFailure(value)
    if (!failure.ok) return malformed("return", failure)
    return { _tag: "Failure", id: failure.value.id, ...failure.value.error }
  }
  const answer = parseReturn(value)
  return answer.ok ? { _tag: "Return", ...answer.value } : malformed("return", answer)
}

const malformed = (what: string, { reason }: Extract<Parsed<never>, { readonly ok: false }>): Malformed => ({
  _tag: "Malformed",
  reason: `${what}: ${reason}`
})
