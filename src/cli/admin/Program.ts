/**
 * `v2r2-admin` as a whole: its commands, its shell, and its connection to a node.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Admin } from "../../client/Admin.ts"
import { replicaId } from "../../base/Names.ts"
import { adminFlagNames } from "../Options.ts"
import { wordCandidates } from "../shell/Completion.ts"
import { Personality } from "../shell/Shell.ts"
import { adminTree } from "./Commands.ts"

/** What the tab key asks the node for. No answer is no reason to disturb a user who is typing. */
const names = (call: Admin["Service"]["call"], source: string): Effect.Effect<ReadonlyArray<string>> => {
  const tenants = Effect.map(call("vr.tenants", {}), (list) => list.map(({ id, name, replicas }) => ({ tenant: name ?? id, replicas })))
  const found = source === "tenant" ? Effect.map(tenants, (list) => list.map(({ tenant }) => tenant))
    : source === "replica"
    ? Effect.map(tenants, (list) => list.flatMap(({ replicas, tenant }) => replicas.map((replica) => `${tenant}::${replicaId(replica)}`)))
    : source === "key" ? Effect.map(call("config.get", {}), Object.keys)
    : Effect.succeed([])
  return Effect.orElseSucceed(found, () => [])
}

const personality = Layer.effect(
  Personality,
  Effect.map(Admin, ({ call }) => ({
    prompt: Effect.succeed("v2r2-admin> "),
    flags: adminFlagNames,
    candidates: (source, _text) => Effect.map(names(call, source), wordCandidates)
  }))
)

/** Connects when the first command needs it. */
export const adminProgram = {
  tree: adminTree,
  synopsis: "v2r2-admin <host:port>",
  services: (endpoints: ReadonlyArray<string>) => Layer.provideMerge(personality, Admin.layer({ endpoints }))
}
