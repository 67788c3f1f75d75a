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
import type { ClusterStatus } from "../wire/AdminProtocol.ts"
import { type ClusterMessage, encodeClusterMessage } from "../wire/ClusterProtocol.ts"

export type State = Omit<Extract<ClusterMessage, { readonly _tag: "State" }>, "_tag">

/** What became of a merge: null, or why nothing of it was taken: it is more than can be kept. */
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
  /** Why the newest state is not on the disk of this node, or null. */
  readonly unsaved: () => string | null
  readonly broadcast: (frame: Uint8Array) => void
}

export class Gossip extends Context.Service<Gossip, {
  readonly self: Members.Member
  readonly state: () => State
  /** Why that is not on the disk of this node, or null. */
  readonly unsaved: () => string | null
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

export const makeGossip = Effect.fnUntraced(function*({ broadcast, kept, onChange, self, unsaved }: GossipOptions) {
  const inbox = yield* Queue.bounded<GossipInput>(Limits.gossip_queue_max)
  let state: State = { members: withSelf(Members.settle(kept.members), self), tenants: Tenants.withdrawUnfinished(kept.tenants, self.name) }
  let frame: Uint8Array | null = null
  const { ask, end } = makeAsking(inbox)

  const currentFrame = (): Uint8Array => frame ??= encodeClusterMessage({ _tag: "State", ...state })

  const replace = (next: State): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (next.members === state.members && next.tenants === state.tenants) return Effect.void
      const wasOutcast = isOutcast(state, self)
      state = next
      frame = null
      return (wasOutcast ? Effect.void : complain()).pipe(
        Effect.andThen(onChange(state)),
        Effect.andThen(Effect.sync(() => broadcast(currentFrame())))
      )
    })

  const complain = (): Effect.Effect<void> => {
    const reason = outcastReason(state, self)
    return reason === null ? Effect.void : Effect.logError(reason)
  }

  const handle = (input: GossipInput): Effect.Effect<void> => {
    switch (input._tag) {
      case "Tick": {
        const told = Effect.sync(() => broadcast(currentFrame()))
        // What could not be kept is kept once that is possible again.
        return unsaved() === null ? told : Effect.andThen(Effect.suspend(() => onChange(state)), told)
      }
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
    unsaved,
    frame: currentFrame,
    merge: (incoming) => ask<Refusal>((answer) => ({ _tag: "Merge", state: incoming, answer }), () => stopping_refusal),
    update: (change) => ask<Tenants.Tenants>((answer) => ({ _tag: "Update", change, answer }), () => state.tenants),
    tick: Effect.asVoid(Queue.offer(inbox, { _tag: "Tick" })),
    run: Effect.andThen(
      Effect.suspend(() => Effect.andThen(complain(), onChange(state))),
      Effect.forever(Effect.flatMap(Queue.takeAll(inbox), (inputs) => Effect.forEach(inputs, handle, { discard: true })))
    ).pipe(Effect.ensuring(end))
  })
})

/** Refuses what a node hears while it stops. That is nobody's fault, so nobody is warned of it. */
export const stopping_refusal = "this node is stopping"

/** Questions that have an answer also once the fiber has ended: what was begun is taken back while the node stops. */
const makeAsking = (inbox: Queue.Queue<GossipInput>) => {
  let ended = false
  const waiting = new Set<() => void>()
  return {
    /** `last`: the answer if there will be no other. */
    ask: <A>(input: (answer: Deferred.Deferred<A>) => GossipInput, last: () => A): Effect.Effect<A> =>
      Effect.suspend(() => {
        if (ended) return Effect.succeed(last())
        const answer = Deferred.makeUnsafe<A>()
        const giveUp = () => void Deferred.doneUnsafe(answer, Effect.succeed(last()))
        waiting.add(giveUp)
        return Queue.offer(inbox, input(answer)).pipe(
          Effect.andThen(Deferred.await(answer)),
          Effect.ensuring(Effect.sync(() => waiting.delete(giveUp)))
        )
      }),
    end: Effect.andThen(Queue.shutdown(inbox), Effect.sync(() => {
      ended = true
      for (const giveUp of waiting) giveUp()
    }))
  }
}

/** This node announces itself as it is now; what it kept may be from before it moved. */
const withSelf = (members: Members.Members, self: Members.Member): Members.Members => {
  const added = Members.add(members, self)
  return added.ok ? added.value : members
}

/**
 * The union, always: two nodes that refused what the other knows would be parted for good. So what is odd about it is
 * settled, not refused: of two nodes with one name, the one that all agree on stays. A string: it is more than can be
 * kept, which no cluster comes to.
 */
export const mergeStates = (ours: State, theirs: State, self: Members.Member): State | string => {
  const members = withSelf(Members.settle(Members.merge(ours.members, theirs.members)), self)
  const tenants = Tenants.merge(ours.tenants, theirs.tenants)
  return Members.capProblem(members) ?? Tenants.capProblem(tenants) ?? { members, tenants }
}

/** Has this node lost its name to another one, or left, or been removed? Then it is no member any more. */
export const isOutcast = ({ members }: State, self: Members.Member): boolean =>
  Members.find(members, self.name)?.id !== self.id

/** Whom this node dials, and the tenants of which it runs replicas: none, once it is out. */
export const dutiesOf = (state: State, self: Members.Member): {
  readonly others: ReadonlyArray<Members.Member>
  readonly tenants: Tenants.Tenants
} =>
  isOutcast(state, self)
    ? { others: [], tenants: Tenants.noTenants }
    : { others: Members.list(state.members).filter(({ name }) => name !== self.name), tenants: state.tenants }

/** Why a node is out, and what to do; null for one that is not. */
export const outcastReason = (state: State, self: Members.Member): string | null => {
  const out = outcastOf(state, self)
  return out === null ? null : `${out.why}; ${out.remedy}`
}

const outcastOf = ({ members }: State, self: Members.Member): { readonly why: string; readonly remedy: string } | null => {
  const gone = members.get(self.id)?.gone
  if (gone) {
    return { why: Members.goneReason(gone), remedy: "stop it; to come back, it has to start with an empty data_dir, and join again" }
  }
  const holder = Members.find(members, self.name)
  return holder === undefined || holder.id === self.id ? null : {
    why: `${Members.takenReason(holder)}: this node is no longer in the cluster`,
    remedy: "stop it, give it another node_name and an empty data_dir, and let it join again"
  }
}

/** What came about while nodes did not hear each other, and that operators have to know. */
export const conflictsOf = (state: State, self: Members.Member, unsaved: string | null): ClusterStatus["problems"] => [
  ...(unsaved === null ? [] : [{
    message: `node ${self.name} cannot save what it knows of members and tenants: ${unsaved}`,
    remedy: "make room on its disk, or mend it: after a restart it would have forgotten that"
  }]),
  ...(state.tenants.size <= Limits.tenants_known_warning ? [] : [{
    message: `the cluster remembers ${state.tenants.size} tenants and names, deleted ones included, of the ` +
      `${Limits.tenants_known_max} that it can: then none is created or renamed any more`,
    remedy: "move what is used to a new cluster (snapshot save, snapshot restore) while there is time"
  }]),
  ...[outcastOf(state, self)].flatMap((out) => out === null ? [] : [{ message: out.why, remedy: out.remedy }]),
  ...Tenants.nameConflicts(state.tenants).map(({ losers, name, winner }) => ({
    message: `the tenant name "${name}" is claimed ${losers.length === 1 ? "twice" : `${losers.length + 1} times`}: ` +
      `it means ${winner.id}, and not ${losers.map(({ id }) => id).join(", ")}`,
    remedy: losers.length === 1 ? "use the other one by its id" : "use the others by their ids"
  }))
]
