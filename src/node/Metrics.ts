/**
 * Counters since the node started, for `vr stats`. Plain numbers: they are counted on the hot path.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

const makeCounters = () => ({
  connections_refused: 0,
  client_connections: 0,
  client_messages: 0,
  client_replies: 0,
  client_redirects: 0,
  client_retries: 0,
  /** Requests that were turned away, as too much was under way. */
  client_overloaded: 0,
  peer_messages_received: 0,
  /** From a node that is not known, or for a replica that is not on it. */
  peer_messages_refused: 0,
  /** Given to a connection; what that has not written when it breaks is lost. */
  peer_messages_sent: 0,
  peer_messages_dropped: 0,
  peer_connections_lost: 0,
  replica_inputs_dropped: 0,
  replica_turns: 0,
  entries_appended: 0,
  /** Each is one durable write, with the entries of one turn or several, where the durability needs one. */
  journal_writes: 0,
  heads_written: 0,
  snapshots_written: 0,
  snapshot_bytes_written: 0,
  state_changes: 0,
  replicas_failed: 0,
  gossip_received: 0,
  gossip_changes: 0,
  malformed_frames: 0
})

export type Counters = ReturnType<typeof makeCounters>

export class Metrics extends Context.Service<Metrics, Counters>()("v2r2/node/Metrics") {
  static readonly layer: Layer.Layer<Metrics> = Layer.sync(Metrics, makeCounters)
}
