/**
 * From samples to what is shown: medians over the repetitions, as Markdown tables.
 *
 * @module
 */
import type { Sample, Work } from "./Plan.ts"

/** Over all repetitions. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** One row: shares are of one core, 1 is all of it; those of the machine are of all its cores. */
export interface Row extends Work {
  readonly per_second: Spread
  readonly p50_ms: Spread
  readonly p99_ms: Spread
  readonly p999_ms: Spread
  /** All nodes together. */
  readonly node_cpu_us_per_operation: Spread | null
  readonly busiest_node: Spread | null
  readonly generator: Spread
  readonly machine: Spread
  /** Of one replica, for one write; null for reads, and for systems that do not say. */
  readonly journal_writes: Spread | null
  /** The machine's, without the cluster and its generator. */
  readonly others: Spread | null
}

/** From here on the generator itself is what is measured. */
const generator_is_the_limit = 0.9
/** From here on the machine is too busy with something else. */
const others_disturb = 0.05

export const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** `samples`: of one work, one of each repetition. */
export const rowOf = (samples: ReadonlyArray<Sample>, cores: number): Row => {
  const { connections, operation, outstanding, tenants } = samples[0]!
  const over = (read: (sample: Sample) => number): Spread => spread(samples.map(read))
  const counted = samples.every(({ node_cpu_s }) => node_cpu_s !== null)
  const nodes = (sample: Sample): ReadonlyArray<number> => sample.node_cpu_s ?? []
  const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
  return {
    operation,
    outstanding,
    connections,
    tenants,
    per_second: over(({ elapsed_s, operations }) => operations / elapsed_s),
    p50_ms: over(({ p50_ms }) => p50_ms),
    p99_ms: over(({ p99_ms }) => p99_ms),
    p999_ms: over(({ p999_ms }) => p999_ms),
    node_cpu_us_per_operation: counted ? over((sample) => sum(nodes(sample)) * 1e6 / sample.operations) : null,
    busiest_node: counted ? over((sample) => Math.max(...nodes(sample)) / sample.elapsed_s) : null,
    generator: over(({ elapsed_s, generator_cpu_s }) => generator_cpu_s / elapsed_s),
    journal_writes: samples.every(({ journal_writes }) => journal_writes !== null)
      ? over(({ journal_writes }) => journal_writes ?? 0)
      : null,
    machine: over(({ elapsed_s, machine_cpu_s }) => machine_cpu_s / elapsed_s / cores),
    others: counted
      ? over((sample) =>
        (sample.machine_cpu_s - sample.generator_cpu_s - sum(nodes(sample))) / sample.elapsed_s / cores)
      : null
  }
}

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US")
export const ms = (value: number): string => value.toFixed(2)
const percent = ({ median }: Spread): string => `${Math.round(median * 100)} %`

/** As "write, 64 outstanding", over one connection, or "…, over 64". */
export const nameOf = ({ connections, operation, outstanding, tenants }: Work): string => {
  const work = `${operation}, ${outstanding} outstanding${connections === 1 ? "" : `, over ${connections}`}`
  return tenants === 1 ? work : `${work}, ${tenants} tenants`
}

/** Aligned for people, and Markdown for documents. */
export const table = (columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" | ")} |`
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)
  return [line(columns), line(rule), ...rows.map(line)].join("\n")
}

/** As "1,234–5,678". */
export const range = ({ max, min }: Spread): string => `${whole(min)}–${whole(max)}`

export const rowsTable = (rows: ReadonlyArray<Row>): string =>
  table(
    [
      "work", "per second", "(min–max)", "p50 ms", "p99 ms", "p99.9 ms", "journal writes each", "nodes, µs CPU each", "busiest node",
      "generator", "machine"
    ],
    rows.map(({ busiest_node, node_cpu_us_per_operation: cpu, per_second, ...row }) => [
      nameOf(row),
      whole(per_second.median),
      range(per_second),
      ms(row.p50_ms.median),
      ms(row.p99_ms.median),
      ms(row.p999_ms.median),
      row.journal_writes === null ? "–" : row.journal_writes.median.toFixed(3),
      cpu === null ? "–" : whole(cpu.median),
      busiest_node === null ? "–" : percent(busiest_node),
      `${percent(row.generator)}${isGeneratorBound(row) ? " (!)" : ""}`,
      percent(row.machine)
    ])
  )

const isGeneratorBound = ({ generator }: Pick<Row, "generator">): boolean => generator.median >= generator_is_the_limit

/** What to know about the rows, in words; one line each. */
export const remarks = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const bound = rows.filter(isGeneratorBound).map(nameOf)
  const disturbance = Math.max(0, ...rows.map(({ others }) => others?.max ?? 0))
  return [
    bound.length === 0
      ? `The generator never used ${Math.round(generator_is_the_limit * 100)} % of a core: it was not the limit.`
      : `(!) The generator, which has one core at most, is the limit here, not the cluster: ${bound.join("; ")}.`,
    ...disturbance < others_disturb
      ? []
      : [`Other processes used up to ${Math.round(disturbance * 100)} % of the machine meanwhile: repeat this when it is quiet.`]
  ]
}
