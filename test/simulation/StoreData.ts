/**
 * The real store as the data of simulated replicas, and the flat model of it that shares no code with it. Both speak
 * the store's encoding.
 *
 * @module
 */
import {
  decodeOperation,
  decodeResult,
  encodeOperation,
  encodeResult,
  type Operation,
  type Result
} from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import type { Application, PartReader } from "../../src/vr/Application.ts"
import { Model } from "../store/Model.ts"
import { digestOf, PinCount, type Replicated, type Workload } from "./Data.ts"

const digested = (application: Application, whole: () => string): Replicated => {
  let digest = 0
  const { outstanding, track } = new PinCount()
  return {
    refuseWrite: application.refuseWrite,
    prefetch: application.prefetch,
    tidy: application.tidy,
    query: application.query,
    apply: (operation, context) => {
      const result = application.apply(operation, context)
      digest = digestOf(digest, context.op, result)
      return result
    },
    size: application.size,
    pin: () => {
      const pinned = application.pin()
      const first = Buffer.from(String(digest))
      return track({ read: () => behind(first, pinned.read()), release: pinned.release })
    },
    restore: () => {
      const builder = application.restore()
      let restored: number | undefined = undefined
      return {
        add: (part) => {
          if (restored !== undefined) return builder.add(part)
          restored = Number(Buffer.from(part).toString())
          return Number.isInteger(restored) ? null : "it does not begin with a digest"
        },
        finish: builder.finish,
        install: () => {
          builder.install()
          digest = restored ?? digest
        }
      }
    },
    get digest() {
      return digest
    },
    whole,
    pins: outstanding
  }
}

const behind = (first: Uint8Array, rest: PartReader): PartReader => {
  let begun = false
  return {
    next: (room) => {
      if (begun) return rest.next(room)
      begun = true
      return first
    }
  }
}

const children_max = 1_000

type Ask = (operation: Operation) => Result

/** Every element under `path`, depth first. */
const walk = (ask: Ask, path: string): ReadonlyArray<string> => {
  const page = ask({ _tag: "List", path, limit: children_max, after: null })
  if (page._tag !== "Page") return [shown(path, ask({ _tag: "Get", path })), shown(path, ask({ _tag: "Stat", path }))]
  const below = page.entries.flatMap(({ name }) => walk(ask, path === "/" ? `/${name}` : `${path}/${name}`))
  return [shown(path, ask({ _tag: "Stat", path })), ...below]
}

/** Fields in order of their names: the two may have made them in another one. */
const shown = (path: string, result: Result): string => {
  const fields = Object.entries(result).sort(([a], [b]) => a < b ? -1 : 1)
  return `${path} ${fields.map(([name, value]) => `${name} ${String(value)}`).join(" ")}`
}

export const resultOf = (bytes: Uint8Array): Result => {
  const result = decodeResult(bytes)
  if (result._tag === "Malformed") throw new Error(`the store answers what nobody can read: ${result.reason}`)
  return result
}

const realStore = (): Replicated => {
  const store = makeStore()
  const ask: Ask = (operation) => resultOf(store.query(encodeOperation(operation)))
  return digested(store, () => walk(ask, "/").join("\n"))
}

const notOfTheModel = (): never => {
  throw new Error("the model runs all that was committed, and is never restored")
}

const modelStore = (): Replicated => {
  const model = new Model()
  const execute = (bytes: Uint8Array, op: number): Uint8Array => {
    const operation = decodeOperation(bytes)
    if (operation._tag === "Error") throw new Error("only what the store takes is committed")
    return encodeResult(model.execute(operation, op))
  }
  const application: Application = {
    refuseWrite: () => undefined,
    prefetch: () => {},
    tidy: () => {},
    apply: (bytes, { op }) => execute(bytes, op),
    query: (bytes) => execute(bytes, 0),
    size: notOfTheModel,
    pin: notOfTheModel,
    restore: notOfTheModel
  }
  return digested(application, () => walk((operation) => model.execute(operation, 0), "/").join("\n"))
}

export const stores: Workload = { replica: realStore, model: modelStore }
