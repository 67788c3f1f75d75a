/**
 * Data on a command line: the text itself, `@file`, or `-` for standard input. A leading `\` in front of `@`, or of a
 * lone `-`, makes it text: `\@home` is `@home`.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { concat } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"
import { Failure, usage } from "./Failure.ts"
import { fileReason } from "./FileTrouble.ts"

/** Why a command may not read standard input; or `null`: it may, once. */
export const StdinTaken = Context.Reference<{ reason: string | null }>("v2r2/cli/StdinTaken", {
  defaultValue: () => ({ reason: "it is not there" })
})

export const dataHelp = "DATA is the text itself, @FILE for the content of a file, or - for standard input. " +
  "For text that begins with @, write \\@; for a lone dash \\-. Text that begins with a dash comes after --."

const escaped = /^\\+(@|-$)/

/** The bytes that the argument stands for. */
export const readData = Effect.fnUntraced(function*(argument: string) {
  if (argument === "-") return yield* readStdin
  if (argument.startsWith("@")) return yield* readFile(argument.slice(1))
  const text = escaped.test(argument) ? argument.slice(1) : argument
  return new TextEncoder().encode(text)
})

const readStdin = Effect.gen(function*() {
  const taken = yield* StdinTaken
  if (taken.reason !== null) {
    return yield* usage(`"-" cannot read the data from standard input: ${taken.reason}`, "give the data itself, or @file")
  }
  taken.reason = "it was read to its end already"
  const stdio = yield* Stdio.Stdio
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  yield* Stream.runForEach(
    Stream.takeWhile(stdio.stdin, () => bytes <= Limits.value_bytes_max),
    (chunk) => Effect.sync(() => {
      chunks.push(chunk)
      bytes += chunk.length
    })
  ).pipe(Effect.mapError((error) => usage(`cannot read standard input: ${error.message}`)))
  if (bytes > Limits.value_bytes_max) return yield* tooLong("standard input", null)
  return concat(chunks)
})

const readFile = Effect.fnUntraced(function*(path: string) {
  if (path === "") return yield* usage("no file name follows the @", "for a text that begins with @, write \\@")
  const files = yield* FileSystem.FileSystem
  const failed = Effect.mapError((error: PlatformError) =>
    usage(`cannot read the file ${path}: ${fileReason(error)}`, "for a text that begins with @, write \\@"))
  const { size } = yield* files.stat(path).pipe(failed)
  if (Number(size) > Limits.value_bytes_max) return yield* tooLong(path, Number(size))
  return yield* files.readFile(path).pipe(failed)
})

const tooLong = (what: string, actual: number | null) =>
  new Failure({
    exit: "quota",
    code: "limit_exceeded",
    attempt: "",
    message: `${what} has ${actual === null ? "more" : `${actual} bytes, more`} than the ` +
      `${Limits.value_bytes_max} bytes that a value may have`,
    hint: "split the data over several elements",
    detail: { what: "value_bytes_max", limit: Limits.value_bytes_max, actual }
  })
