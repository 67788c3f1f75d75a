/**
 * The store as a replicated application: encoded operations in, encoded results out, on one tree.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { Application } from "../vr/Application.ts"
import { Ahead } from "./Ahead.ts"
import { Builder } from "./Builder.ts"
import { decodeOperation, encodeResult, isWrite, type Operation, type Refusal } from "./Operation.ts"
import { partsOf, record_bytes } from "./Parts.ts"
import { invalid } from "./Path.ts"
import { Tree } from "./Tree.ts"

/** What the store holds now. */
export interface StoreStats {
  /** Without the root. */
  readonly elements: number
  /** Of the values alone, without names and structure. */
  readonly value_bytes: number
}

export interface Store extends Application {
  readonly stats: () => StoreStats
  /** For how many pinned states writes keep what they replace. */
  readonly pins: () => number
}

/** An empty store: nothing but the root, at version 0. */
export const makeStore = (part_bytes_max: number = Limits.snapshot_part_bytes_max): Store => {
  const tree = new Tree()
  const ahead = new Ahead()
  return {
    refuseWrite: (bytes) => {
      const operation = decodeOperation(bytes)
      if (operation._tag === "Error") return encodeResult(operation)
      return isWrite(operation) ? undefined : encodeResult(misplaced(operation, "write"))
    },
    prefetch: (operations) => {
      // Of fewer elements most are in the caches anyway.
      if (tree.elements >= Limits.prefetch_elements_min) tree.prefetch(ahead.decode(operations))
    },
    tidy: () => tree.tidy(Limits.graves_per_tick_max),
    apply: (bytes, context) => {
      const operation = ahead.take(bytes) ?? decodeOperation(bytes)
      if (operation._tag === "Error") return encodeResult(operation)
      return encodeResult(isWrite(operation) ? tree.write(operation, context.op) : misplaced(operation, "write"))
    },
    query: (bytes) => {
      const operation = decodeOperation(bytes)
      if (operation._tag === "Error") return encodeResult(operation)
      return encodeResult(isWrite(operation) ? misplaced(operation, "read") : tree.read(operation))
    },
    size: () => tree.value_bytes + (1 + tree.elements) * record_bytes,
    pin: () => {
      const pin = tree.pin()
      return { read: () => partsOf(pin, part_bytes_max), release: () => tree.release(pin) }
    },
    restore: () => new Builder((root, blobs) => tree.install(root, blobs)),
    stats: () => ({ elements: tree.elements, value_bytes: tree.value_bytes }),
    pins: () => tree.pins
  }
}

const misplaced = (operation: Operation, expected: "read" | "write"): Refusal =>
  invalid(operation.path, `"${operation._tag.toLowerCase()}" is not a ${expected}`)
