/**
 * `v2r2-cli` as a whole: its commands, its shell, and its use of the client library.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { V2R2 } from "../../client/Client.ts"
import { clientFlagNames } from "../Options.ts"
import { type Candidate, wordCandidates } from "../shell/Completion.ts"
import { Personality } from "../shell/Shell.ts"
import { clientTree } from "./Commands.ts"
import { childPath } from "./Listing.ts"
import { layerSession, Session } from "./Session.ts"

/** Names offered at once. */
const candidates_max = 100

/** Children of the directory that is being typed, from the first that fits. */
const paths = Effect.fnUntraced(function*(session: Session["Service"], text: string) {
  const cut = text.lastIndexOf("/")
  if (cut < 0) return [{ text: "/", final: false }]
  const tenant = yield* session.tenant
  const [directory, stem] = [text.slice(0, cut) || "/", text.slice(cut + 1)]
  const candidate = (name: string, type: string): Candidate =>
    ({ text: `${childPath(directory, name)}${type === "directory" ? "/" : ""}`, final: type !== "directory" })
  const following = yield* tenant.list(directory, { limit: candidates_max, ...(stem === "" ? {} : { after: stem }) })
  const exact = stem === "" ? [] : yield* tenant.stat(childPath(directory, stem)).pipe(
    Effect.map(({ type }) => [candidate(stem, type)]),
    Effect.catchTag("NotFound", () => Effect.succeed([]))
  )
  const fitting = following.entries.filter(({ name }) => name.startsWith(stem))
  return [...exact, ...fitting.map(({ name, type }) => candidate(name, type))]
}, Effect.scoped)

/** What the tab key offers. A cluster that does not answer is no reason to disturb a user who is typing. */
const candidates = (session: Session["Service"], source: string, text: string): Effect.Effect<ReadonlyArray<Candidate>> =>
  Effect.gen(function*() {
    if (source === "path") return yield* paths(session, text)
    if (source === "type") return wordCandidates(["blob", "directory"])
    if (source !== "tenant") return []
    const { tenants } = yield* session.client
    return wordCandidates((yield* tenants).map(({ id, name }) => name ?? id))
  }).pipe(Effect.orElseSucceed(() => []))

const personality = Layer.effect(
  Personality,
  Effect.map(Session, (session) => ({
    prompt: Effect.map(session.chosen, (tenant) => tenant === null ? "v2r2-cli> " : `${tenant}:/> `),
    flags: clientFlagNames,
    candidates: (source, text) => candidates(session, source, text)
  }))
)

/** The program. `connect` makes the client library when the first command needs it. */
export const clientProgram = <R>(
  connect: (endpoints: ReadonlyArray<string>, deadline_ms: number | null) => Effect.Effect<V2R2["Service"], never, R>
) => ({
  tree: clientTree,
  synopsis: "v2r2-cli <host:port> --tenant <tenant>",
  services: (endpoints: ReadonlyArray<string>) =>
    Layer.provideMerge(personality, layerSession<R>((deadline_ms) => connect(endpoints, deadline_ms)))
})
