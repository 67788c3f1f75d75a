/**
 * The data of simulated replicas: the real thing, and a model that it is compared with.
 *
 * @module
 */
import { invariant } from "../../src/base/Invariant.ts"
import type { Application, PartReader, PinnedState } from "../../src/vr/Application.ts"

export interface Replicated extends Application {
  /** Of everything that was applied and its results: equal histories give equal digests. */
  readonly digest: number
  /** All that it holds, in words. Costly. */
  readonly whole: () => string
  /** How many of its states are pinned, and not released. */
  readonly pins: () => number
}

export interface Workload {
  /** Of one replica. */
  readonly replica: () => Replicated
  /** Runs what the group has committed. */
  readonly model: () => Replicated
}

/** Knows how many pinned states are not released, and lets nobody read one that is. */
export class PinCount {
  #pins = 0

  readonly outstanding = (): number => this.#pins

  readonly track = ({ read, release }: PinnedState): PinnedState => {
    let isReleased = false
    this.#pins++
    return {
      read: () => {
        const reader = read()
        return {
          next: (room) => {
            invariant(!isReleased, "what is pinned is read before it is released")
            return reader.next(room)
          }
        }
      },
      release: () => {
        if (!isReleased) this.#pins--
        isReleased = true
        release()
      }
    }
  }
}

/** A reader of parts that are there already. They lie in the room that is given, as those of the store do. */
export const readerOf = (parts: ReadonlyArray<Uint8Array>): PartReader => {
  let read = 0
  return {
    next: (room) => {
      const part = parts[read++]
      if (part === undefined || room === undefined || part.length > room.length) return part ?? null
      room.set(part)
      return room.subarray(0, part.length)
    }
  }
}

export const digestOf = (before: number, op: number, bytes: Uint8Array): number => {
  let digest = Math.imul(before ^ op, 0x01000193)
  for (let i = 0; i < bytes.length; i++) digest = Math.imul(digest ^ bytes[i]!, 0x01000193)
  return digest
}
