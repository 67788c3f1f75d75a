/**
 * One of three bare processes that replicate a log: what is left of a replica if nothing may go wrong. Writes are gathered
 * into one batch a turn, written to a file and flushed (on disk), sent to the backups, and answered once two of three have
 * them; a map is the store. No views, no sessions, no clients that come back, no Effect.
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Net from "node:net"
import { frameOf, splitter, unpack } from "./Frames.ts"

export interface Role {
  readonly port: number
  /** Ports of the backups of a primary; null: it is a backup. */
  readonly backups: ReadonlyArray<number> | null
  /** The log; null: only in memory. */
  readonly file: string | null
}

/** `operation` is packed: path and value. */
type Entry = readonly [request: number, operation: Uint8Array]
type Prepare = readonly [op: number, entries: ReadonlyArray<Entry>]

const role: Role = JSON.parse(process.argv[2] ?? "")
const descriptor = role.file === null ? null : Fs.openSync(role.file, "w")
const store = new Map<string, Uint8Array>()

const apply = (operation: Uint8Array): void => {
  const [path, value] = unpack(operation) as readonly [string, Uint8Array]
  store.set(path, value)
}

/** One write and one flush at a time; what comes meanwhile shares the next. */
class Log {
  private batch: Array<Uint8Array> = []
  private waiting: Array<() => void> = []
  private isBusy = false

  append(bytes: Uint8Array, durable: () => void): void {
    if (descriptor === null) return durable()
    this.batch.push(bytes)
    this.waiting.push(durable)
    if (!this.isBusy) this.flush(descriptor)
  }

  private flush(file: number): void {
    const [batch, waiting] = [this.batch, this.waiting]
    this.batch = []
    this.waiting = []
    this.isBusy = true
    Fs.writev(file, batch, (failure) => {
      if (failure !== null) throw failure
      Fs.fdatasync(file, (failure) => {
        if (failure !== null) throw failure
        this.isBusy = false
        for (const durable of waiting) durable()
        if (this.waiting.length > 0) this.flush(file)
      })
    })
  }
}

const log = new Log()

const listen = (connected: (socket: Net.Socket) => (chunk: Buffer) => void): void => {
  Net.createServer({ noDelay: true }, (socket) => socket.on("error", () => {}).on("data", connected(socket)))
    .listen(role.port, "127.0.0.1")
}

const beBackup = (): void =>
  listen((socket) =>
    splitter((bodies) => {
      for (const body of bodies) {
        const [op, entries] = unpack(body) as Prepare
        log.append(body, () => {
          for (const [, operation] of entries) apply(operation)
          socket.write(frameOf(op))
        })
      }
    })
  )

const bePrimary = (ports: ReadonlyArray<number>): void => {
  const backups = ports.map((port) => Net.connect({ port, host: "127.0.0.1", noDelay: true }))
  let op = 0
  let commit = 0
  /** Up to where this process and each backup have the log. */
  const held = [0, ...backups.map(() => 0)]
  let batch: Array<Entry> = []
  let unanswered: Array<readonly [socket: Net.Socket, entry: Entry]> = []

  const advance = (): void => {
    const agreed = held.toSorted((a, b) => b - a)[1] ?? 0
    if (agreed <= commit) return
    const committed = unanswered.slice(0, agreed - commit)
    unanswered = unanswered.slice(agreed - commit)
    commit = agreed
    const answers = new Map<Net.Socket, Array<number>>()
    for (const [socket, [request, operation]] of committed) {
      apply(operation)
      const own = answers.get(socket)
      if (own === undefined) answers.set(socket, [request])
      else own.push(request)
    }
    for (const [socket, requests] of answers) socket.write(frameOf(requests))
  }

  const prepare = (): void => {
    const frame = frameOf([op, batch] satisfies Prepare)
    const upTo = op
    batch = []
    for (const backup of backups) backup.write(frame)
    log.append(frame, () => {
      held[0] = upTo
      advance()
    })
  }

  for (const [index, backup] of backups.entries()) {
    backup.on("data", splitter((bodies) => {
      held[index + 1] = Number(unpack(bodies.at(-1)!))
      advance()
    }))
  }
  listen((socket) =>
    splitter((bodies) => {
      if (batch.length === 0) setImmediate(prepare)
      for (const body of bodies) {
        const entry = unpack(body) as Entry
        op++
        batch.push(entry)
        unanswered.push([socket, entry])
      }
    })
  )
}

if (role.backups === null) beBackup()
else bePrimary(role.backups)
