/**
 * Logs of a node: one line an event on standard output, for people or as JSON. The level is a runtime setting.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel as EffectLogLevel } from "effect/LogLevel"
import * as References from "effect/References"
import { log_levels, type LogFormat } from "./Config.ts"
import { Settings } from "./Settings.ts"

const ranks: Readonly<Record<EffectLogLevel, number>> = {
  All: 0, Trace: 0, Debug: 1, Info: 2, Warn: 3, Error: 4, Fatal: 5, None: 6
}

interface Line {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

const pretty = ({ fields, level, message, time }: Line): string => {
  const details = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`).join("")
  return `${time} ${level.padEnd(5)} ${message}${details}`
}

const json = ({ fields, level, message, time }: Line): string => JSON.stringify({ time, level, message, ...fields })

/** One line whatever the cause: a stack trace is for `debug` and `trace`. */
const describeCause = (cause: Cause.Cause<unknown>, detailed: boolean): string | undefined => {
  if (cause.reasons.length === 0) return undefined
  if (detailed) return Cause.pretty(cause)
  const failure = Cause.squash(cause)
  return failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure)
}

/** `format` may be given on the command line; the level is read from the settings at every line. */
export const layer = (format: LogFormat): Layer.Layer<never, never, Settings> =>
  Layer.unwrap(Settings.useSync((settings) => {
    const write = format === "json" ? json : pretty
    const logger = Logger.make(({ cause, date, fiber, logLevel, message }) => {
      const wanted = log_levels.indexOf(settings.current.log_level)
      if (ranks[logLevel] < wanted) return
      const parts = (Array.isArray(message) ? message : [message]).map((part) =>
        part instanceof Error ? `${part.name}: ${part.message}` : String(part))
      const failure = describeCause(cause, wanted <= 1)
      process.stdout.write(`${
        write({
          time: date.toISOString(),
          level: logLevel.toUpperCase(),
          message: parts.join(" "),
          fields: {
            ...fiber.getRef(References.CurrentLogAnnotations),
            ...(failure === undefined ? {} : { cause: failure })
          }
        })
      }\n`)
    })
    return Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "All"))
  }))
