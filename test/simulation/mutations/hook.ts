/**
 * Puts one mutation into this process: `node --import` this file, with the name of the mutation in the environment (see
 * Mutation.ts). The source of one module is changed while it is loaded, before its types are stripped.
 *
 * @module
 */
import { registerHooks } from "node:module"
import { runningMutation } from "./Mutation.ts"
import { mutate, urlOf } from "./Row.ts"
import { mutationOf } from "./Table.ts"

let loads = 0

/** How often a module with the bug was loaded: 0 means that this process runs without it. */
export const mutatedLoads = (): number => loads

const textOf = (source: string | NodeJS.TypedArray | ArrayBuffer | undefined): string => {
  if (typeof source === "string") return source
  if (source === undefined) throw new Error("the module has no source")
  return new TextDecoder().decode(source)
}

const name = runningMutation()
if (name !== null) {
  const mutation = mutationOf(name)
  const target = urlOf(mutation).href
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      loads++
      return { ...loaded, source: mutate(mutation, textOf(loaded.source)) }
    }
  })
}
