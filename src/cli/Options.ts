/**
 * The flags that every command takes. What the command line itself leaves open, the start of the program has said.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"

/** How one command is to be run and shown. */
export interface Options {
  /** One JSON value, or one a line, instead of text. */
  readonly json: boolean
  /** Data and errors only. */
  readonly quiet: boolean
  /** Tells what the client does: connections, redirects, retries. */
  readonly verbose: boolean
  /** For the whole command; `null`: the client library's deadline for each request, and nothing else. */
  readonly timeout_ms: number | null
  readonly tenant: string | null
}

/** What holds for commands that do not say otherwise: the flags that the program was started with. */
export const Defaults = Context.Reference<Options>("v2r2/cli/Options/Defaults", {
  defaultValue: () => ({ json: false, quiet: false, verbose: false, timeout_ms: null, tenant: null })
})

/** Without the optional value, Effect's parser would take a following `1` or `yes` for the flag's value, not for data. */
export const Switch = (name: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withOptionalValue("true"), Flag.withoutNegation)

/** A number that is no less than `min`. */
export const Whole = (name: string, min: number): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.filterMap(
      (text) => /^[0-9]{1,15}$/.test(text) && Number(text) >= min ? Option.some(Number(text)) : Option.none(),
      () => `expected a whole number from ${min} up`
    ),
    Flag.withMetavar("<n>")
  )

const setting = <A>(flag: Flag.Flag<A>, name: string, description: string) =>
  GlobalFlag.Setting(`v2r2-${name}`)({ flag: flag.pipe(Flag.withDescription(description), Flag.optional) })

const Json = setting(Switch("json"), "json", "Print JSON; lists print one object a line")
const Quiet = setting(Switch("quiet").pipe(Flag.withAlias("q")), "quiet", "Print data and errors only")
const Verbose = setting(Switch("verbose"), "verbose", "Tell what is being tried, on stderr")
const Timeout = setting(
  Flag.String("timeout").pipe(
    Flag.withMetavar("<duration>"),
    Flag.filterMap(
      (text) => Option.fromUndefinedOr(parseDuration(text)),
      () => "expected a duration such as 500ms, 2s or 1m"
    )
  ),
  "timeout",
  "Give up after this long (500ms, 2s, 1m) with exit code 124"
)
const Tenant = setting(Flag.String("tenant").pipe(Flag.withMetavar("<tenant>")), "tenant", "Tenant, by name or id")

export const adminFlags = [Json, Quiet, Verbose, Timeout] as const
export const clientFlags = [Tenant, Json, Quiet, Verbose, Timeout] as const

/** How completion finds them; Effect keeps the names of global flags to itself. */
export const adminFlagNames = ["--json", "--quiet", "--verbose", "--timeout", "--help"]
export const clientFlagNames = ["--tenant", ...adminFlagNames]

/** Flags whose next argument is their value, before any command: the global ones, and `-e` of the program itself. */
export const valuedFlags: ReadonlySet<string> = new Set(["--timeout", "--tenant", "-e", "--execute", "--completions"])

const given = <I, A, B>(flag: Context.Key<I, Option.Option<A>>, fallback: B): Effect.Effect<A | B> =>
  Effect.map(Effect.serviceOption(flag), (value) => Option.getOrElse(Option.flatten(value), () => fallback))

/** The options of the command that is running. */
export const currentOptions: Effect.Effect<Options> = Effect.gen(function*() {
  const defaults = yield* Defaults
  return {
    json: yield* given(Json, defaults.json),
    quiet: yield* given(Quiet, defaults.quiet),
    verbose: yield* given(Verbose, defaults.verbose),
    timeout_ms: yield* given(Timeout, defaults.timeout_ms),
    tenant: yield* given(Tenant, defaults.tenant)
  }
})

/** `--tenant` of the command that is running, whatever the defaults are. */
export const tenantOfLine: Effect.Effect<string | null> = given(Tenant, null)

const duration = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)$/
const unit_ms: Readonly<Record<string, number>> = { ms: 1, s: 1_000, "": 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of `500ms`, `2s`, `1.5m`, `1h` or `2` (seconds); `undefined` if it is none of them, or nothing at all. */
export const parseDuration = (text: string): number | undefined => {
  const match = duration.exec(text)
  if (match === null) return undefined
  const ms = Math.round(Number(match[1]) * unit_ms[match[2]!]!)
  return ms > 0 && Number.isSafeInteger(ms) ? ms : undefined
}

export const formatDuration = (ms: number): string => Duration.format(Duration.millis(ms))
