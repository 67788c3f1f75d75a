/**
 * A snapshot as a file, of a tenant that a test makes up.
 *
 * @module
 */
import { concat } from "../../src/base/Bytes.ts"
import { ClientTable } from "../../src/vr/ClientTable.ts"
import { type Snapshot, takeSnapshot } from "../../src/vr/Snapshot.ts"
import { SnapshotEncoder } from "../../src/wire/SnapshotFile.ts"
import { User } from "../store/User.ts"
import { applyTo } from "../vr/Applying.ts"

export const tenant = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"
export const history = [{ epoch: 2, replicas: ["r1::dev1", "r2::dev2", "r3::dev3"], leaving: ["r4::dev4"], op: 1, view: 7 }]
export const time = 1_700_000_000_123

/** Of so many elements of so many bytes, and of two sessions with an answer. */
export const snapshotOf = (elements: number, value_bytes = 10): Snapshot => {
  const user = new User()
  const clients = new ClientTable()
  for (const nonce of [1, 2]) clients.register(++user.op, new Uint8Array(16).fill(nonce))
  applyTo(clients, 1, 1, 0, () => Uint8Array.of(7))
  for (let index = 0; index < elements; index++) user.create(`/e${index}`, String(index).padEnd(value_bytes, "."))
  return takeSnapshot({ history, application: user.store, clients, commit: user.op, commitTime: time, sinceSnapshot: 5_000 })
}

export const partsOf = ({ read }: Snapshot): ReadonlyArray<Uint8Array> => {
  const reader = read()
  const parts: Array<Uint8Array> = []
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
  return parts
}

export const fileOf = (op: number, parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const encoder = new SnapshotEncoder({ tenant, op })
  return concat([encoder.header, ...parts.flatMap((part) => encoder.part(part)).map((piece) => piece.slice()), encoder.end()])
}
