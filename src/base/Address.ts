/**
 * Addresses as people write them: `host:port`, where the host is a DNS name, an IPv4 address, or an IPv6 address in
 * brackets. Only the form is judged here: names are resolved anew on every dial.
 *
 * @module
 */
import { type Parsed, quoted } from "./Names.ts"

/** `host` is without brackets. */
export interface Address {
  readonly host: string
  /** 1 to 65535; 0 where a listener may choose. */
  readonly port: number
}

const bad = (reason: string): Parsed<never> => ({ ok: false, reason })

const host_bytes_max = 253
const label = /^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/
const octet = /^(0|[1-9][0-9]{0,2})$/
const group = /^[0-9a-fA-F]{1,4}$/
const digits = /^[0-9]+$/
const ipv6Like = /^[0-9a-fA-F.]*:[0-9a-fA-F.:]*$/
const form = "expected host:port, such as 127.0.0.1:2000 or [::1]:2000"

/** Reads `host:port`. With `port0`, port 0 ("any free port") is allowed: good for listening only. */
export const parseAddress = (text: string, port0 = false): Parsed<Address> => {
  if (text === "") return bad(`${form}, got an empty text`)
  const colon = text.lastIndexOf(":")
  if (colon < 0 || text.endsWith("]")) return bad(`${form}, got ${quoted(text)} without a port`)
  const host = text.slice(0, colon)
  const problem = hostProblem(host)
  if (problem !== null) return bad(`${form}, got ${quoted(text)}: ${problem}`)
  const port = Number(text.slice(colon + 1))
  if (!isPort(text.slice(colon + 1)) || port > 65_535 || (port === 0 && !port0)) {
    return bad(`${form}, got ${quoted(text)}: the port is a number from ${port0 ? 0 : 1} to 65535`)
  }
  return { ok: true, value: { host: host.startsWith("[") ? host.slice(1, -1) : host, port } }
}

/** Why `text` is no `host:port`, or null if it is. */
export const addressProblem = (text: string, port0 = false): string | null => {
  const address = parseAddress(text, port0)
  return address.ok ? null : address.reason
}

/** Why `text` cannot stand before the colon of an address, or null if it can. An IPv6 address needs its brackets. */
export const hostProblem = (text: string): string | null => {
  if (text === "") return "the host is missing"
  if (text.startsWith("[")) {
    if (!text.endsWith("]")) return "the bracket is not closed"
    return isIpv6(text.slice(1, -1)) ? null : `${quoted(text.slice(1, -1))} is no IPv6 address`
  }
  if (ipv6Like.test(text)) return "an IPv6 address is written in brackets"
  if (text.length > host_bytes_max) return `a host name has at most ${host_bytes_max} characters, got ${text.length}`
  const labels = text.split(".")
  if (digits.test(labels.at(-1)!)) return isIpv4(text) ? null : `${quoted(text)} is no IPv4 address`
  const wrong = labels.find((part) => !label.test(part))
  return wrong === undefined ? null : `${quoted(wrong)} cannot be part of a host name`
}

/** The one way to write an address: IPv6 in brackets. */
export const formatAddress = (address: Address): string =>
  `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`

/** Does a listener on this host listen on every interface, so that nobody can dial what it is called? */
export const isWildcard = (host: string): boolean => host === "0.0.0.0" || /^[0:]+$/.test(host)

/** No leading zeros: an address has one spelling of its port. */
const isPort = (text: string): boolean => /^(0|[1-9][0-9]{0,4})$/.test(text)

const isIpv4 = (text: string): boolean => {
  const octets = text.split(".")
  return octets.length === 4 && octets.every((part) => octet.test(part) && Number(part) <= 255)
}

/** Eight groups, one run of them replaced by `::`, the last two perhaps written as IPv4. Zones are not supported. */
const isIpv6 = (text: string): boolean => {
  const halves = text.split("::")
  if (halves.length > 2) return false
  const parts = halves.flatMap((half) => half === "" ? [] : half.split(":"))
  const last = parts.at(-1)
  const ipv4 = last !== undefined && !text.endsWith("::") && last.includes(".") && isIpv4(last)
  const groups = ipv4 ? parts.slice(0, -1) : parts
  const count = groups.length + (ipv4 ? 2 : 0)
  return groups.every((part) => group.test(part)) && (halves.length === 2 ? count <= 7 : count === 8)
}
