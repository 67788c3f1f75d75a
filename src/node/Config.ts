/**
 * The configuration of a node: reading `config.json`, and what `config set` may change while the node runs. Everything
 * wrong is told in one line, that names the file, the key, and what was expected. The keys are in `ConfigKeys.ts`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { formatAddress, isWildcard, parseAddress } from "../base/Address.ts"
import { quoted } from "../base/Names.ts"
import { nearest } from "../base/Suggest.ts"
import type { Owner } from "../storage/NodeStore.ts"
import {
  type Config,
  config_keys,
  type Key,
  keys,
  type RuntimeSettings,
  runtimeKeys,
  shown,
  unbracketed,
  unknownKeyReason
} from "./ConfigKeys.ts"
import { parseJson } from "./ConfigText.ts"

export type { Config, LogFormat, LogLevel, RuntimeSettings } from "./ConfigKeys.ts"
export { config_keys, log_formats, log_levels, unknownKeyReason } from "./ConfigKeys.ts"

export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  file: Schema.String,
  /** Null: the file as a whole. */
  key: Schema.NullOr(Schema.String),
  /** One line, with file and key. */
  message: Schema.String
}) {}

interface Problem {
  readonly key: string | null
  readonly reason: string
}

/** Reads the file and checks it. */
export const loadConfig = (file: string): Effect.Effect<Config, ConfigError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(file)
    if (info.type !== "File") return yield* wholeFile(file, "expected a file, got something else")
    const config = parseConfig(yield* fs.readFileString(file), file)
    return Result.isSuccess(config) ? config.success : yield* config.failure
  }).pipe(
    Effect.catchTag("PlatformError", ({ reason }) => {
      if (reason._tag === "NotFound") return wholeFile(file, "there is no such file; expected a configuration in JSON")
      return wholeFile(file, reason._tag === "PermissionDenied" ? "this user may not read it" : "it cannot be read")
    })
  )

const wholeFile = (file: string, reason: string): Effect.Effect<never, ConfigError> =>
  Effect.fail(new ConfigError({ file, key: null, message: `${file}: ${reason}` }))

/** `file` is named in errors, and `data_dir` is relative to its folder. */
export const parseConfig = (text: string, file: string): Result.Result<Config, ConfigError> => {
  const fail = (problems: ReadonlyArray<Problem>) => {
    const { key, reason } = problems[0]!
    const where = key === null ? file : `${file}: ${config_keys.includes(key) ? key : quoted(key)}`
    const more = problems.length > 1 ? ` (+${problems.length - 1} more)` : ""
    return Result.fail(new ConfigError({ file, key, message: `${where}: ${reason}${more}` }))
  }
  const json = parseJson(text)
  if (!json.ok) return fail([{ key: null, reason: json.reason }])
  const given = json.value
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return fail([{ key: null, reason: `expected an object, { "node_name": … }, got ${shown(given)}` }])
  }
  const problems: Array<Problem> = Object.keys(given)
    .filter((key) => !config_keys.includes(key))
    .map((key) => ({ key, reason: unknownKeyReason(key) }))
  const misspelt = problems.map(({ key }) => nearest(key ?? "", config_keys))
  const values = new Map<string, unknown>(Object.entries(given))
  const read = <K extends keyof Config>(name: K): Config[K] | undefined => {
    const key: Key<Config[K]> = keys[name]
    if (!values.has(name)) {
      // A key that is there under a wrong name is one problem, not two.
      if (key.default === undefined && !misspelt.includes(name)) {
        problems.push({ key: name, reason: `missing; expected ${key.expected}` })
      }
      return key.default
    }
    const value = key.parse(values.get(name))
    if (value.ok) return value.value
    problems.push({ key: name, reason: value.reason })
    return undefined
  }
  const config = readAll(read)
  problems.push(...relationProblems(config))
  return isComplete(config) && problems.length === 0
    ? Result.succeed({ ...config, data_dir: besideFile(file, config.data_dir) })
    : fail(problems)
}

type Partly = { readonly [K in keyof Config]: Config[K] | undefined }

const readAll = (read: <K extends keyof Config>(name: K) => Config[K] | undefined): Partly => ({
  node_name: read("node_name"),
  cluster_name: read("cluster_name"),
  admin_host: read("admin_host"),
  client_host: read("client_host"),
  cluster_host: read("cluster_host"),
  peer_host: read("peer_host"),
  data_dir: read("data_dir"),
  advertise_host: read("advertise_host"),
  heartbeat_ms: read("heartbeat_ms"),
  view_change_ms: read("view_change_ms"),
  gossip_ms: read("gossip_ms"),
  log_level: read("log_level"),
  log_format: read("log_format"),
  lease_ms: read("lease_ms")
})

const isComplete = (config: Partly): config is Config => Object.values(config).every((value) => value !== undefined)

/** What is wrong between values that are fine each by itself. */
const relationProblems = (config: Partly): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  const servers = (["admin_host", "client_host", "cluster_host", "peer_host"] as const).flatMap((key) => {
    const address = parseAddress(config[key] ?? "")
    return address.ok ? [{ key, ...address.value }] : []
  })
  for (const [index, one] of servers.entries()) {
    const other = servers.slice(0, index).find((other) => other.port === one.port && overlap(other.host, one.host))
    if (!other) continue
    problems.push({ key: one.key, reason: `expected a port of its own, got ${one.port}, which ${other.key} has` })
  }
  const everywhere = servers.find((server) => isWildcard(server.host))
  if (everywhere && config.advertise_host === null) {
    const reason = `missing; expected the host that others dial, because ${everywhere.key} listens on every interface`
    problems.push({ key: "advertise_host", reason })
  }
  const slow = timerProblem(config)
  if (slow !== null) problems.push({ key: "view_change_ms", reason: slow })
  const unfit = leaseProblem(config, config.lease_ms)
  if (unfit !== null) problems.push({ key: "lease_ms", reason: unfit })
  return problems
}

/** Can two listeners on these hosts and one port be in each other's way? */
const overlap = (a: string, b: string): boolean => {
  const loopback = (host: string) => host === "127.0.0.1" || host === "::1" || host.toLowerCase() === "localhost"
  const local = a.toLowerCase() === "localhost" || b.toLowerCase() === "localhost"
  return a.toLowerCase() === b.toLowerCase() || isWildcard(a) || isWildcard(b) || (local && loopback(a) && loopback(b))
}

type Timers = Pick<Partly, "heartbeat_ms" | "view_change_ms">

const timerProblem = ({ heartbeat_ms, view_change_ms }: Timers): string | null =>
  heartbeat_ms === undefined || view_change_ms === undefined || view_change_ms >= 3 * heartbeat_ms
    ? null
    : `expected at least ${3 * heartbeat_ms}, 3 times heartbeat_ms, got ${view_change_ms}`

/** One of less than two beats runs out before it is renewed; a longer one would only hold up failovers. */
const leaseProblem = ({ heartbeat_ms, view_change_ms }: Timers, lease_ms: number | undefined): string | null => {
  if (heartbeat_ms === undefined || view_change_ms === undefined || lease_ms === undefined || lease_ms === 0) return null
  const least = 2 * heartbeat_ms
  if (lease_ms >= least && lease_ms <= view_change_ms) return null
  return `expected 0 for none, or between 2 times heartbeat_ms and view_change_ms (${least} to ${view_change_ms}), got ${lease_ms}`
}

/** Pure, so that the file need not exist. */
const besideFile = (file: string, path: string): string => {
  const folder = /^.*[/\\]/s.exec(file)?.[0] ?? ""
  return /^([/\\]|[A-Za-z]:[/\\])/.test(path) ? path : `${folder}${path}`
}

/** What others are told of an address that this node listens on. */
export const advertisedAddress = (config: Pick<Config, "advertise_host">, bound: string): string => {
  const address = parseAddress(bound, true)
  if (config.advertise_host === null || !address.ok) return bound
  return formatAddress({ host: unbracketed(config.advertise_host), port: address.value.port })
}

/** Whose folder `data_dir` is. */
export const ownerOf = ({ cluster_name, node_name }: Config): Owner => ({ name: node_name, cluster: cluster_name })

export type SetResult =
  | { readonly ok: true; readonly settings: RuntimeSettings }
  /** `not_found`: no such key; `denied`: it is fixed while the node runs; `usage`: the value will not do. */
  | { readonly ok: false; readonly code: "not_found" | "denied" | "usage"; readonly reason: string }

/** `config set <key> <value>`: the settings with one of them changed; of a node with leases that last so long. */
export const setRuntime = (settings: RuntimeSettings, lease_ms: number, key: string, value: string): SetResult => {
  if (!config_keys.includes(key)) {
    return { ok: false, code: "not_found", reason: `${quoted(key)}: ${unknownKeyReason(key)}` }
  }
  if (!isRuntimeKey(key)) {
    const reason = `${key} is fixed while the node runs: change the configuration file and start the node again`
    return { ok: false, code: "denied", reason }
  }
  const parsed = runtimeKeys[key].parse(/^[0-9]+$/.test(value) ? Number(value) : value)
  if (!parsed.ok) return { ok: false, code: "usage", reason: `${key}: ${parsed.reason}` }
  const changed: RuntimeSettings = { ...settings, [key]: parsed.value }
  const slow = timerProblem(changed)
  if (slow !== null) return { ok: false, code: "usage", reason: `view_change_ms: ${slow}` }
  const unfit = leaseProblem(changed, lease_ms)
  return unfit === null ? { ok: true, settings: changed } : { ok: false, code: "usage", reason: `lease_ms: ${unfit}` }
}

const isRuntimeKey = (key: string): key is keyof RuntimeSettings => Object.hasOwn(runtimeKeys, key)
