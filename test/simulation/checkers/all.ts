/**
 * All checkers that watch every step, every message and every answer.
 *
 * @module
 */
import { answers } from "./Answers.ts"
import { bounds } from "./Bounds.ts"
import type { Checker } from "./Checker.ts"
import { commitsAreBacked } from "./CommitsAreBacked.ts"
import { committedPrefix } from "./CommittedPrefix.ts"
import { gates } from "./Gates.ts"
import { monotone } from "./Monotone.ts"
import { oneLogPerView } from "./OneLogPerView.ts"
import { pins } from "./Pins.ts"
import { quorumsHold } from "./QuorumsHold.ts"
import { viewStarts } from "./ViewStarts.ts"

/** The history grows first: others compare with it. */
export const allCheckers = (): ReadonlyArray<Checker> =>
  [monotone, committedPrefix, commitsAreBacked, quorumsHold, oneLogPerView, viewStarts, gates, bounds, answers, pins]
    .map((make) => make())
