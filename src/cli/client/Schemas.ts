/**
 * The JSON that the commands of `v2r2-cli` print.
 *
 * @module
 */
import * as Schema from "effect/Schema"

const { Literals, Natural, NullOr, String: Text, Struct, Union } = Schema
const ArrayOf = Schema.Array

export const ElementType = Literals(["blob", "directory"])

/** create, put, delete */
export const WrittenJson = Struct({ path: Text, version: Natural })

/** Data: as text if it is UTF-8, else in base64. */
export const BytesJson = Union([Struct({ utf8: Text }), Struct({ base64: Text })])

export const GetJson = Struct({ path: Text, version: Natural, data: BytesJson })

export const StatJson = Struct({
  path: Text,
  type: ElementType,
  version: Natural,
  created_version: Natural,
  /** Bytes of its data. */
  size: Natural,
  /** How many. */
  children: Natural
})

export const EntryJson = Struct({ name: Text, type: ElementType, version: Natural, size: Natural, children: Natural })

export const TreeJson = Struct({ path: Text, type: ElementType, version: Natural, size: Natural, children: Natural })

export const TenantJson = Struct({
  id: Text,
  name: NullOr(Text),
  replicas: ArrayOf(Struct({ name: Text, node: Text, address: Text }))
})

export const EnterJson = Struct({ id: Text, name: NullOr(Text) })
