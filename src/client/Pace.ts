/**
 * How much of a session may be under way at a node that has said that it has too much to do, and how long to wait before
 * more. Halved each time that it says so, and a little more with every answer, until there is no limit again: many sessions
 * that do this share what the node can serve. Pure.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"

/** So many more may be under way once all that may be now have been answered. */
const growth = 8
/** More than a session ever has under way, of both kinds. */
const no_limit = 2 * Limits.session_window_max

export class Pace {
  private limit: number = no_limit
  /** What a node said last, doubled for each time that it said so without serving anything in between. */
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

  /** A request was served. */
  served(): void {
    this.wait_ms = 0
    this.limit = Math.min(no_limit, this.limit + growth / this.limit)
  }

  /** The node says that it has too much to do: how long to send nothing, before jitter. `underWay`: what was. */
  overloaded(ms: number, underWay: number): number {
    this.limit = Math.max(1, Math.min(this.limit, underWay) / 2)
    this.wait_ms = Math.min(Math.max(ms, 2 * this.wait_ms), Limits.client_overloaded_max_ms)
    return this.wait_ms
  }
}
