/**
 * Whole nodes with fresh seeds, for as long as it is told, or one seed with its trace:
 * `node test/simulation/nodes/main.ts [--minutes M] [--seed S]`.
 *
 * @module
 */
import { parseArgs } from "node:util"
import { nodes } from "./Nodes.ts"

export { nodes }

if (import.meta.main) {
  const { values } = parseArgs({ options: { minutes: { type: "string" }, seed: { type: "string" } } })
  const seed = values.seed === undefined ? null : Number(values.seed)
  const isWell = await nodes({ minutes: Number(values.minutes ?? 1), seed, print: console.log })
  process.exitCode = isWell ? 0 : 1
}
