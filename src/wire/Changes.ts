/**
 * What nodes and admins say to each other about a change of a tenant's group.
 *
 * @module
 */
import * as Schema from "effect/Schema"

const { Natural, NullOr, String: Text, Struct } = Schema
const Ids = Schema.Array(Text)

/**
 * The group that a tenant is to have after this epoch, by replica ids: where no change is under way, or that to `of`. To wish for
 * the present group takes that change back.
 */
export const GroupWish = Struct({ epoch: Natural, replicas: Ids, of: Ids })
export type GroupWish = typeof GroupWish.Type

/**
 * How far a change is. `none`: nobody asks for one. `catching up`: those that join follow, and it can be withdrawn.
 * `in the log`: it will come about, once a quorum of both groups has it.
 */
export const ChangeStage = Schema.Literals(["none", "catching up", "in the log"])
export type ChangeStage = typeof ChangeStage.Type

/** One that is to join. `op`: it holds the log up to there. `heard`: it was heard of late. */
export const LearnerReport = Struct({ id: Text, op: Natural, heard: Schema.Boolean })
export type LearnerReport = typeof LearnerReport.Type

/** A primary's own view of its group. */
export const ChangeReport = Struct({
  epoch: Natural,
  replicas: Ids,
  /** Ids that have left, and are not used again. */
  former: Ids,
  /** Why what was asked for cannot be. */
  refusal: NullOr(Text),
  stage: ChangeStage,
  /** The next group, if there is to be one. */
  next: NullOr(Ids),
  learners: Schema.Array(LearnerReport),
  commit: Natural,
  elements: Natural,
  /** About how much a replica that joins has to fetch. */
  bytes: Natural
})
export type ChangeReport = typeof ChangeReport.Type

/** What a primary makes of the wish that it hands off. */
export const HandOffReport = Struct({ refusal: NullOr(Text) })
export type HandOffReport = typeof HandOffReport.Type

/** What an operator wants of a group: one of these, or some that go together. */
export const ChangeWish = Struct({
  tenant: Text,
  /** The whole group. */
  to: Schema.optionalKey(NullOr(Schema.Array(Struct({ name: Text, node: Text })))),
  /** Without a name, one that was never used is found. */
  add: Schema.optionalKey(NullOr(Schema.Array(Struct({ name: NullOr(Text), node: Text })))),
  remove: Schema.optionalKey(NullOr(Schema.Array(Struct({ name: Text, node: Text })))),
  /** Off this node, to another one if there is one that has none of the tenant. */
  off: Schema.optionalKey(NullOr(Text))
})
export type ChangeWish = typeof ChangeWish.Type

/** What a change would do. Ids are such as "r1::dev1". */
export const ChangePlan = Struct({
  tenant: Text,
  name: NullOr(Text),
  /** Of the present group: the change is for it, and for no later one. */
  epoch: Natural,
  present: Ids,
  next: Ids,
  joins: Ids,
  leaves: Ids,
  /** How many may fail at the same time, if all are there: of the present group, and of the next one. */
  tolerates: Natural,
  tolerates_next: Natural,
  /** Of both groups, those that do not answer. */
  down: Ids,
  /** What each one that joins has to fetch, about. */
  elements: Natural,
  bytes: Natural,
  /** Why it is refused unless it is forced, or null. */
  refusal: NullOr(Text)
})
export type ChangePlan = typeof ChangePlan.Type

/** How far a change is that was asked for. */
export const ChangeProgress = Struct({
  /** The group has changed, and its next epoch has a primary. */
  done: Schema.Boolean,
  epoch: Natural,
  replicas: Ids,
  stage: ChangeStage,
  learners: Schema.Array(LearnerReport),
  /** Of the primary: what those that join have to reach. */
  commit: Natural,
  /** What it waits for, in words, or null. */
  waits: NullOr(Text)
})
export type ChangeProgress = typeof ChangeProgress.Type
