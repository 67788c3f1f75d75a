/**
 * Several hosts on one machine: a network namespace for each, with one cable to a switch. A cable can be pulled, and what
 * one host sends to another can be lost. What is lost is lost silently: nobody is told that a connection is gone.
 *
 * All of it is in namespaces that belong to one program (`secluded` starts it): its own network, with the switch, its own
 * mounts, with the names of the hosts and all files, and its own processes. The machine's network is not touched, and when
 * that program ends, in whatever way, the kernel ends its nodes and removes the rest.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import type { Host } from "./Cluster.ts"

const network = "10.97.0"
/** Of the program itself, which sits at the switch. */
const own_number = 254
/** No host has it: what is sent there arrives nowhere. */
const nobody = "02:00:00:00:ff:ff"
const probe_timeout_ms = 5_000

const addressOf = (number: number): string => `${network}.${number}`
const macOf = (number: number): string => `02:00:00:00:00:${number.toString(16).padStart(2, "0")}`

/** The machine's `/run` is hidden by one of our own. It is for `ip`, which keeps names there, and for all our files. */
const hide_run = "mount -t tmpfs v2r2-test /run"
const seclusion = [
  "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"
] as const

/** Why this machine cannot do it, in a line, or null. */
export const lacking = (): string | null => {
  if (process.platform !== "linux") return "it needs Linux"
  if (process.getuid?.() !== 0) return "it needs root"
  const tried = [
    hide_run, "ip netns add probe", "ip link add probe type bridge", "ip link add cable type veth peer name cable netns probe"
  ].join(" && ")
  // `unshare` heeds no other signal while it waits.
  const bound = { timeout: probe_timeout_ms, killSignal: "SIGKILL" } as const
  const { error, status, stderr } = spawnSync("unshare", [...seclusion, tried], { encoding: "utf8", ...bound })
  if (status === 0) return null
  return `no network namespaces: ${(error?.message ?? stderr).trim().split("\n")[0] ?? ""}`
}

/**
 * Starts a program of Node.js with a network, files and processes of its own. It should end when its standard input does:
 * so it goes with whoever started it, also if that one is killed.
 */
export const secluded = (parameters: ReadonlyArray<string>): ChildProcess =>
  spawn("unshare", [...seclusion, `${hide_run} && exec "$@"`, "sh", process.execPath, ...parameters], {
    // A process group of its own: after Ctrl-C it has to come to its end by itself, not half of it.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: "/run" }
  })

/** To be used by a program that was started with {@link secluded}. */
export class Hosts {
  readonly all: ReadonlyArray<Host>

  /** Named n1, n2 and so on. */
  constructor(count: number) {
    const numbers = Array.from({ length: count }, (_, index) => index + 1)
    const neighbours = (device: string): ReadonlyArray<string> =>
      // Known beforehand: asking in vain who has an address would end in an error, which no network of routers gives.
      [...numbers, own_number].map((number) => `neigh replace ${addressOf(number)} lladdr ${macOf(number)} dev ${device} nud permanent`)
    batch([], [
      "link set lo up",
      `link add switch address ${macOf(own_number)} type bridge`,
      `addr add ${addressOf(own_number)}/24 dev switch`,
      "link set switch up",
      ...neighbours("switch")
    ])
    for (const number of numbers) {
      const name = `n${number}`
      batch([], [
        `netns add ${name}`,
        `link add ${name} type veth peer name cable address ${macOf(number)} netns ${name}`,
        `link set ${name} master switch up`
      ])
      batch(["-n", name], ["link set lo up", `addr add ${addressOf(number)}/24 dev cable`, "link set cable up", ...neighbours("cable")])
    }
    this.all = numbers.map((number) => ({ address: addressOf(number), within: ["ip", "netns", "exec", `n${number}`] }))
  }

  /** Pulls a host's cable, at the switch. */
  cut(name: string): void {
    batch([], [`link set ${name} down`])
  }

  /** Plugs it in again. */
  heal(name: string): void {
    batch([], [`link set ${name} up`])
  }

  /** From now on, what one host sends to the other is lost; the other direction works. */
  lose(from: string, to: string): void {
    this.deliver(from, to, nobody)
  }

  /** Ends what {@link lose} began. */
  find(from: string, to: string): void {
    this.deliver(from, to, macOf(numberOf(to)))
  }

  private deliver(from: string, to: string, mac: string): void {
    batch(["-n", from], [`neigh replace ${addressOf(numberOf(to))} lladdr ${mac} dev cable nud permanent`])
  }
}

const numberOf = (name: string): number => Number(name.slice(1))

const batch = (options: ReadonlyArray<string>, commands: ReadonlyArray<string>): void => {
  execFileSync("ip", [...options, "-batch", "-"], { input: commands.join("\n"), stdio: ["pipe", "ignore", "inherit"] })
}
