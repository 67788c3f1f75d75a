/**
 * How much of a session may be under way at a node that has said that it has too much to do: less each time that it says so,
 * and a little more with every answer, until nothing is held back. Many sessions that do this share what the node can
 * serve. As long as some are under way, their answers say when there is room; once none is, time has to. Pure.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"

/** Once all that may be under way have been answered, so many more may be; or this share, if that is more. */
const growth = 2
const growth_share = 1 / 16
/** Of what a node has not turned away: so that it comes to have room for others. */
const shrink = 0.7
/** More than a session ever has under way, of both kinds. */
const no_limit = 2 * Limits.session_window_max

export class Pace {
  private limit: number = no_limit
  /** The pause before, if nothing was served since. */
  private wait_ms = 0

  /** Requests that may be under way. */
  get window(): number {
    return Math.floor(this.limit)
  }

  /** Does the session hold back? */
  get isLimited(): boolean {
    return this.limit < no_limit
  }

  /** For callers that are sent away. */
  get retry_after_ms(): number {
    return Math.max(this.wait_ms, Limits.client_backoff_min_ms)
  }

  /** A request was served. `held`: others are held back. */
  served(held: boolean): void {
    this.wait_ms = 0
    this.limit = held ? Math.min(no_limit, this.limit + Math.max(growth / this.limit, growth_share)) : no_limit
  }

  /** The node has turned a request away, and has so many others of the session. */
  turnedAway(underWay: number): void {
    this.limit = Math.max(1, Math.min(this.limit, underWay * shrink))
  }

  /** It has none of the session: how long to send nothing, before jitter. `ms`: what it has said. */
  pause(ms: number): number {
    this.wait_ms = Math.min(Math.max(ms, 2 * this.wait_ms), Limits.client_overloaded_max_ms)
    return this.wait_ms
  }
}
