/**
 * Every bound of the system, in one place, with the relations between them asserted.
 * Units come last in a name. A change here is a change of the documented limits.
 *
 * @module
 */
import { invariant } from "./Invariant.ts"

const KiB = 1024
const MiB = 1024 * KiB

export const Limits = {
  // The data
  value_bytes_max: 1 * MiB,
  path_bytes_max: 1024,
  path_depth_max: 32,
  list_page_max: 1_000,
  /** An encoded operation: one value, one path, and the envelope. */
  operation_bytes_max: 1 * MiB + 4 * KiB,

  // Sessions
  session_window_max: 1_024,
  /** A nonce makes the registration of a session idempotent. Exactly this long. */
  session_nonce_bytes: 16,
  sessions_max: 10_000,

  // Groups and clusters
  replicas_max: 7,
  replicas_default: 3,
  /** Operations that those that are to join may lack when the change of the group is put into the log. */
  learner_lag_ops_max: 1_024,
  /** A change of the group that nobody asks for any more is forgotten after so long, as long as those that join catch up. */
  change_asked_ms: 30_000,
  /** Epochs that a tenant can come to: what is above was made up, and a view of it is no number any more. */
  epoch_max: 2 ** 20,
  /** What counts the names of tenants, and what nodes say of themselves: what is above was made up. */
  counter_max: 2 ** 40,
  /** Groups that a replica remembers: those that the log has named last. */
  history_max: 64,
  /**
   * A group of which a quorum was lost for good begins anew so many epochs above the last one that is known: those that are
   * lost may have gone on to the next ones, unseen, and an epoch must never have two groups.
   */
  recovery_epochs: 1_000,
  name_bytes_max: 64,
  /** `host:port`: a DNS name of 253 bytes, the colon, five digits. */
  address_bytes_max: 259,
  members_max: 64,
  /** Nodes ever seen by a cluster, those that left included: what the membership has to remember. */
  members_known_max: 1_024,
  tenants_max: 1_024,
  /** Tenants ever seen, the withdrawn ones included: what the registry has to remember. */
  tenants_known_max: 2_048,
  /** From here on, operators are told. */
  tenants_known_warning: 1_536,
  /** Of these, kept for creations that run at the same time on several nodes: none is begun beyond. */
  tenants_known_slack: 128,

  /** Heartbeats for which a replica may be behind the registry's epoch before its successors are called; and then until the next one is. */
  laggard_ticks: 10,
  /** Tenants of which a node remembers that they were given up before they were created. */
  abandoned_max: 128,
  /** Replicas whose nodes a dispatcher remembers. */
  directory_max: 8_192,

  // The protocol
  /** Operations that a primary admits beyond its commit number. */
  pipeline_ops_max: 8_192,
  /** Their bytes; also bounds the suffix in DoViewChange and StartView. */
  pipeline_bytes_max: 16 * MiB,
  /**
   * The entries that a replica holds in memory, as they are counted; packed, they may take up to twice that. If snapshots do
   * not keep up, it takes no more writes above this.
   */
  log_bytes_max: 1024 * MiB,
  /** So many committed entries stay as they are before they are packed, all at once. */
  log_unpacked_max: 32,
  /** So many committed entries at a time the data is told of before they are applied; and from how many elements on that pays. */
  prefetch_entries_max: 256,
  prefetch_elements_min: 20_000,
  /** Values, each with its name, lie in slots of pages up to this; longer ones in memory of their own. */
  value_slot_bytes_max: 1_024,
  /**
   * The first page of a size is a small one, as many tenants have few values; others are as large as those before them, up to the
   * usual size; and of very many values so large a share of all, that there are few: to find one of many pages takes longer than
   * to find a value in it.
   */
  value_page_bytes_min: 1 * KiB,
  value_page_bytes_usual: 64 * KiB,
  value_page_share: 1 / 8,
  value_page_bytes_max: 16 * MiB,
  /** With each write the memory of so many elements that were deleted is given back, a directory counting twice; and with each tick. */
  graves_per_write_max: 64,
  graves_per_tick_max: 2_048,
  /** Packed entries lie in pieces of memory of this size. A long one has a piece of its own. */
  log_piece_bytes: 256 * KiB,
  /** Pieces that no log needs and a process keeps, for all its logs together. */
  log_pieces_idle_max: 32,
  /**
   * A log that had so many pieces in use keeps free ones for what it grows to again, so many with those in use, until it has not
   * grown for so many ticks.
   */
  log_pieces_long: 64,
  log_pieces_kept_max: 2_048,
  log_idle_ticks: 200,
  /** Places of a window at first, and at most of one that few numbers are left in. */
  window_places_min: 16,
  window_places_kept: 64,
  /** It grows only if one place in so many is in use, as clients choose the numbers; and shrinks if fewer than one in so many is. */
  window_grows_at: 4,
  window_shrinks_at: 16,
  /**
   * A snapshot is due once the log since the last one is as large as the data, but within these bounds. The same
   * at every replica, as it decides at which operations there are snapshots.
   */
  snapshot_log_bytes_min: 8 * MiB,
  snapshot_log_bytes_max: 256 * MiB,
  /**
   * Once a snapshot is written, this share of so much log stays in memory from before it, for those that lag; but nothing from
   * before the last snapshot but one.
   */
  snapshot_log_kept: 1 / 4,
  /** And this share of the lower bound at least. */
  snapshot_log_kept_of_min: 1 / 2,
  /** A part of a snapshot: what is encoded, written, sent and decoded in one go. A single element may take more. */
  snapshot_part_bytes_max: 256 * KiB,
  /** A snapshot that another replica fetches, and has not asked for since, is let go. */
  snapshot_idle_ms: 10_000,
  /** Elements in such a part: small ones take their time too. */
  snapshot_part_elements_max: 1_024,
  /** Snapshots that an admin reads, for each node, and how long one is kept that nobody asks for. It holds memory. */
  exports_max: 4,
  export_idle_ms: 30_000,
  /** Snapshots that an admin sends to make a tenant of them: the same, and of how many bytes each. */
  imports_max: 2,
  import_idle_ms: 60_000,
  import_bytes_max: 16 * 1024 * MiB,
  import_part_bytes_max: 1 * MiB,
  /** So much of a snapshot a node makes data of in a second, at least: by this it is waited for. */
  import_bytes_per_second_min: 4 * MiB,
  prepare_bytes_max: 1 * MiB,
  transfer_chunk_bytes_max: 2 * MiB,
  pending_reads_max: 16_384,
  /** Rounds under way that ask for a lease; more of them confirm reads alone. */
  lease_rounds_max: 64,
  /** The holder of a lease takes it for shorter by this, who has granted it for longer: a clock may run 1.26 times as fast as another. */
  lease_drift: 1 / 8,
  /** What the answers to reads may take in one turn of a replica; the other reads are turned away as in any overload. */
  read_results_bytes_max: 16 * MiB,

  // The journal of a replica with durability `disk`
  /** A file of the log that would get longer than this takes no further write. */
  journal_segment_bytes_max: 4 * MiB,
  /** These files grow by this. What a replica takes on the disk at least. */
  journal_step_bytes: 1 * MiB,
  /**
   * Of the files that a snapshot replaced so many are kept at most, to be written again; else as many as the log has begun between two,
   * so that it takes about as much room as it did.
   */
  journal_spares_max: 96,
  /** So many of them are overwritten ahead of need: all at once, the disk would be busy with that for long. */
  journal_spares_ready: 4,
  /** Such a file is overwritten in pieces of this, so that a write of the log does not wait for more. */
  journal_zeros_bytes: 256 * KiB,
  /**
   * A file is made, and the zeros that it grows by are written, in pieces of this. Since Linux 6.16 ext4 keeps a file in memory in pieces
   * as long as the writes that made it, and looks through all of one for each small write into it: 8 µs with 1 MiB.
   */
  file_piece_bytes: 64 * KiB,
  /** Batches up to this are encoded in memory that a log keeps. */
  journal_room_bytes: 128 * KiB,
  /** A snapshot is written whenever there is so much of it, so that a write of the log does not wait for much else. */
  snapshot_write_bytes: 1 * MiB,

  // Frames, by protocol
  hello_bytes_max: 4 * KiB,
  /** Also holds the longest listing: tenants_max tenants of replicas_max replicas with long names and addresses. */
  client_frame_bytes_max: 4 * MiB,
  peer_frame_bytes_max: 32 * MiB,
  cluster_frame_bytes_max: 4 * MiB,
  admin_frame_bytes_max: 4 * MiB,
  /** A msgpack value of unknown origin: how deep it may nest, and how many values it may hold (each becomes an object). */
  msgpack_depth_max: 32,
  msgpack_values_max: 262_144,

  // Connections
  hello_timeout_ms: 5_000,
  connect_timeout_ms: 2_000,
  /** How long a close waits for the other side to take what was written to it. */
  linger_ms: 1_000,
  /** An idle connection is probed after this, so that a peer that vanished is noticed. */
  keepalive_ms: 10_000,
  /** Connections that the kernel holds until we accept them. */
  listen_backlog_max: 1_024,
  /**
   * Written to a connection that we have dialled, and not taken by the kernel, though nobody waits for it: less than that, so that
   * of a client a whole write's worth (`client_write_bytes_max`) waits. There are few of those.
   */
  dialled_unsent_bytes_max: 256 * KiB,
  /** Received and not yet pulled; above this we stop reading from the socket. */
  receive_buffer_bytes_max: 256 * KiB,
  /** The same for a connection in memory: written and not yet read. */
  memory_pipe_bytes_max: 256 * KiB,
  connections_per_server_max: 4_096,
  /** Lines in the log about bad connections, for each server. */
  bad_lines_per_second_max: 100,
  /** A reader of replies that falls this far behind is disconnected. */
  connection_outbox_bytes_max: 256 * MiB,
  /** Answers to reads wait for a connection up to this; above it the client is told that the node has too much to do. */
  connection_outbox_bytes_reads: 32 * MiB,
  /** The same for all connections of a node together. One that has nothing queued is served up to twice as much. */
  outboxes_bytes_max: 512 * MiB,
  /** Above this the server stops reading requests from that connection. */
  connection_outbox_bytes_soft: 8 * MiB,
  /** How long one write may wait for a reader that does not read. */
  connection_stalled_ms: 10_000,
  /** How often a connection to another node is looked at for signs of life. */
  link_look_ms: 500,
  /** A node that sends nothing is asked after this, again at every look, and given up after that. */
  link_ping_after_ms: 1_000,
  link_silent_ms: 5_000,
  channels_per_connection_max: 1_024,

  // Queues (elements; see node/Queues.ts for the policy of each)
  dispatcher_queue_max: 65_536,
  /** Clients' requests in that, of all connections; and how many a connection takes in before it is another's turn. */
  intake_requests_max: 4_096,
  intake_slice_max: 256,
  /** Once so many bytes of theirs, or a slice, wait for the dispatcher, it is its turn. */
  intake_bytes_max: 1 * MiB,
  replica_queue_max: 16_384,
  /** Clients' requests in those: what a replica takes in one turn, at most. The others are told to come later. */
  replica_requests_max: 16_384,
  /** What those hold of operations and entries. */
  replica_queue_bytes_max: 128 * MiB,
  /** What a replica has appended, or has to say, and its disk has not written yet: above this its turns wait for the disk. */
  appends_bytes_max: 32 * MiB,
  appends_max: 4_096,
  peer_outbox_max: 4_096,
  peer_outbox_bytes_max: 64 * MiB,
  gossip_queue_max: 4_096,
  /** Frames of gossip and calls that wait for one node. */
  link_outbox_max: 1_024,
  /** Calls of one node that are served at the same time; it is not read further meanwhile. */
  link_calls_max: 64,

  // The client library
  /** Calls of one session that wait inside for room in its window, and the bytes of their operations, which may take twice that. */
  client_waiting_max: 65_536,
  client_waiting_bytes_max: 256 * MiB,
  /** Bytes of one session's operations that are sent and not answered. */
  client_unanswered_bytes_max: 8 * MiB,
  /** Gathered into one write to a node. */
  client_write_bytes_max: 256 * KiB,
  /** Channels of a connection that are looked at for whether the node owes any of them something, after each batch of answers. */
  client_channels_asked_max: 64,
  /** Without an explicit deadline, a call ends after this. */
  client_deadline_ms: 5_000,
  /** How long a dial, hello included, may take before another node is tried. */
  client_dial_ms: 2_000,
  /** A node that owes an answer and sends nothing is asked after this, and given up after that. */
  client_ping_after_ms: 1_000,
  client_silent_ms: 2_000,
  /** How often one looks for signs of life. */
  client_look_ms: 250,
  /** Between rounds in which no node could help: doubling from the first to the last. */
  client_backoff_min_ms: 20,
  client_backoff_max_ms: 500,
  /** The longest time to wait for a node that has too much to do: doubling up to it, from what the node says. */
  client_overloaded_max_ms: 500,
  /** A connection that no session uses is kept for this long. */
  client_idle_ms: 1_000,
  /** How long a lost session waits for what its other requests came to. */
  client_drain_ms: 1_000,
  /** How long the last word on a channel may take to be written. */
  client_farewell_ms: 500,

  // Command lines
  /** Lines of a shell's history, and characters of one of them. */
  history_lines_max: 1_000,
  history_line_max: 4_096,
  /** Lines that may be typed ahead while a command runs. */
  typed_ahead_max: 1_024,

  // Shutdown
  shutdown_ms: 4_000,
  /** How long a stop waits for clients of which none reads its answers. */
  shutdown_stalled_ms: 200,
  /** A process that was told to stop and has not ended is cut off after this. */
  exit_ms: 4_800
} as const

invariant(Limits.operation_bytes_max > Limits.value_bytes_max + Limits.path_bytes_max, "a value and its path fit an operation")
invariant(Limits.graves_per_write_max >= 2 * Limits.path_depth_max, "no more is deleted than is given back")
invariant(Limits.client_frame_bytes_max > Limits.operation_bytes_max + KiB, "an operation fits a client frame")
invariant(Limits.pipeline_bytes_max + 4 * MiB < Limits.peer_frame_bytes_max, "a whole pipeline fits a peer frame")
invariant(
  Limits.snapshot_part_bytes_max + Limits.operation_bytes_max < Limits.peer_frame_bytes_max,
  "a part of a snapshot fits a peer frame"
)
invariant(
  Limits.snapshot_part_bytes_max + Limits.operation_bytes_max + KiB < Limits.admin_frame_bytes_max,
  "a part of a snapshot fits an admin frame"
)
invariant(Limits.import_part_bytes_max + KiB < Limits.admin_frame_bytes_max, "a part of an upload fits an admin frame")
invariant(Limits.snapshot_log_bytes_max * 3 < Limits.log_bytes_max, "the log is shortened before it is full")
invariant(
  Limits.journal_segment_bytes_max <= Limits.snapshot_log_bytes_min,
  "the log, which is shortened by whole files, becomes shorter with each snapshot"
)
invariant(
  Limits.journal_spares_max * Limits.journal_segment_bytes_max > Limits.snapshot_log_bytes_max,
  "most of the longest log between two snapshots is written in files that are there"
)
invariant(Limits.journal_step_bytes % Limits.file_piece_bytes === 0, "a file grows by whole pieces")
invariant(Limits.transfer_chunk_bytes_max + Limits.operation_bytes_max < Limits.peer_frame_bytes_max, "a chunk fits a peer frame")
invariant(
  Limits.connection_outbox_bytes_soft < Limits.connection_outbox_bytes_reads &&
    Limits.connection_outbox_bytes_reads < Limits.connection_outbox_bytes_max,
  "back-pressure starts first, then reads are put off, then comes disconnection"
)
invariant(
  Limits.members_known_max * (4 * Limits.address_bytes_max + 2 * Limits.name_bytes_max + 192) +
    Limits.tenants_known_max * (3 * Limits.name_bytes_max + Limits.replicas_max * 2.25 * Limits.name_bytes_max + 128) <
    Limits.cluster_frame_bytes_max,
  "all members and tenants fit a cluster frame"
)
invariant(
  Limits.tenants_max + Limits.tenants_known_slack < Limits.tenants_known_max && Limits.members_max < Limits.members_known_max,
  "merging may come to more than an operator may ask for"
)
invariant(Limits.appends_bytes_max >= Limits.pipeline_bytes_max, "a whole pipeline may be on its way to the disk")
invariant(
  Limits.intake_slice_max <= Limits.intake_requests_max && Limits.intake_requests_max <= Limits.replica_requests_max,
  "what is taken in at once fits the inbox of one replica"
)
invariant(Limits.client_backoff_min_ms <= Limits.client_overloaded_max_ms, "a pause may double")
invariant(Limits.client_waiting_bytes_max > Limits.client_unanswered_bytes_max, "more may wait than be under way")
invariant(Limits.client_unanswered_bytes_max < Limits.pipeline_bytes_max, "one session alone does not fill a pipeline")
invariant(
  Limits.client_ping_after_ms < Limits.client_silent_ms && Limits.client_ping_after_ms % Limits.client_look_ms === 0,
  "a silent node is asked before it is given up, at one of the looks"
)
invariant(
  Limits.link_ping_after_ms < Limits.link_silent_ms && Limits.link_silent_ms % Limits.link_look_ms === 0,
  "a silent node is asked before it is given up, at one of the looks"
)
invariant(
  Limits.shutdown_ms / 2 + 2 * Limits.linger_ms <= Limits.shutdown_ms && Limits.shutdown_ms < Limits.exit_ms,
  "a stop has time for what is in flight, and for the last words to clients and to other nodes"
)
invariant(Limits.replica_queue_bytes_max > 2 * Limits.peer_frame_bytes_max, "the longest messages fit a replica's inbox")
