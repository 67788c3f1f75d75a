/**
 * The keys of `config.json`, one by one: what each means, what it may be, and what it is if it is left out.
 *
 * @module
 */
import { addressProblem, hostProblem, isWildcard } from "../base/Address.ts"
import { nameProblem, type Parsed, quoted } from "../base/Names.ts"
import { nearest } from "../base/Suggest.ts"

export const log_levels = ["trace", "debug", "info", "warn", "error", "fatal", "none"] as const
export const log_formats = ["pretty", "json"] as const
export type LogLevel = (typeof log_levels)[number]
export type LogFormat = (typeof log_formats)[number]

/** What `config set` may change while the node runs. */
export interface RuntimeSettings {
  /** A primary that has nothing to send sends this often. */
  readonly heartbeat_ms: number
  /** Silence of a primary after which its backups ask for a view change (about: it is randomised). At least 3 beats. */
  readonly view_change_ms: number
  /** Nodes exchange members and tenants this often, beside every change at once. */
  readonly gossip_ms: number
  readonly log_level: LogLevel
}

export interface Config extends RuntimeSettings {
  /** Unique in the cluster. */
  readonly node_name: string
  /** Nodes talk only to nodes of the same cluster name. */
  readonly cluster_name: string
  /** `host:port` to listen on, for admin tools, clients, other nodes' gossip, and other nodes' replication. */
  readonly admin_host: string
  readonly client_host: string
  readonly cluster_host: string
  readonly peer_host: string
  /** Where the node keeps its state: its own folder. In the file, relative to the file. */
  readonly data_dir: string
  /** What others dial instead of the hosts above; null: those. */
  readonly advertise_host: string | null
  readonly log_format: LogFormat
  /**
   * For so long backups promise a primary to elect no other, and it may read without asking them; 0: it asks. Between 2 beats
   * and `view_change_ms`.
   */
  readonly lease_ms: number
}

/** How to read one key. Without a `default` it must be there. */
export interface Key<A> {
  readonly parse: (value: unknown) => Parsed<A>
  readonly expected: string
  readonly default?: A
}

const bad = (reason: string): Parsed<never> => ({ ok: false, reason })

/** A value of the file, fit to be shown in one line. */
export const shown = (value: unknown): string => {
  if (typeof value === "string") return quoted(value)
  if (Array.isArray(value)) return "a list"
  return typeof value === "object" && value !== null ? "an object" : String(value)
}

const text = (expected: string, problem: (text: string) => string | null): Key<string> => ({
  expected,
  parse: (value) => {
    if (typeof value !== "string") return bad(`expected ${expected}, got ${shown(value)}`)
    const reason = problem(value)
    return reason === null ? { ok: true, value } : bad(reason)
  }
})

const milliseconds = (min: number, max: number, standard: number): Key<number> => {
  const expected = `a whole number of milliseconds from ${min} to ${max}`
  return {
    expected,
    default: standard,
    parse: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
        ? { ok: true, value }
        : bad(`expected ${expected}, got ${shown(value)}`)
  }
}

const oneOf = <const A extends string>(options: ReadonlyArray<A>, standard: A): Key<A> => {
  const expected = `one of ${options.join(", ")}`
  return {
    expected,
    default: standard,
    parse: (value) => {
      const option = options.find((option) => option === value)
      if (option !== undefined) return { ok: true, value: option }
      const near = typeof value === "string" ? nearest(value, options) : undefined
      return bad(`expected ${expected}, got ${shown(value)}${near === undefined ? "" : `; did you mean ${near}?`}`)
    }
  }
}

const address = (use: string): Key<string> => text(`host:port ${use}`, addressProblem)

/** What `config set` may change. */
export const runtimeKeys: { readonly [K in keyof RuntimeSettings]: Key<RuntimeSettings[K]> } = {
  heartbeat_ms: milliseconds(10, 10_000, 100),
  view_change_ms: milliseconds(30, 60_000, 500),
  gossip_ms: milliseconds(10, 60_000, 1_000),
  log_level: oneOf(log_levels, "info")
}

export const keys: { readonly [K in keyof Config]: Key<Config[K]> } = {
  node_name: text(`a name for this node, such as "dev1"`, nameProblem),
  cluster_name: text(`the name of the cluster, such as "dev"`, nameProblem),
  admin_host: address("for admin tools"),
  client_host: address("for clients"),
  cluster_host: address("for the gossip of other nodes"),
  peer_host: address("for the replication from other nodes"),
  data_dir: text("a folder for this node's state", (path) =>
    path === "" ? "expected a folder, got an empty text" : null),
  advertise_host: {
    ...text("the host that others dial", (host) => {
      const problem = hostProblem(host)
      if (problem !== null) return `expected a host without a port, got ${quoted(host)}: ${problem}`
      return isWildcard(unbracketed(host)) ? `expected a host that others can dial, got ${quoted(host)}` : null
    }),
    default: null
  },
  ...runtimeKeys,
  log_format: oneOf(log_formats, "pretty"),
  lease_ms: milliseconds(0, 60_000, 0)
}

/** In the order of the documentation. */
export const config_keys: ReadonlyArray<string> = Object.keys(keys)

/** For a key that is none. */
export const unknownKeyReason = (key: string): string => {
  const near = nearest(key, config_keys)
  return `unknown key; ${near === undefined ? `the keys are ${config_keys.join(", ")}` : `did you mean ${near}?`}`
}

/** The host without the brackets that an IPv6 address has beside a port. */
export const unbracketed = (host: string): string => host.startsWith("[") ? host.slice(1, -1) : host
