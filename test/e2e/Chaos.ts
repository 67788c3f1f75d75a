/**
 * Rounds of `kill -9`: a client writes without a pause while the primary's node is killed, writes go on through another
 * primary, and the killed node is started again, recovers and takes part. Then the next.
 *
 * A test (`Failover.test.ts`), and a program for users (`npm run chaos`).
 *
 * @module
 */
import { parseArgs } from "node:util"
import { connect } from "../../src/client/index.ts"
import { Cluster, tenant_name, until } from "./Cluster.ts"
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

/** `npm run chaos -- [--rounds N] [--nodes N]`: exit code 0 if nothing was lost and nothing was applied twice. */
export const main = async (parameters: ReadonlyArray<string>): Promise<number> => {
  const options = parseOptions(parameters)
  if (typeof options === "string") {
    console.error(`chaos: ${options}\n  npm run chaos -- [--rounds N] [--nodes N]`)
    return 2
  }
  const { nodes, rounds } = options
  console.log(`chaos: ${nodes} nodes, one tenant, ${creators + 1} writers; ${rounds} times kill -9 of the primary's node`)
  const cluster = await Cluster.start({ nodes })
  const stop = () => void cluster.close().then(() => process.exit(130))
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    const { acknowledged, gaps_ms, problems } = await runChaos(cluster, rounds, (line) => console.log(line))
    for (const problem of problems) console.error(`chaos: ${problem}`)
    const longest_ms = Math.max(0, ...gaps_ms)
    console.log(`${acknowledged} writes acknowledged, ${problems.length} problems; longest gap ${longest_ms} ms`)
    return problems.length === 0 ? 0 : 1
  } catch (error) {
    console.error(cluster.logs())
    console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await cluster.close()
  }
}

const parseOptions = (
  parameters: ReadonlyArray<string>
): { readonly rounds: number; readonly nodes: number } | string => {
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: { rounds: { type: "string", default: "10" }, nodes: { type: "string", default: "3" } }
    })
    const rounds = Number(values.rounds)
    const nodes = Number(values.nodes)
    if (!Number.isInteger(rounds) || rounds < 1) return `--rounds: expected a whole number from 1, got ${values.rounds}`
    if (!Number.isInteger(nodes) || nodes < 3 || nodes > 7) return `--nodes: expected 3 to 7, got ${values.nodes}`
    return { rounds, nodes }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
