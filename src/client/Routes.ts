/**
 * Where to look for the primary: which addresses are known, which was tried, and what came of it. Pure.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { TenantListing } from "../wire/ClientProtocol.ts"
import type { Attempt } from "./Errors.ts"

/** What one client knows of the cluster's addresses. A node may have several; the one that worked is used. */
export class AddressBook {
  private readonly endpoints: ReadonlyArray<string>
  private readonly nodeAt = new Map<string, string>()
  /** By node: where it was reached, and where it says (or others say) that it is. */
  private readonly reached = new Map<string, string>()
  private readonly advertised = new Map<string, string>()
  private tenants: ReadonlyArray<TenantListing> = []

  constructor(endpoints: ReadonlyArray<string>) {
    this.endpoints = endpoints
  }

  /** A connection to `address` stands, and `node` is there. */
  connected(address: string, node: string): void {
    this.note(this.nodeAt, address, node)
    this.note(this.reached, node, address)
  }

  /** `address` does not answer: whoever was reached there may be elsewhere. */
  unreachable(address: string): void {
    const node = this.nodeAt.get(address)
    if (node !== undefined && this.reached.get(node) === address) this.reached.delete(node)
    this.nodeAt.delete(address)
  }

  /** Somebody says that `node` is at `address`; an empty one means that nobody knows. */
  told(node: string, address: string): void {
    if (address !== "") this.note(this.advertised, node, address)
  }

  listed(tenants: ReadonlyArray<TenantListing>): void {
    this.tenants = tenants
    for (const { replicas } of tenants) for (const { node, address } of replicas) this.told(node, address)
  }

  /** The id and name of a tenant, once a node has listed it. */
  tenant(nameOrId: string): TenantListing | undefined {
    return this.tenants.find(({ id, name }) => id === nameOrId || name === nameOrId)
  }

  /** The address to use for `node`, which was said to be at `address`. */
  resolve(node: string, address: string): string {
    return this.reached.get(node) ?? address
  }

  /** Every address worth trying for this tenant, each node once: the endpoints, its replicas, then everybody else. */
  candidates(nameOrId: string | null): ReadonlyArray<string> {
    const found = new Set<string>()
    for (const endpoint of this.endpoints) {
      const node = this.nodeAt.get(endpoint)
      found.add(node === undefined ? endpoint : this.resolve(node, endpoint))
    }
    const replicas = nameOrId === null ? [] : this.tenant(nameOrId)?.replicas ?? []
    for (const { node, address } of replicas) {
      const known = this.resolve(node, address)
      if (known !== "") found.add(known)
    }
    for (const [node, address] of this.advertised) found.add(this.resolve(node, address))
    return [...found]
  }

  private note(map: Map<string, string>, key: string, value: string): void {
    if (map.has(key) || map.size < Limits.members_known_max) map.set(key, value)
  }
}

/**
 * One search for one primary. It goes in rounds: in each, every address is tried at most once, and a redirect decides
 * who is next. A round in which nobody helped is followed by a pause.
 */
export class Route {
  /** Since the last success: why the address did not help. */
  private readonly failures = new Map<string, string>()
  private readonly round = new Set<string>()
  private preferred: string | null = null
  private pause_ms: number = Limits.client_backoff_min_ms
  /** The address that is being tried, and how far that has come. */
  private current: Attempt | null = null

  /** The next address of this round, or null: the round is over. The next call begins another one. */
  next(candidates: ReadonlyArray<string>): string | null {
    const preferred = this.preferred
    this.preferred = null
    const address = preferred !== null && !this.round.has(preferred)
      ? preferred
      : candidates.find((candidate) => !this.round.has(candidate))
    if (address === undefined) {
      this.round.clear()
      return null
    }
    this.round.add(address)
    return address
  }

  /** How long to wait after a round that failed: doubles each time. Milliseconds, before jitter. */
  backOff(): number {
    const pause_ms = this.pause_ms
    this.pause_ms = Math.min(2 * pause_ms, Limits.client_backoff_max_ms)
    return pause_ms
  }

  /** For the error message, if time runs out now. How the last attempt at this address ended says more. */
  dialling(endpoint: string): void {
    this.current = this.failures.has(endpoint) ? null : { endpoint, reason: "still connecting" }
  }

  /** The same: there is a connection, but `reason`. */
  waiting(endpoint: string, reason: string): void {
    this.current = { endpoint, reason }
  }

  failed(address: string, reason: string): void {
    this.current = null
    this.failures.set(address, reason)
  }

  /** `from` sends us to `to`, which is tried next, unless this round has seen it. */
  redirected(from: string, to: string, node: string): void {
    this.failed(from, `says that the primary is ${node} (${to})`)
    this.preferred = to === "" ? null : to
  }

  /** A node asked us to wait: it is we who are early, so the pauses begin small again. */
  delayed(address: string, reason: string): void {
    this.failed(address, reason)
    this.pause_ms = Limits.client_backoff_min_ms
  }

  /** `address` serves us: what happened before is history, and if it fails, others are asked first. */
  succeeded(address: string): void {
    this.failures.clear()
    this.round.clear()
    this.round.add(address)
    this.pause_ms = Limits.client_backoff_min_ms
  }

  /** Try this one next, even though it was tried. */
  stay(address: string): void {
    this.round.delete(address)
    this.preferred = address
  }

  /** What was tried since the last success, and what is being tried, in the order of the first attempts. */
  get attempts(): ReadonlyArray<Attempt> {
    const reasons = new Map(this.failures)
    if (this.current !== null) reasons.set(this.current.endpoint, this.current.reason)
    return [...reasons].map(([endpoint, reason]) => ({ endpoint, reason }))
  }
}

/** What to do next, from what was tried. */
export const hintFor = (attempts: ReadonlyArray<Attempt>): string => {
  const every = (pattern: RegExp): boolean => attempts.length > 0 && attempts.every(({ reason }) => pattern.test(reason))
  const some = (pattern: RegExp): boolean => attempts.some(({ reason }) => pattern.test(reason))
  if (attempts.length === 0) return "No endpoint is known: give the client address of at least one node."
  if (some(/wrong cluster/)) return "Give the addresses of nodes of the cluster that is meant, or its right name."
  if (some(/wrong protocol/)) return "Give the client addresses of the nodes, not those of another of their ports."
  if (every(/refused/)) return "Is a node running there? Check the addresses, or start the nodes."
  if (some(/primary/)) return "Fewer than a majority of the tenant's replicas may be up: see \"v2r2-admin <address> status\"."
  if (every(/timed out|no hello|unreachable|not found/)) return "Check the addresses and the network between."
  return "Try again, allow more time, or see \"v2r2-admin <address> status\"."
}
