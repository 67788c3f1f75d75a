/**
 * The whole run by time: a strip for each replica, coloured by view, with faults below and the part that is in sight.
 *
 * @module
 */
import { inSight } from "./draw.js"
import { byId, escape, hueOf, lanes, ms, points, rowAt, rows, violation } from "./model.js"

const svg = byId("overview")
const left = 34
const strip = 10
const end = rows.length === 0 ? 1 : Math.max(1, rows.at(-1).at)
const height = lanes.length * strip + 22

const widthNow = () => svg.clientWidth

const xOf = (at) => left + (widthNow() - left - 2) * at / end

const timeOf = (row) => row >= rows.length ? end : rows[row].at

const bandSvg = ({ from, paused, state, to, view }, lane) => {
  const [x1, x2] = [xOf(from === 0 ? 0 : timeOf(from)), xOf(timeOf(to))]
  if (state === "Down") return ""
  const tall = state === "Primary" ? strip - 1 : strip - 5
  const opacity = paused ? 0.3 : state === "Primary" || state === "Backup" ? 1 : 0.45
  return `<rect class="band" style="--h:${hueOf(view)};opacity:${opacity}" x="${x1.toFixed(1)}" width="${Math.max(0.4, x2 - x1).toFixed(1)}" ` +
    `y="${lane * strip + (strip - tall) / 2}" height="${tall}"/>`
}

const colour_of = { fault: "var(--warn)", crash: "var(--bad)", view: "var(--view-change)" }

const pointSvg = ({ kind, row, text }) => {
  const x = xOf(timeOf(row))
  const bottom = lanes.length * strip
  if (kind === "phase") {
    return `<line x1="${x}" x2="${x}" y1="0" y2="${bottom + 7}" stroke="var(--good)" stroke-width="1"><title>${escape(text)}</title></line>`
  }
  return kind === "violation" ? "" : `<rect x="${x - 0.6}" width="1.2" y="${bottom + 2}" height="5" fill="${colour_of[kind]}"/>`
}

const ruler = () => {
  const step = 10 ** Math.floor(Math.log10(end / 2))
  const every = end / step > 8 ? 2 * step : step
  return Array.from({ length: Math.floor(end / every) + 1 }, (_, i) =>
    `<text x="${xOf(i * every)}" y="${height - 3}" text-anchor="${i === 0 ? "start" : "middle"}">${i * every >= 1_000 ? `${i * every / 1_000} s` : `${ms(i * every)} ms`}</text>`).join("")
}

const still = () => lanes.map(({ bands, id }, lane) =>
  `<text x="${left - 6}" y="${lane * strip + strip - 1}" text-anchor="end">${escape(id)}</text>` +
  `<line class="axis" x1="${left}" x2="${widthNow()}" y1="${(lane + 0.5) * strip}" y2="${(lane + 0.5) * strip}"/>` +
  bands.map((band) => bandSvg(band, lane)).join("")).join("")

const violationSvg = () => {
  if (violation === null) return ""
  const x = xOf(violation.at)
  return `<line x1="${x}" x2="${x}" y1="0" y2="${lanes.length * strip + 8}" stroke="var(--bad)" stroke-width="2.5"/>` +
    `<path d="M${x - 5} ${lanes.length * strip + 9}l5 -6l5 6z" fill="var(--bad)"/>`
}

export const drawOverview = () => {
  svg.setAttribute("height", height)
  svg.innerHTML = `${still()}${points.map(pointSvg).join("")}${ruler()}${violationSvg()}<rect class="window" y="0" height="${height - 14}" rx="3"/>`
  moveWindow()
}

export const moveWindow = () => {
  const rect = svg.querySelector(".window")
  if (rect === null || rows.length === 0) return
  const { first, last } = inSight()
  const [x1, x2] = [xOf(timeOf(first)), xOf(timeOf(last))]
  const wide = Math.max(6, x2 - x1)
  rect.setAttribute("x", Math.min((x1 + x2 - wide) / 2, widthNow() - wide - 1))
  rect.setAttribute("width", wide)
}

/** The row at which the pointer points. */
export const rowPointed = (event) => {
  const x = event.clientX - svg.getBoundingClientRect().left
  return rowAt(Math.max(0, Math.min(1, (x - left) / (widthNow() - left - 2))) * end)
}
