/**
 * The words that several admin commands take, how they are judged before a node is asked, and what all of them say alike.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import type { Parsed } from "../../base/Names.ts"
import { type Failure, usage } from "../Failure.ts"
import { Switch } from "../Options.ts"

export const tenant = Argument.String("tenant").pipe(Argument.withDescription("A tenant, by name or id"))
export const node = Argument.String("node").pipe(Argument.withDescription("The name of a node"))

/** A switch that is off unless it is given. */
export const off = (name: string, description: string) => Switch(name).pipe(Flag.withDescription(description), Flag.withDefault(false))
export const dryRun = off("dry-run", "Say what would happen, and do nothing")

export const valid = (problem: string | null): Effect.Effect<void, Failure> =>
  problem === null ? Effect.void : Effect.fail(usage(problem))

/** For a person: which nodes go by what was before. */
export const notYet = (unheard: ReadonlyArray<string>): string =>
  unheard.length === 0 ? "" : `; not heard yet by ${unheard.join(", ")}, which will once reached`

export const parsed = <A>(result: Parsed<A>): Effect.Effect<A, Failure> =>
  result.ok ? Effect.succeed(result.value) : Effect.fail(usage(result.reason))
