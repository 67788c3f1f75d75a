/**
 * The throughput as a chart (SVG): one panel for each operation, in it a group of bars for each number of calls under way,
 * in it a bar for each system, as high as the median, with a line from the least to the most.
 *
 * @module
 */
import type { Options } from "./Options.ts"
import type { Operation } from "./Plan.ts"
import type { Summary } from "./Summary.ts"
import type { Row, Spread } from "./Tables.ts"

interface Series {
  readonly name: string
  readonly rows: ReadonlyArray<Row>
}

/** That the colour-blind can tell apart (Okabe and Ito). */
const colours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#999999"]
const ink = "#333333"
const faint = "#dddddd"

const width = 960
const margin = { left: 76, right: 20, top: 92, bottom: 34 }
const panel = { height: 190, title: 30, labels: 26, apart: 22 }
const bar_width_max = 52
/** Of a group's room; the rest is between groups. */
const bars_share = 0.78
const ticks_wanted = 4

const titles: Readonly<Record<Operation, string>> = {
  write: "Writes",
  read: "Linearizable reads",
  mix: "Nine reads to a write"
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

interface TextStyle {
  readonly size?: number
  readonly anchor?: "start" | "middle" | "end"
  readonly bold?: boolean
  /** Readable over lines: with a white edge. */
  readonly edge?: boolean
}

const text = (
  x: number,
  y: number,
  content: string,
  { anchor = "start", bold = false, edge = false, size = 12 }: TextStyle = {}
): string => {
  const more = `${bold ? ` font-weight="bold"` : ""}${edge ? ` paint-order="stroke" stroke="#ffffff" stroke-width="4"` : ""}`
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" text-anchor="${anchor}"${more}>${escaped(content)}</text>`
}

const line = (x1: number, y1: number, x2: number, y2: number, colour: string, thickness = 1): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ` +
  `stroke="${colour}" stroke-width="${thickness}"/>`

/** The distance of ticks: 1, 2 or 5 times a power of ten. */
export const tickOf = (max: number): number => {
  const rough = max / ticks_wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((factor) => factor * power).find((tick) => tick >= rough) ?? rough
}

/** In few signs: "883", "1.2k", "61k", "1.2M". */
export const short = (value: number): string => {
  const [scaled, unit] = value >= 999_500 ? [value / 1e6, "M"] : value >= 999.5 ? [value / 1e3, "k"] : [value, ""]
  const digits = unit !== "" && scaled < 99.95 ? 1 : 0
  return `${scaled.toFixed(digits).replace(/\.0$/, "")}${unit}`
}

/** One for each system, and each of its ways to connect if there are two of them. Works of several tenants are left out. */
const seriesOf = ({ connections }: Options, summaries: ReadonlyArray<Summary>): ReadonlyArray<Series> =>
  summaries.flatMap(({ name, rows }, index) => {
    const single = rows.filter(({ tenants }) => tenants === 1)
    if (index > 0 || connections.length === 1) return [{ name, rows: single }]
    return [
      { name: `${name}, one connection`, rows: single.filter((row) => row.connections === 1) },
      { name: `${name}, a connection for each call`, rows: single.filter((row) => row.connections > 1) }
    ]
  })

const legend = (series: ReadonlyArray<Series>): string => {
  let x = margin.left
  return series.map(({ name }, index) => {
    const at = x
    x += 34 + 7.2 * name.length
    return `<rect x="${at}" y="58" width="12" height="12" fill="${colours[index % colours.length]}"/>${text(at + 18, 68.5, name)}`
  }).join("\n")
}

/** Median, and what was least and most. */
const barOf = (x: number, barWidth: number, colour: string, { max, median, min }: Spread, yOf: (value: number) => number): string => {
  const middle = x + barWidth / 2
  const cap = Math.min(5, barWidth / 4)
  const [top, bottom] = [yOf(max), yOf(min)]
  return [
    `<rect x="${x.toFixed(1)}" y="${yOf(median).toFixed(1)}" width="${barWidth.toFixed(1)}" ` +
    `height="${(yOf(0) - yOf(median)).toFixed(1)}" fill="${colour}"/>`,
    line(middle, top, middle, bottom, ink, 1.2),
    line(middle - cap, top, middle + cap, top, ink, 1.2),
    line(middle - cap, bottom, middle + cap, bottom, ink, 1.2),
    text(middle, top - 5, short(median), { anchor: "middle", size: 11, edge: true })
  ].join("\n")
}

const panelOf = (operation: Operation, { outstanding }: Options, series: ReadonlyArray<Series>, top: number): string => {
  const rowOf = (one: Series, calls: number): Row | undefined =>
    one.rows.find((row) => row.operation === operation && row.outstanding === calls)
  const most = Math.max(1, ...series.flatMap(({ rows }) =>
    rows.flatMap((row) => row.operation === operation ? [row.per_second.max] : [])))
  const tick = tickOf(most)
  const ceiling = Math.ceil(most / tick) * tick
  const [upper, lower] = [top + panel.title, top + panel.title + panel.height]
  const yOf = (value: number): number => lower - value / ceiling * panel.height
  const ticks = Array.from({ length: Math.round(ceiling / tick) + 1 }, (_, i) => i * tick)
  const groupWidth = (width - margin.left - margin.right) / outstanding.length
  const groups = outstanding.map((calls, index) => {
    const bars = series.flatMap((one, number) => {
      const row = rowOf(one, calls)
      return row === undefined ? [] : [{ spread: row.per_second, colour: colours[number % colours.length]! }]
    })
    const barWidth = Math.min(bar_width_max, groupWidth * bars_share / Math.max(1, bars.length))
    const middle = margin.left + groupWidth * (index + 0.5)
    const start = middle - barWidth * bars.length / 2
    return [
      ...bars.map(({ colour, spread }, i) => barOf(start + i * barWidth + 1, barWidth - 2, colour, spread, yOf)),
      text(middle, lower + 18, `${calls} outstanding`, { anchor: "middle" })
    ].join("\n")
  })
  return [
    text(margin.left, upper - 16, `${titles[operation]}, per second`, { bold: true, size: 14 }),
    ...ticks.map((value) =>
      `${line(margin.left, yOf(value), width - margin.right, yOf(value), value === 0 ? ink : faint)}\n` +
      text(margin.left - 8, yOf(value) + 4, value.toLocaleString("en-US"), { anchor: "end" })),
    ...groups
  ].join("\n")
}

export const chartOf = (options: Options, summaries: ReadonlyArray<Summary>): string => {
  const series = seriesOf(options, summaries)
  const step = panel.title + panel.height + panel.labels + panel.apart
  const height = margin.top + options.operations.length * step - panel.apart + margin.bottom
  const { durability, repetitions, seconds } = options
  const subtitle = `Durability ${durability}, three nodes on one machine; medians of ${repetitions} (rounds of ${seconds} s), ` +
    `lines from the least to the most`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif" fill="${ink}">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(margin.left, 28, "Throughput, values of 256 bytes over 1,000 keys", { bold: true, size: 17 }),
    text(margin.left, 47, subtitle),
    legend(series),
    ...options.operations.map((operation, i) => panelOf(operation, options, series, margin.top + i * step)),
    "</svg>\n"
  ].join("\n")
}
