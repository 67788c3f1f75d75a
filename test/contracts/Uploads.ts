/**
 * What every version of `Uploads` must do. Each test gets an empty disk of its own.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { concat } from "../../src/base/Bytes.ts"
import { Uploads } from "../../src/storage/Uploads.ts"

export interface UploadsHarness {
  /** The same disk, each time it is built. */
  readonly uploads: Layer.Layer<Uploads>
  /** From now on, every write fails. */
  readonly breakDisk: () => void
  /** The ids of those that take room on the disk. */
  readonly kept: () => ReadonlyArray<string>
}

export const [a, b] = ["3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b", "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"] as const

export const uploadsContract = (version: string, makeHarness: Effect.Effect<UploadsHarness, never, Scope>): void => {
  const test = (name: string, body: (uploads: Uploads["Service"], harness: UploadsHarness) => Effect.Effect<void, unknown>) =>
    it.effect(name, () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* Effect.provide(Effect.flatMap(Uploads, (uploads) => body(uploads, harness)), harness.uploads, { local: true })
      }))

  const contentOf = (uploads: Uploads["Service"], id: string) =>
    Effect.gen(function*() {
      const pieces: Array<Uint8Array> = []
      yield* uploads.read(id, (piece) => void pieces.push(piece.slice()))
      return concat(pieces)
    })

  describe(`Uploads, ${version}`, () => {
    test("have what was appended, in order, each its own", (uploads) =>
      Effect.gen(function*() {
        yield* uploads.begin(a)
        yield* uploads.begin(b)
        const large = new Uint8Array(3_000_000).map((_, index) => index % 251)
        const reused = Uint8Array.of(1, 2)
        yield* uploads.append(a, reused)
        reused.fill(9)
        yield* uploads.append(b, Uint8Array.of(7))
        yield* uploads.append(a, large)
        yield* uploads.append(a, Uint8Array.of(3))
        assert.isTrue(Buffer.from(yield* contentOf(uploads, a)).equals(Buffer.from([1, 2, ...large, 3])))
        assert.deepStrictEqual([...(yield* contentOf(uploads, a)).subarray(0, 2)], [1, 2], "as often as is wanted")
        assert.deepStrictEqual([...(yield* contentOf(uploads, b))], [7])
      }))

    test("begin empty, also again", (uploads) =>
      Effect.gen(function*() {
        yield* uploads.begin(a)
        yield* uploads.append(a, Uint8Array.of(1))
        yield* uploads.begin(a)
        assert.strictEqual((yield* contentOf(uploads, a)).length, 0)
      }))

    test("are gone when they are removed, and not there before they begin", (uploads, { kept }) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(uploads.read(a, () => {})))._tag, "UploadError")
        yield* uploads.begin(a)
        yield* uploads.begin(b)
        assert.deepStrictEqual([...kept()].sort(), [a, b])
        yield* uploads.remove(a)
        yield* uploads.remove(a)
        assert.deepStrictEqual(kept(), [b])
        assert.strictEqual((yield* Effect.flip(uploads.read(a, () => {})))._tag, "UploadError")
      }))

    test("are all cleared, also those of an earlier life", (uploads, { kept, uploads: layer }) =>
      Effect.gen(function*() {
        yield* uploads.clear
        yield* uploads.begin(a)
        yield* uploads.append(a, Uint8Array.of(1))
        yield* uploads.begin(b)
        const next = Effect.flatMap(Uploads, (later) => Effect.andThen(later.clear, later.begin(b)))
        yield* Effect.provide(next, layer, { local: true })
        assert.deepStrictEqual(kept(), [b])
      }))

    test("say so if the disk refuses", (uploads, { breakDisk }) =>
      Effect.gen(function*() {
        yield* uploads.begin(a)
        breakDisk()
        assert.include((yield* Effect.flip(uploads.append(a, Uint8Array.of(1)))).message, "no space left on device")
        assert.include((yield* Effect.flip(uploads.begin(b))).message, "no space left on device")
      }))
  })
}
