/**
 * Rounds of `kill -9`: a client writes without a pause while the primary's node is killed, writes go on through another
 * primary, and the killed node is started again, recovers and takes part. Then the next.
 *
 * A test (`Failover.test.ts`), and a program for users (`npm run chaos`), which can do the rounds of `Blackout.ts` and what is in
 * `Moves.ts` as well.
 *
 * @module
 */
import { parseArgs } from "node:util"
import { connect } from "../../src/client/index.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import { runBlackouts, snapshotsOften } from "./Blackout.ts"
import { Cluster, tenant_name, until } from "./Cluster.ts"
import { movable, moves_nodes, runHandOffs, runMoves } from "./Moves.ts"
import { Workload } from "./Workload.ts"

export interface ChaosReport {
  readonly acknowledged: number
  /** Of each round: the longest time without an acknowledged write, in ms. */
  readonly gaps_ms: ReadonlyArray<number>
  readonly problems: ReadonlyArray<string>
}

const creators = 8
/** Writes that have to be acknowledged before the primary is killed, and after. */
const progress = 100
/** Much longer than a failover takes: an error of the client would be one of the cluster. */
const deadline = "30 seconds"

export const runChaos = async (
  cluster: Cluster,
  rounds: number,
  say: (line: string) => void
): Promise<ChaosReport> => {
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline })
  const workload = await Workload.start(tenant, creators)
  const gaps_ms: Array<number> = []
  try {
    for (let round = 1; round <= rounds && workload.trouble.length === 0; round++) {
      const { line, gap_ms } = await runRound(cluster, workload)
      gaps_ms.push(gap_ms)
      say(`round ${String(round).padStart(2)}: ${line}`)
    }
    const { acknowledged, problems } = await workload.finish()
    return { acknowledged, problems, gaps_ms }
  } finally {
    await tenant.close()
  }
}

const runRound = async (cluster: Cluster, workload: Workload): Promise<{ line: string; gap_ms: number }> => {
  const victim = await cluster.primary()
  await progressOf(workload, "before the kill")
  workload.takeGap()
  await victim.kill()
  const next = await cluster.primary(tenant_name, victim)
  await progressOf(workload, `after ${victim.name} was killed`)
  const gap_ms = Math.round(workload.takeGap())
  const begin = performance.now()
  await victim.start()
  // What was committed when it came back is what it must have before it counts as well again.
  const { commit } = await cluster.replica(next)
  const state = await until(`${victim.name} takes part again`, async () => {
    const replica = await cluster.replica(victim)
    return (replica.state === "backup" || replica.state === "primary") && replica.commit >= commit && replica.state
  })
  const back_ms = Math.round(performance.now() - begin)
  const line = `${victim.name} killed, ${next.name} took over, ${gap_ms} ms without a write; ` +
    `${victim.name} is ${state} again ${back_ms} ms after its start (${workload.count} writes so far)`
  return { line, gap_ms }
}

const progressOf = async (workload: Workload, when: string): Promise<void> => {
  const wanted = workload.count + progress
  await until(`${progress} writes ${when}`, async () => {
    if (workload.trouble.length > 0) return true
    return workload.count >= wanted
  })
}

interface Options {
  readonly rounds: number
  readonly nodes: number
  readonly durability: Durability
  readonly all: boolean
  readonly flip: boolean
  readonly moves: boolean
  readonly handOffs: boolean
}

const help = `npm run chaos -- [options]

Against a fresh cluster of its own; exit code 0 if no acknowledged write was lost, and none was applied twice.

  --rounds N            how often (default 10; with --all 20)
  --nodes N             3 to 7 (default 3)
  --durability D        of the tenant: disk (default) or memory
  --all                 kill all nodes at once, not only the primary's; they have to serve again within 5 s of the last start
                        (these nodes write a snapshot every few hundred writes)
  --flip                with --all: flip a byte of one node's log or snapshots while they are away
  --moves               kill nobody: the tenant grows from 1 to 3 to 5 replicas, moves off the first three of eight nodes, which
                        leave, and shrinks to 3; at most 1 s without a write; --rounds and --nodes do not count
  --hand-offs           kill nobody: hand the lead from one replica to the next, each round; at most 100 ms without a write
  --help                this text`

/** What was promised for a cluster that has lost all its nodes at once. */
const served_within_ms = 5_000
/** What was promised for a change of the group, and for a hand-off of the lead. */
const moved_within_ms = 1_000
const handed_off_within_ms = 100

/** `npm run chaos`, see {@link help}. Gives the exit code. */
export const main = async (parameters: ReadonlyArray<string>): Promise<number> => {
  const options = parseOptions(parameters)
  if (options === null) {
    console.log(help)
    return 0
  }
  if (typeof options === "string") {
    console.error(`chaos: ${options}\n\n${help}`)
    return 2
  }
  const { all, durability, nodes } = options
  console.log(`chaos: one tenant on ${durability}, ${creators + 1} writers; ${intention(options)}`)
  const cluster = options.moves ? await movable(durability) : await Cluster.start({ nodes, durability, flags: all ? snapshotsOften : [] })
  const stop = () => void cluster.close().then(() => process.exit(130))
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    const problems = all ? await blackouts(cluster, options) : await interruptions(cluster, options)
    for (const problem of problems) console.error(`chaos: ${problem}`)
    return problems.length === 0 ? 0 : 1
  } catch (error) {
    console.error(cluster.logs())
    console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await cluster.close()
  }
}

const intention = ({ all, flip, handOffs, moves, nodes, rounds }: Options): string => {
  if (moves) return `through ${moves_nodes} nodes`
  if (handOffs) return `${nodes} nodes, ${rounds} times the lead is handed on`
  const victim = all ? `all nodes${flip ? ", and a byte of one node's files flipped" : ""}` : "the primary's node"
  return `${nodes} nodes, ${rounds} times kill -9 of ${victim}`
}

const interruptions = async (cluster: Cluster, { handOffs, moves, rounds }: Options): Promise<ReadonlyArray<string>> => {
  const say = (line: string) => console.log(line)
  const run = moves ? runMoves(cluster, say) : handOffs ? runHandOffs(cluster, rounds, say) : runChaos(cluster, rounds, say)
  const { acknowledged, gaps_ms, problems } = await run
  const longest_ms = Math.max(0, ...gaps_ms)
  const promised_ms = moves ? moved_within_ms : handOffs ? handed_off_within_ms : Infinity
  const late = longest_ms <= promised_ms ? [] : [`${longest_ms} ms passed without a write, promised are ${promised_ms}`]
  console.log(`${acknowledged} writes acknowledged, ${problems.length} problems; longest gap ${longest_ms} ms`)
  return [...problems, ...late]
}

const blackouts = async (cluster: Cluster, { flip, rounds }: Options): Promise<ReadonlyArray<string>> => {
  const options = { rounds, flip, random: Math.random, say: (line: string) => console.log(line) }
  const { acknowledged, problems, served_ms } = await runBlackouts(cluster, options)
  const longest_ms = Math.max(0, ...served_ms)
  const late = longest_ms <= served_within_ms ? [] : [`it took ${longest_ms} ms to serve again, promised are ${served_within_ms}`]
  console.log(`${acknowledged} writes acknowledged, ${problems.length} problems; served again after ${longest_ms} ms at most`)
  return [...problems, ...late]
}

/** Null: only the help is wanted. A text: what is wrong. */
const parseOptions = (parameters: ReadonlyArray<string>): Options | string | null => {
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: {
        rounds: { type: "string" },
        nodes: { type: "string", default: "3" },
        durability: { type: "string", default: "disk" },
        all: { type: "boolean", default: false },
        flip: { type: "boolean", default: false },
        moves: { type: "boolean", default: false },
        "hand-offs": { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    })
    const { all, durability, flip, "hand-offs": handOffs, moves } = values
    const rounds = Number(values.rounds ?? (all ? 20 : 10))
    const nodes = Number(values.nodes)
    if (values.help) return null
    if (!Number.isInteger(rounds) || rounds < 1) return `--rounds: expected a whole number from 1, got ${values.rounds}`
    if (!Number.isInteger(nodes) || nodes < 3 || nodes > 7) return `--nodes: expected 3 to 7, got ${values.nodes}`
    if (durability !== "disk" && durability !== "memory") return `--durability: expected disk or memory, got ${durability}`
    if (all && durability === "memory") return "--all needs --durability disk: a tenant in memory does not survive it"
    if (flip && !all) return "--flip needs --all"
    if (Number(all) + Number(moves) + Number(handOffs) > 1) return "--all, --moves and --hand-offs are three things"
    return { rounds, nodes, durability, all, flip, moves, handOffs }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
