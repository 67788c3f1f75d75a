/**
 * Entries of a log as bytes, in pieces of memory that are used again and again. As objects they would live just long enough
 * for the collector to copy every one of them twice, and to look through all of the heap for what is left.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { viewOf } from "../base/Numbers.ts"
import { type Entry, entryKinds, type OpNumber } from "./Message.ts"

/** Five numbers of 8 bytes, the length of the operation, the kind. */
const header_bytes = 48

interface Piece {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Of the first entry here. */
  readonly first: OpNumber
  /** Where each entry begins. */
  readonly starts: Array<number>
  end: number
}

/**
 * Pieces of the usual size that no log of this process needs now. Shared by all: what is given out is a copy, so nobody reads
 * one that is another's.
 */
const idle: Array<Uint8Array> = []

/** Tests change what is usual. */
const isUsual = (bytes: Uint8Array | undefined): bytes is Uint8Array => bytes?.length === Limits.log_piece_bytes

const makePiece = (first: OpNumber, bytes: Uint8Array): Piece => ({ bytes, view: viewOf(bytes), first, starts: [], end: 0 })

const letGo = (bytes: Uint8Array): void => {
  if (isUsual(bytes) && idle.length < Limits.log_pieces_idle_max) idle.push(bytes)
}

/** Contiguous, as a log is. */
export class PackedLog {
  /** In order. */
  private pieces: Array<Piece> = []
  /** The entries are base + 1 to op. */
  private before: OpNumber
  private last: OpNumber
  /** That was asked for last. */
  private latest: Piece | null = null
  /**
   * Free pieces, as many as a long log has to take until it is as long again as it was: of memory that is taken anew V8 collects
   * the whole heap every 64 MiB, and among very many elements that costs more than all writes to this log.
   */
  private spare: Array<Uint8Array> = []
  /** The most pieces that were in use; a little less with each time that it was shortened. */
  private most = 0
  /** Ticks since it took a piece. */
  private ticks = 0

  constructor(base: OpNumber) {
    this.before = base
    this.last = base
  }

  get base(): OpNumber {
    return this.before
  }

  get op(): OpNumber {
    return this.last
  }

  /** Copies the entry. */
  push({ answered, kind, op, operation, request, session, time, view }: Entry): void {
    invariant(op === this.last + 1, "the log is contiguous", { op, head: this.last })
    const piece = this.room(op, header_bytes + operation.length)
    const at = piece.end
    const numbers = piece.view
    numbers.setFloat64(at, view)
    numbers.setFloat64(at + 8, time)
    numbers.setFloat64(at + 16, session)
    numbers.setFloat64(at + 24, request)
    numbers.setFloat64(at + 32, answered)
    numbers.setUint32(at + 40, operation.length)
    numbers.setUint32(at + 44, entryKinds.indexOf(kind))
    piece.bytes.set(operation, at + header_bytes)
    piece.starts.push(at)
    piece.end = at + header_bytes + operation.length
    this.last = op
  }

  /** A copy, which stays when the memory here is used for something else. */
  get(op: OpNumber): Entry {
    return this.range(op, op)[0]!
  }

  /** Copies, as with `get`, of `first` to `last`. Those of a piece share theirs. */
  range(first: OpNumber, last: OpNumber): Array<Entry> {
    const found: Array<Entry> = []
    while (first + found.length <= last) {
      const piece = this.pieceOf(first + found.length)
      const { bytes, starts, view } = piece
      const from = first + found.length - piece.first
      const to = Math.min(last - piece.first, starts.length - 1)
      const begin = starts[from]!
      const copy = bytes.slice(begin, to + 1 < starts.length ? starts[to + 1] : piece.end)
      for (let index = from; index <= to; index++) found.push(entryAt(piece.first + index, view, starts[index]!, copy, begin))
    }
    return found
  }

  /** The length of the operation there. */
  lengthAt(op: OpNumber): number {
    const { first, starts, view } = this.pieceOf(op)
    return view.getUint32(starts[op - first]! + 40)
  }

  /** Of the operations up to `op`, all together. */
  bytesTo(op: OpNumber): number {
    let bytes = 0
    for (const { end, first, starts } of this.pieces) {
      if (first > op) break
      const from = Math.max(0, this.before + 1 - first)
      const to = Math.min(starts.length, op + 1 - first)
      bytes += (to < starts.length ? starts[to]! : end) - starts[from]! - (to - from) * header_bytes
    }
    return bytes
  }

  /** As {@link Log.opBehind}. */
  opBehind(op: OpNumber, bytes: number): OpNumber {
    let left = bytes
    for (let i = this.pieces.length - 1; i >= 0; i--) {
      const { end, first, starts } = this.pieces[i]!
      if (first > op) continue
      left -= starts[op + 1 - first] ?? end
      if (left <= 0) return Math.max(this.before, first - 1)
    }
    return this.before
  }

  /** Forgets what is at or below `op`. */
  shorten(op: OpNumber): void {
    invariant(op <= this.last, "a packed log is not shortened above its end", { op, last: this.last })
    this.before = op
    this.latest = null
    const before = this.pieces.length
    while (this.pieces.length > 0 && lastOf(this.pieces[0]!) <= op) this.free(this.pieces.shift()!)
    const used = this.pieces.length
    if (used < before) this.most = Math.max(used, this.most - 1)
    const kept = this.most < Limits.log_pieces_long ? 0 : Math.min(this.most, Limits.log_pieces_kept_max) - used
    while (this.spare.length > Math.max(0, kept)) letGo(this.spare.pop()!)
  }

  /** One that does not grow for long keeps nothing that it does not need. */
  onTick(): void {
    if (this.spare.length === 0 || ++this.ticks < Limits.log_idle_ticks) return
    this.most = this.pieces.length
    while (this.spare.length > 0) letGo(this.spare.pop()!)
  }

  /** Empty, behind `op`. */
  reset(op: OpNumber): void {
    for (const { bytes } of this.pieces) letGo(bytes)
    for (const bytes of this.spare) letGo(bytes)
    this.pieces = []
    this.spare = []
    this.most = 0
    this.latest = null
    this.before = op
    this.last = op
  }

  private room(op: OpNumber, bytes: number): Piece {
    const present = this.pieces.at(-1)
    if (present !== undefined && present.end + bytes <= present.bytes.length) return present
    // Entries of up to a quarter leave at most a quarter of a piece empty. Where longer ones come between, half of the memory
    // may be.
    const piece = makePiece(op, bytes > Limits.log_piece_bytes / 4 ? new Uint8Array(bytes) : this.usual())
    this.pieces.push(piece)
    this.most = Math.max(this.most, this.pieces.length)
    this.ticks = 0
    return piece
  }

  private usual(): Uint8Array {
    const bytes = this.spare.pop() ?? idle.pop()
    return isUsual(bytes) ? bytes : new Uint8Array(Limits.log_piece_bytes)
  }

  private free({ bytes }: Piece): void {
    if (isUsual(bytes)) this.spare.push(bytes)
  }

  private pieceOf(op: OpNumber): Piece {
    invariant(op > this.before && op <= this.last, "what is asked of a log is in it", { op, base: this.before, settled: this.last })
    const { latest } = this
    // Most are read in order.
    if (latest !== null && op >= latest.first && op <= lastOf(latest)) return latest
    let low = 0
    let high = this.pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.pieces[middle]!.first <= op) low = middle
      else high = middle - 1
    }
    return this.latest = this.pieces[low]!
  }
}

const lastOf = ({ first, starts }: Piece): OpNumber => first + starts.length - 1

/** Its numbers are at `at` in the view, and its bytes in the copy, which has those from `begin` on. */
const entryAt = (op: OpNumber, view: DataView, at: number, copy: Uint8Array, begin: number): Entry => {
  const from = at + header_bytes - begin
  return {
    op,
    view: view.getFloat64(at),
    time: view.getFloat64(at + 8),
    kind: entryKinds[view.getUint32(at + 44)]!,
    session: view.getFloat64(at + 16),
    request: view.getFloat64(at + 24),
    answered: view.getFloat64(at + 32),
    operation: copy.subarray(from, from + view.getUint32(at + 40))
  }
}
