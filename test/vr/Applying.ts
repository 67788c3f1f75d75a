/**
 * Requests that are applied to a table of sessions by themselves, without a log.
 *
 * @module
 */
import type { ClientTable } from "../../src/vr/ClientTable.ts"
import type { RequestNumber, SessionId } from "../../src/vr/Message.ts"

const nothing = new Uint8Array(0)

export const applyTo = (
  table: ClientTable,
  session: SessionId,
  request: RequestNumber,
  answered: RequestNumber,
  execute: () => Uint8Array
): Uint8Array | undefined =>
  table.apply({ op: 1, view: 0, time: 1, kind: "request", session, request, answered, operation: nothing }, { apply: execute })
