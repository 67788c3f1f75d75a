/**
 * What one says of a tenant that is to be created.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { parseReplicas } from "../../base/Names.ts"
import { Durability, type ReplicaPlace } from "../../wire/AdminProtocol.ts"
import { type Failure, usage } from "../Failure.ts"

export const tenantFlags = {
  replicas: Argument.String("replicas").pipe(
    Argument.withDescription("<replica>::<node>, with commas between; left out, the node chooses up to three"),
    Argument.optional
  ),
  durability: Flag.Literals("durability", Durability.literals).pipe(
    Flag.withDescription("disk (if left out): what is acknowledged is on the disks of a majority; memory: in their memory"),
    Flag.withDefault("disk")
  )
}

/** Null: the node chooses. */
export const placesOf = (replicas: Option.Option<string>): Effect.Effect<ReadonlyArray<ReplicaPlace> | null, Failure> => {
  if (Option.isNone(replicas)) return Effect.succeed(null)
  const parsed = parseReplicas(replicas.value)
  return parsed.ok ? Effect.succeed(parsed.value) : Effect.fail(usage(parsed.reason))
}
