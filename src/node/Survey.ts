/**
 * What all nodes that are there say of their replicas.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { ReplicaStatus } from "../wire/AdminProtocol.ts"
import type { Calls } from "./Calls.ts"
import type { Links } from "./Links.ts"

export interface SurveyOptions {
  readonly node: string
  readonly links: Pick<Links, "connected">
  readonly calls: Pick<Calls, "summary">
}

/** Those of nodes that do not answer are missing. */
export const allReplicas = ({ calls, links, node }: SurveyOptions): Effect.Effect<ReadonlyArray<ReplicaStatus>> =>
  Effect.suspend(() =>
    Effect.map(
      Effect.forEach(
        [node, ...links.connected()],
        (each) => Effect.catch(calls.summary(each), () => Effect.succeed<ReadonlyArray<ReplicaStatus>>([])),
        { concurrency: "unbounded" }
      ),
      (lists) => lists.flat()
    ))
