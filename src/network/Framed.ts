/**
 * A connection that talks frames and has said hello: what every client and server of ours works with.
 *
 * @module
 */
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { bytesOf, concat } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"
import { FrameDecoder } from "../wire/Frame.ts"
import * as Hello from "../wire/Hello.ts"
import { Closed, type Duplex, Network, NetworkError } from "./Network.ts"

/** The two sides do not fit, and one has said so. */
export class HelloRejected extends Schema.TaggedError<HelloRejected>()("HelloRejected", {
  remote: Schema.String,
  code: Schema.String,
  /** What was got and what was expected. */
  reason: Schema.String,
  /** Who would not talk. */
  by: Schema.Literals(["us", "them"])
}) {
  override get message(): string {
    return `${this.remote}: ${this.by === "us" ? "hello rejected" : "rejected our hello"}: ${this.reason}`
  }
}

export interface Framed {
  readonly remote: string
  /** What the other side said of itself. */
  readonly hello: Hello.Hello
  /**
   * The payloads of all bytes at hand, or a portion of them, at least one. One reader only. After a bad frame (`malformed` in the error)
   * nothing more can be read, but a complaint may still be sent.
   */
  readonly receive: Effect.Effect<NonEmptyReadonlyArray<Uint8Array>, Closed>
  /** Whole frames, in order. Waits while the other side is slow to read. */
  readonly send: (frames: NonEmptyReadonlyArray<Uint8Array>) => Effect.Effect<void, Closed>
  /** Sends what nobody has to wait for, a few hundred KiB at most: true. False: nothing was sent; `send` waits, or says why. */
  readonly sendNow: (frames: NonEmptyReadonlyArray<Uint8Array>) => boolean
}

/** For a side that hears from many: how much of what has come it takes at a time. The rest stays as it came, in bytes. */
export interface Portions {
  /** Payloads that {@link Framed.receive} gives at once, at most. */
  readonly frames_max: number
  /** Waited for before each time, once there is something. */
  readonly turn: Effect.Effect<void>
}

const unlimited: Portions = { frames_max: Number.MAX_SAFE_INTEGER, turn: Effect.void }

/**
 * Dials `address` and exchanges hellos. `hello.limits.frame_bytes_max` is the longest payload that we accept.
 * The end of the Scope closes the connection.
 */
export const connectFramed = Effect.fnUntraced(function*(
  address: string,
  hello: Hello.Hello
): Effect.fn.Return<Framed, NetworkError | HelloRejected, Scope.Scope | Network> {
  const network = yield* Network
  const duplex = yield* network.connect(address)
  const decoder = new FrameDecoder(Limits.hello_bytes_max)
  const payload = yield* Effect.andThen(duplex.write([Hello.encodeHello(hello)]), firstPayload(duplex, decoder)).pipe(
    Effect.catchTag("Closed", ({ reason }) => new NetworkError({ address, reason: `${reason}, before a hello` })),
    Effect.timeoutOrElse({
      duration: Limits.hello_timeout_ms,
      orElse: () => new NetworkError({ address, reason: `no hello within ${Limits.hello_timeout_ms} ms` })
    })
  )
  const got = Hello.decodeHello(payload)
  if (got._tag === "Malformed") {
    return yield* new NetworkError({ address, reason: `the answer to our hello is ${got.reason}` })
  }
  if (got._tag === "Reject") {
    return yield* new HelloRejected({ remote: address, code: got.code, reason: got.message, by: "them" })
  }
  const problem = Hello.verifyHello(hello, got)
  if (problem !== null) {
    return yield* new HelloRejected({ remote: address, code: problem.code, reason: problem.message, by: "us" })
  }
  return framed(duplex, decoder, got, hello.limits["frame_bytes_max"] ?? Limits.hello_bytes_max)
})

/**
 * The side that was dialled: waits for a hello, and answers with `hello`, or with the reason why not. Closing the
 * connection is left to the caller: its fiber ends. `verify` is asked after the usual checks, to refuse for other
 * reasons ("busy", "name").
 */
export const acceptFramed = Effect.fnUntraced(function*(
  duplex: Duplex,
  hello: Hello.Hello,
  options: {
    readonly frame_bytes_max: number
    readonly verify?: (got: Hello.Hello) => Hello.Reject | null
    readonly portions?: Portions
  }
): Effect.fn.Return<Framed, Closed | HelloRejected> {
  const refuse = ({ code, message }: Hello.Reject): Effect.Effect<never, Closed | HelloRejected> =>
    Effect.andThen(
      duplex.write([Hello.encodeReject(Hello.reject(code, message))]),
      new HelloRejected({ remote: duplex.remote, code, reason: message, by: "us" })
    )
  const decoder = new FrameDecoder(Limits.hello_bytes_max)
  const payload = yield* firstPayload(duplex, decoder).pipe(
    Effect.catchTag("Closed", (closed) =>
      closed.malformed === true ? refuse(Hello.reject("limit", `no hello: ${closed.reason}`)) : closed),
    Effect.timeoutOrElse({
      duration: Limits.hello_timeout_ms,
      orElse: () => refuse(Hello.reject("timeout", `no hello within ${Limits.hello_timeout_ms} ms`))
    })
  )
  const got = Hello.decodeHello(payload)
  if (got._tag !== "Hello") {
    return yield* refuse(Hello.reject("malformed", got._tag === "Reject" ? "a reject, expected a hello" : got.reason))
  }
  const problem = Hello.verifyHello(hello, got) ?? options.verify?.(got) ?? null
  if (problem !== null) return yield* refuse(problem)
  yield* duplex.write([Hello.encodeHello(hello)])
  return framed(duplex, decoder, got, options.frame_bytes_max, options.portions)
})

const broken = (decoder: FrameDecoder): Closed =>
  new Closed({ reason: decoder.fault?.reason ?? "malformed", malformed: true })

/** Exactly one payload: what follows it waits in `decoder.rest`, for it may be longer than a hello. */
const firstPayload = (duplex: Duplex, decoder: FrameDecoder): Effect.Effect<Uint8Array, Closed> =>
  Effect.flatMap(duplex.pull, (chunks) => {
    const [payload] = decoder.push(concat(chunks), 1)
    if (payload !== undefined) return Effect.succeed(payload)
    return decoder.fault === null ? firstPayload(duplex, decoder) : Effect.fail(broken(decoder))
  })

const framed = (
  duplex: Duplex,
  decoder: FrameDecoder,
  hello: Hello.Hello,
  frame_bytes_max: number,
  { frames_max, turn }: Portions = unlimited
): Framed => {
  decoder.setLimit(frame_bytes_max)
  /** Not decoded yet, from `next` on. The first ones may have come with the hello. */
  let chunks: ReadonlyArray<Uint8Array> = [decoder.rest]
  let next = decoder.rest.length > 0 ? 0 : 1
  const take = (): ReadonlyArray<Uint8Array> => {
    const payloads: Array<Uint8Array> = []
    // What a chunk has beyond the portion is pushed again.
    let chunk = decoder.rest.length > 0 ? decoder.rest : chunks[next]
    while (chunk !== undefined && decoder.fault === null) {
      for (const payload of decoder.push(chunk, frames_max - payloads.length)) payloads.push(payload)
      if (decoder.rest.length > 0) break
      next++
      chunk = payloads.length < frames_max ? chunks[next] : undefined
    }
    return payloads
  }
  const decode: Framed["receive"] = Effect.suspend(() => {
    const payloads = take()
    return isReadonlyArrayNonEmpty(payloads) ? Effect.succeed(payloads) : receive
  })
  const receive: Framed["receive"] = Effect.suspend(() => {
    if (decoder.fault !== null) return Effect.fail(broken(decoder))
    if (next < chunks.length) return Effect.andThen(turn, decode)
    return Effect.flatMap(duplex.pull, (pulled) => {
      chunks = pulled
      next = 0
      return Effect.andThen(turn, decode)
    })
  })
  return { remote: duplex.remote, hello, receive, send: duplex.write, sendNow: duplex.writeNow }
}

/** Who does not read for long is not waited for: the connection ends. */
export const impatient = ({ send, sendNow }: Pick<Framed, "send" | "sendNow">): Framed["send"] => (frames) =>
  Effect.suspend(() =>
    // A time-out is a fiber and a timer, and hardly ever needed.
    sendNow(frames) ? Effect.void : Effect.timeoutOrElse(send(frames), {
      duration: Limits.connection_stalled_ms,
      orElse: () => new Closed({
        reason: `the other side has not read for ${Limits.connection_stalled_ms} ms`,
        malformed: true
      })
    }))

const write_bytes = 1024 * 1024

/**
 * Sends what comes on the queue for as long as it can, all that waits in one write. `onSent`: so many bytes of it have left.
 * Ends with the queue's failure, too. Where there is nothing it waits; a yield beside that would be a turn for nothing.
 */
export const sendAll = <E>(
  outbox: Queue.Dequeue<Uint8Array, E>,
  framed: Pick<Framed, "send">,
  onSent: (bytes: number) => void
): Effect.Effect<never, Closed | E> =>
  Queue.takeAll(outbox).pipe(
    Effect.flatMap((frames) =>
      Effect.forEach(inWrites(frames), (part) => Effect.map(framed.send(part), () => onSent(bytesOf(part))), { discard: true })),
    Effect.forever({ disableYield: true })
  )

/** Frames in writes of about `write_bytes` each, so that a slow reader can be told from one that does not read. */
const inWrites = (frames: NonEmptyReadonlyArray<Uint8Array>): ReadonlyArray<NonEmptyReadonlyArray<Uint8Array>> => {
  const parts: Array<[Uint8Array, ...Array<Uint8Array>]> = [[frames[0]]]
  let bytes = frames[0].length
  for (const frame of frames.slice(1)) {
    if (bytes + frame.length > write_bytes) {
      parts.push([frame])
      bytes = frame.length
    } else {
      parts.at(-1)!.push(frame)
      bytes += frame.length
    }
  }
  return parts
}
