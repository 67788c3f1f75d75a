/**
 * Random operations that get somewhere: on few paths, of which half are known to exist.
 *
 * @module
 */
import * as fc from "fast-check"
import type { Operation, Result } from "../../src/store/Operation.ts"
import type { Model } from "./Model.ts"

/** Few names, so that paths meet; some that sort or share beginnings in tricky ways, and one that V8 would slice. */
const name = fc.constantFrom("a", "b", "ab", "a.", "A", "é", "\uffff", "😀", "a name that is rather long")
const path = fc.array(name, { minLength: 1, maxLength: 4, size: "small" }).map((names) => `/${names.join("/")}`)
const anyPath = fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant("/") })
/** On both sides of where values get other memory; two of them are hardly ever the same. */
const lengths = fc.constantFrom(0, 1, 2, 4, 15, 16, 17, 240, 256, 257, 300, 511, 512, 513, 600, 1_000, 1_022, 1_023, 1_024, 1_025)
const data = fc.tuple(lengths, fc.nat(255)).map(([length, seed]) => Uint8Array.from({ length }, (_, i) => seed + i))

/** What the writer believes the version to be: known only when it comes to it. */
type Guess = "none" | "right" | number
const guess = fc.oneof(fc.constant<Guess>("none"), fc.constant<Guess>("right"), fc.nat(60))

/** What somebody does next, who knows what there is. */
export type Step = (model: Model) => Operation

const versioned = (model: Model, at: string, one: Guess): number | null =>
  one === "none" ? null : one === "right" ? model.versionOf(at) ?? 1 : one

/** Half of the time a path that exists: most random ones do not. */
const target = fc.tuple(fc.boolean(), fc.nat(), anyPath).map(([existing, at, other]) => (model: Model): string =>
  existing ? model.paths[at % model.paths.length]! : other
)
const notRoot = (at: string): string => at === "/" ? "/a" : at

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(target, path, data, fc.boolean(), fc.boolean()).map(
    ([below, rest, value, parents, directory]): Step => (model) => {
      const base = below(model)
      const at = (base === "/" ? rest : `${base}${rest}`).split("/").slice(0, 7).join("/")
      return { _tag: "Create", path: at, type: directory ? "directory" : "blob", data: directory ? new Uint8Array(0) : value, parents }
    }) },
  { weight: 3, arbitrary: fc.tuple(target, data, guess).map(([at, value, version]): Step => (model) =>
    ({ _tag: "Put", path: at(model), data: value, version: versioned(model, at(model), version) })) },
  { weight: 2, arbitrary: fc.tuple(target, guess, fc.boolean()).map(([at, version, recursive]): Step => (model) =>
    ({ _tag: "Delete", path: notRoot(at(model)), version: versioned(model, notRoot(at(model)), version), recursive })) },
  target.map((at): Step => (model) => ({ _tag: "Get", path: at(model) })),
  target.map((at): Step => (model) => ({ _tag: "Stat", path: at(model) })),
  fc.tuple(target, fc.integer({ min: 1, max: 4 }), fc.option(name)).map(([at, limit, after]): Step => (model) =>
    ({ _tag: "List", path: at(model), limit, after }))
)

/** For comparing: without the kind of array that holds the data. */
export const plain = (result: Result): Result => result._tag === "Value" ? { ...result, data: new Uint8Array(result.data) } : result

/** Everything that can be asked about everything that there is. */
export const questions = (model: Model): ReadonlyArray<Operation> =>
  model.paths.flatMap((at): ReadonlyArray<Operation> => [
    { _tag: "Stat", path: at },
    { _tag: "Get", path: at },
    { _tag: "List", path: at, limit: 2, after: null },
    { _tag: "List", path: at, limit: 1_000, after: "a" }
  ])
