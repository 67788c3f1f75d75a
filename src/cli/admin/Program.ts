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
const names = (call: Admin["Service"]["call"], source: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    if (source === "key") return Object.keys(yield* call("config.get", {}))
    if (source === "node") return (yield* call("cluster.members", {})).map(({ name }) => name)
    if (source !== "tenant" && source !== "replica") return []
    const tenants = yield* call("vr.tenants", {})
    return tenants.flatMap(({ id, name, replicas }) => {
      const tenant = name ?? id
      return source === "tenant" ? [tenant] : replicas.map((replica) => `${tenant}::${replicaId(replica)}`)
    })
  }).pipe(Effect.orElseSucceed(() => []))

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
