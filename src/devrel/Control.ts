/**
 * The way into a running devrel from another terminal: a unix socket under `dev/`, one line of JSON each way.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { ExitCode, textOf, Trouble } from "./Trouble.ts"

export const Request = Schema.Union([
  Schema.Struct({ command: Schema.Literals(["start", "stop", "kill"]), node: Schema.String }),
  Schema.Struct({ command: Schema.Literal("status") })
])
export type Request = typeof Request.Type

/** What the other terminal prints, and its exit code. */
export const Reply = Schema.Struct({ exit: Schema.Int, text: Schema.String })
export type Reply = typeof Reply.Type

const decodeRequest = Schema.decodeUnknownEffect(Schema.fromJsonString(Request))
const decodeReply = Schema.decodeUnknownEffect(Schema.fromJsonString(Reply))

/** Relative where that is shorter: the path of a socket may have about 100 bytes. */
const socketPath = (folder: string): string => {
  const path = Path.resolve(folder, "devrel.sock")
  const relative = Path.relative("", path)
  return relative.length < path.length ? relative : path
}

const request_bytes_max = 1024
const reply_bytes_max = 64 * 1024

/** Reads until the first line ends; fails on one that is too long. */
const readLine = (socket: Net.Socket, bytes_max: number): Effect.Effect<string, Trouble> =>
  Effect.callback((resume) => {
    let text = ""
    const gone = () => resume(new Trouble({ exit: "unavailable", message: "devrel ended before it answered" }))
    socket.setEncoding("utf8")
    socket.on("data", (chunk: string) => {
      text += chunk
      const end = text.indexOf("\n")
      if (end >= 0) resume(Effect.succeed(text.slice(0, end)))
      else if (text.length > bytes_max) socket.destroy()
    })
    socket.once("close", gone)
    socket.once("error", gone)
  })

const replyTo = (
  socket: Net.Socket,
  answer: (request: Request) => Effect.Effect<string, Trouble>
): Effect.Effect<void> =>
  readLine(socket, request_bytes_max).pipe(
    Effect.flatMap(decodeRequest),
    Effect.flatMap(answer),
    Effect.map((text): Reply => ({ exit: ExitCode.ok, text })),
    Effect.catchTags({
      Trouble: (trouble) => Effect.succeed({ exit: ExitCode[trouble.exit], text: textOf(trouble) }),
      SchemaError: () => Effect.succeed({ exit: ExitCode.usage, text: "not a request of devrel" })
    }),
    Effect.map((reply) => {
      socket.end(`${JSON.stringify(reply)}\n`)
    }),
    Effect.ensuring(Effect.sync(() => socket.destroySoon()))
  )

/** Answers until the Scope ends. Only the holder of the lock may call it: it replaces a socket that was left behind. */
export const serve = Effect.fnUntraced(function*(
  folder: string,
  answer: (request: Request) => Effect.Effect<string, Trouble>
) {
  const run = yield* FiberSet.makeRuntime()
  const path = socketPath(folder)
  const server = Net.createServer((socket) => {
    // Who asks may leave before the answer.
    socket.on("error", () => socket.destroy())
    run(replyTo(socket, answer))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void, Trouble>((resume) => {
      Fs.rmSync(path, { force: true })
      server.once("error", ({ message }) =>
        resume(new Trouble({ exit: "failed", message: `cannot listen on ${path}: ${message}` })))
      server.listen(path, () => resume(Effect.void))
    }),
    () => Effect.sync(() => {
      server.close()
      Fs.rmSync(path, { force: true })
    })
  )
})

/** Asks the devrel that runs in this folder. */
export const ask = (folder: string, request: Request): Effect.Effect<Reply, Trouble> =>
  Effect.acquireUseRelease(
    connect(socketPath(folder)),
    (socket) => {
      socket.write(`${JSON.stringify(request)}\n`)
      return Effect.flatMap(readLine(socket, reply_bytes_max), decodeReply).pipe(
        Effect.catchTag("SchemaError", () => new Trouble({ exit: "failed", message: "devrel's answer makes no sense" }))
      )
    },
    (socket) => Effect.sync(() => socket.destroy())
  )

const connect = (path: string): Effect.Effect<Net.Socket, Trouble> =>
  Effect.callback((resume) => {
    const socket = Net.connect(path)
    socket.once("connect", () => resume(Effect.succeed(socket)))
    socket.once("error", () => resume(new Trouble({
      exit: "unavailable",
      message: "no devrel is running here",
      hint: "start one: npm run devrel"
    })))
  })
