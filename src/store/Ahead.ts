/**
 * Operations that were decoded before they are executed, in the order in which they will be.
 *
 * @module
 */
import { decodeOperation, type Operation, type Refusal } from "./Operation.ts"

export class Ahead {
  #encoded: ReadonlyArray<Uint8Array> = []
  #decoded: ReadonlyArray<Operation | Refusal> = []
  #next = 0

  /** They take the place of those before. The bytes stay as they are until they are executed. */
  decode(encoded: ReadonlyArray<Uint8Array>): ReadonlyArray<Operation | Refusal> {
    this.#encoded = encoded
    this.#decoded = encoded.map((bytes) => decodeOperation(bytes))
    this.#next = 0
    return this.#decoded
  }

  /** What this very array is, if it is one of those that are left; those before it are not executed after all. */
  take(bytes: Uint8Array): Operation | Refusal | undefined {
    const at = this.#encoded.indexOf(bytes, this.#next)
    if (at < 0) return undefined
    const operation = this.#decoded[at]
    this.#next = at + 1
    if (this.#next === this.#encoded.length) this.#forget()
    return operation
  }

  /** What they were decoded from is the network's. */
  #forget(): void {
    this.#encoded = []
    this.#decoded = []
    this.#next = 0
  }
}
