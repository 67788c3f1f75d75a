/**
 * Members and tenants as plain data, checked when they come in: what nodes send each other, and what a node keeps on
 * its disk. First the shape, by Schema, then the rules of the two modules themselves.
 *
 * @module
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Issue } from "effect/SchemaIssue"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Parsed } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"

const MemberRecords = Schema.Array(Schema.Struct({
  id: Schema.String,
  tag: Schema.Natural,
  member: Schema.NullOr(Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    admin: Schema.String,
    client: Schema.String,
    cluster: Schema.String,
    peer: Schema.String
  })),
  drains: Schema.Natural,
  gone: Schema.NullOr(Schema.Struct({ name: Schema.String, why: Schema.Literals(["left", "dead"]) }))
}))

const TenantRecords = Schema.Array(Schema.Struct({
  id: Schema.String,
  name: Schema.NullOr(Schema.String),
  epoch: Schema.Natural,
  replicas: Schema.Array(Schema.Struct({ name: Schema.String, node: Schema.String })),
  durability: Schema.Literals(Tenants.durabilities),
  stamp: Schema.Natural,
  confirmed: Schema.Boolean,
  withdrawn: Schema.Boolean,
  coordinator: Schema.String
}))

/** A parser out of a schema: fields that it does not know are dropped, so that a newer version may add some. */
export const parserOf = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S
): (value: unknown) => Parsed<S["Type"]> => {
  const decode = Schema.decodeUnknownResult(schema)
  return (value) => {
    const result = decode(value)
    return Result.isSuccess(result)
      ? { ok: true, value: result.success }
      : { ok: false, reason: issueReason(result.failure.issue) }
  }
}

const parseMemberRecords = parserOf(MemberRecords)
const parseTenantRecords = parserOf(TenantRecords)

/** What `Members.toRecords` gave. */
export const parseMembers = (value: unknown): Parsed<Members.Members> => {
  const records = parseMemberRecords(value)
  return records.ok ? Members.fromRecords(records.value) : records
}

/** What `Tenants.toRecords` gave. */
export const parseTenants = (value: unknown): Parsed<Tenants.Tenants> => {
  const records = parseTenantRecords(value)
  return records.ok ? Tenants.fromRecords(records.value) : records
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** The first issue, in one line: `[0].replicas[2].name: Expected string`. */
const issueReason = (issue: Issue): string => {
  const first = format(issue).issues[0]
  if (first === undefined) return "it has another shape"
  const path = (first.path ?? [])
    .map((part) => typeof part === "object" ? part.key : part)
    .map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`)
    .join("")
    .replace(/^\./, "")
  return path === "" ? first.message : `${path}: ${first.message}`
}
