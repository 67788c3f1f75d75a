/**
 * The ticker: time for everyone who needs it. Replicas several times a heartbeat, gossip at its own pace.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Gossip } from "./Gossip.ts"
import type { DispatcherInbox } from "./Queues.ts"
import type { Settings } from "./Settings.ts"

const ticks_per_heartbeat = 4

export const runTicker = (dispatcher: DispatcherInbox, settings: Settings["Service"]): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() =>
    Effect.andThen(
      Effect.sleep(settings.current.heartbeat_ms / ticks_per_heartbeat),
      Queue.offer(dispatcher, { _tag: "Tick" })
    )
  ))

export const runGossipTicker = (gossip: Gossip["Service"], settings: Settings["Service"]): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => Effect.andThen(Effect.sleep(settings.current.gossip_ms), gossip.tick)))
