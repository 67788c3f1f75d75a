/**
 * Gossip: owns what this node knows of members and tenants, merges what others send, and tells everyone of changes.
 * What it says is never needed for safety: it may be late, old or lost.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../base/Limits.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { type ClusterMessage, encodeClusterMessage } from "../wire/ClusterProtocol.ts"

export type State = Omit<Extract<ClusterMessage, { readonly _tag: "State" }>, "_tag">

/** What became of a merge: null, or why nothing of it was taken. */
export type Refusal = string | null

export type GossipInput =
  | { readonly _tag: "Merge"; readonly state: State; readonly answer: Deferred.Deferred<Refusal> | null }
  /** A change of the registry made on this node. */
  | {
    readonly _tag: "Update"
    readonly change: (tenants: Tenants.Tenants) => Tenants.Tenants
    readonly answer: Deferred.Deferred<Tenants.Tenants>
  }
  | { readonly _tag: "Tick" }

export interface GossipOptions {
  readonly self: Members.Member
  readonly kept: State
  /** Saves, and tells dispatcher, replicas and connections. */
  readonly onChange: (state: State) => Effect.Effect<void>
  readonly broadcast: (frame: Uint8Array) => void
}

export class Gossip extends Context.Service<Gossip, {
  readonly self: Members.Member
  readonly state: () => State
  /** The state as a whole frame of the cluster protocol. */
  readonly frame: () => Uint8Array
  /** Merges what another node said. */
  readonly merge: (state: State) => Effect.Effect<Refusal>
  /** Changes the registry; gives it as it is afterwards. */
  readonly update: (change: (tenants: Tenants.Tenants) => Tenants.Tenants) => Effect.Effect<Tenants.Tenants>
  readonly tick: Effect.Effect<void>
  /** The fiber: runs until it is interrupted. */
  readonly run: Effect.Effect<never>
}>()("v2r2/node/Gossip") {}

export const makeGossip = Effect.fnUntraced(function*({ broadcast, kept, onChange, self }: GossipOptions) {
  const inbox = yield* Queue.bounded<GossipInput>(Limits.gossip_queue_max)
  let state: State = { members: withSelf(kept.members, self), tenants: kept.tenants }
  let frame: Uint8Array | null = null

  const currentFrame = (): Uint8Array => frame ??= encodeClusterMessage({ _tag: "State", ...state })

  const replace = (next: State): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (next.members === state.members && next.tenants === state.tenants) return Effect.void
      state = next
      frame = null
      return Effect.andThen(onChange(state), Effect.sync(() => broadcast(currentFrame())))
    })

  const handle = (input: GossipInput): Effect.Effect<void> => {
    switch (input._tag) {
      case "Tick":
        return Effect.sync(() => broadcast(currentFrame()))
      case "Update":
        return Effect.suspend(() => replace({ members: state.members, tenants: input.change(state.tenants) })).pipe(
          Effect.andThen(Effect.suspend(() => Deferred.succeed(input.answer, state.tenants)))
        )
      case "Merge":
        return Effect.suspend(() => {
          const merged = mergeStates(state, input.state, self)
          const done = typeof merged === "string" ? Effect.void : replace(merged)
          if (input.answer === null) return done
          const answer = input.answer
          return Effect.andThen(done, Deferred.succeed(answer, typeof merged === "string" ? merged : null))
        })
    }
  }

  return Gossip.of({
    self,
    state: () => state,
    frame: currentFrame,
    merge: (incoming) =>
      Effect.gen(function*() {
        const answer = yield* Deferred.make<Refusal>()
        yield* Queue.offer(inbox, { _tag: "Merge", state: incoming, answer })
        return yield* Deferred.await(answer)
      }),
    update: (change) =>
      Effect.gen(function*() {
        const answer = yield* Deferred.make<Tenants.Tenants>()
        yield* Queue.offer(inbox, { _tag: "Update", change, answer })
        return yield* Deferred.await(answer)
      }),
    tick: Effect.asVoid(Queue.offer(inbox, { _tag: "Tick" })),
    run: Effect.andThen(
      onChange(state),
      Effect.forever(Effect.flatMap(Queue.takeAll(inbox), (inputs) => Effect.forEach(inputs, handle, { discard: true })))
    )
  })
})

/** This node announces itself as it is now; what it kept may be from before it moved. */
const withSelf = (members: Members.Members, self: Members.Member): Members.Members => {
  const added = Members.add(members, self)
  return added.ok ? added.value : members
}

/** The union, or why it may not be: two nodes must not have one name, and bounds hold. */
export const mergeStates = (ours: State, theirs: State, self: Members.Member): State | string => {
  const members = withSelf(Members.merge(ours.members, theirs.members), self)
  const [conflict] = Members.conflicts(members)
  if (conflict !== undefined) {
    const known = Members.list(ours.members).find(({ name }) => name === conflict.name)
    return Members.takenReason(known ?? conflict.winner)
  }
  const tenants = Tenants.merge(ours.tenants, theirs.tenants)
  const problem = Members.sizeProblem(members) ?? Tenants.sizeProblem(tenants)
  return problem ?? { members, tenants }
}
