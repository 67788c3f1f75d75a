/**
 * The lanes: time goes down, a row for each step. Only what is in sight is drawn.
 *
 * @module
 */
import { arrows, bandAt, briefly, byId, escape, hueOf, isShown, lanes, model, ms, rows, shown, violation } from "./model.js"

const gutter = 122
/** Rows that are lower have no room for words. */
const words_min = 12
const svg = byId("lanes")
const scroller = byId("scroller")

/** Where things stand across the page. */
export const layout = () => {
  const width = scroller.clientWidth
  const [most, words] = shown.height < words_min ? [220, 20] : [132, 390]
  const lane = Math.max(50, Math.min(most, (width - gutter - words) / lanes.length))
  return { width, lane, text: gutter + lane * lanes.length + 12, height: scroller.clientHeight }
}

const laneX = (lane, { lane: width }) => gutter + width * (lane + 0.5)

/** How far it is scrolled, as long as one drawing takes. */
let top = 0

const yOf = (place) => place * shown.height - top

const middleOf = (row) => yOf(shown.placeOf[row]) + shown.height / 2

const patterns = `<defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="3" height="6" fill="var(--panel)" opacity="0.75"/></pattern>
<pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse"><circle cx="2.5" cy="2.5" r="1.4" fill="var(--panel)"/></pattern>
</defs>`

const overlay = { ViewChange: "hatch", StateTransfer: "dots", Recovery: "dots" }

const bandSvg = ({ from, paused, state, to, view }, x, height) => {
  const [above, below] = [Math.max(-20, yOf(shown.placeOf[from])), Math.min(height + 20, yOf(shown.placeOf[to]))]
  if (below <= above) return ""
  if (state === "Down") return `<line class="axis down" x1="${x}" x2="${x}" y1="${above}" y2="${below}"/>`
  const wide = state === "Primary" ? 18 : 8
  const place = `x="${x - wide / 2}" y="${above}" width="${wide}" height="${below - above}" rx="2"`
  const label = yOf(shown.placeOf[from]) >= 0 && from > 0 && shown.height >= words_min
    ? `<text class="time" x="${x - wide / 2 - 4}" y="${above + Math.min(shown.height, 20) / 2 + 4}">${paused ? "paused" : `v${view}`}</text>`
    : ""
  const pattern = overlay[state]
  return `<rect class="band${paused ? " paused" : ""}" style="--h:${hueOf(view)}" ${place}/>` +
    (pattern === undefined ? "" : `<rect class="${pattern}" ${place}/>`) + label
}

const bandsSvg = (view) => lanes.map(({ bands }, lane) => {
  const x = laneX(lane, view)
  return bands.filter(({ from, to }) => yOf(shown.placeOf[to]) >= 0 && yOf(shown.placeOf[from]) <= view.height)
    .map((band) => bandSvg(band, x, view.height)).join("")
}).join("")

/** An arrow that nobody received ends in a cross, further out for who is further away. */
const lostSvg = (classes, [x1, y1], far, lane) => {
  const x = x1 + Math.sign(far) * lane * (0.22 + 0.1 * Math.abs(far))
  const y = y1 + Math.min(10, shown.height * 0.5) + 1.5 * Math.abs(far)
  return `<path class="arrow lost ${classes}" d="M${x1} ${y1}L${x} ${y}"/>` +
    `<path class="cross" d="M${x - 2.5} ${y - 2.5}l5 5m0 -5l-5 5"/>`
}

const headSvg = (classes, x, y, [dx, dy]) => {
  const [bx, by] = [x - dx * 8, y - dy * 8]
  return `<path class="head ${classes}" d="M${x} ${y}L${bx - dy * 3.6} ${by + dx * 3.6}L${bx + dy * 3.6} ${by - dx * 3.6}Z"/>`
}

const wholeSvg = (classes, [x1, y1], [x2, y2]) => {
  const length = Math.hypot(x2 - x1, y2 - y1)
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length]
  return `<path class="arrow ${classes}" d="M${x1} ${y1}L${x2 - dx * 8} ${y2 - dy * 8}"/>${headSvg(classes, x2, y2, [dx, dy])}`
}

/** An arrow that is long under way: only how it leaves, and how it arrives. */
const farSvg = (classes, [x1, y1], [x2, y2], { height, lane }) => {
  const side = Math.sign(x2 - x1)
  const [dx, dy] = [lane * 0.26, Math.min(9, shown.height * 0.45)]
  const length = Math.hypot(dx, dy)
  const leaves = y1 < -20 || y1 > height + 20 ? "" : `<path class="arrow far ${classes}" d="M${x1} ${y1}l${side * dx} ${dy}"/>`
  if (y2 < -20 || y2 > height + 20) return leaves
  return `${leaves}<path class="arrow far ${classes}" d="M${x2 - side * dx} ${y2 - dy}L${x2 - side * 6} ${y2 - dy * 6 / dx}"/>` +
    headSvg(classes, x2, y2, [side * dx / length, dy / length])
}

const arrowSvg = (arrow, isOn, view, far) => {
  const { copy, family, from, receiver, sender, to } = arrow
  const side = receiver > sender ? 1 : -1
  const [x1, y1] = [laneX(sender, view) + side * 6, middleOf(from)]
  const classes = `f${family}${copy ? " copy" : ""}${isOn ? " on" : ""}`
  if (to === -1) return lostSvg(classes, [x1, y1], receiver - sender, view.lane)
  const [x2, y2] = [laneX(receiver, view) - side * 8, middleOf(to)]
  return !isOn && y2 - y1 > far ? farSvg(classes, [x1, y1], [x2, y2], view) : wholeSvg(classes, [x1, y1], [x2, y2])
}

/** Where many messages are under way for long, whole arrows would hide everything. */
const crowd_min = 250

const arrowsSvg = (first, last, focus, view) => {
  const within = (row) => first <= row && row <= last
  const near = arrows.filter((arrow) => isShown(arrow) && (within(arrow.from) || within(arrow.to) || arrow.from === focus))
  const far = view.height * (near.length > crowd_min ? 0.15 : 0.6)
  return near.map((arrow) => arrowSvg(arrow, arrow.from === focus || arrow.to === focus, view, far)).join("")
}

const dotSvg = (index, x, y) => {
  const { step, text } = rows[index]
  const broken = violation !== null && index === violation.row
  if (broken) return `<circle class="burst" cx="${x}" cy="${y}" r="10"/><circle class="dot bad" cx="${x}" cy="${y}" r="5"/>`
  if (step > 0) return `<circle class="dot${text === "" ? "" : " changed"}" cx="${x}" cy="${y}" r="${text === "" ? 2.8 : 3.8}"/>`
  return text.includes("crash")
    ? `<path class="crash" d="M${x - 5} ${y - 5}l10 10m0 -10l-10 10"/>`
    : `<rect class="dot" x="${x - 4}" y="${y - 4}" width="8" height="8" transform="rotate(45 ${x} ${y})"/>`
}

const whatSvg = (index, x, y) => {
  const { commits, lane, step, text, who } = rows[index]
  const id = lane === -1 ? who : lanes[lane].id
  if (violation !== null && index === violation.row) {
    return `<text class="what" x="${x}" y="${y}"><tspan class="bad">✗ ${escape(violation.message)}</tspan></text>`
  }
  if (step === 0) return `<text class="what" x="${x}" y="${y}"><tspan class="fault">${escape(id)} ${escape(text)}</tspan></text>`
  const committed = commits === undefined ? "" : ` · ✓ ${commits[0] === commits[1] ? "op" : `ops ${commits[0]}–`}${commits[0] === commits[1] ? " " : ""}${commits[1]}`
  const change = text === "" ? "" : `<tspan class="change">${escape(text)}${committed}</tspan>  `
  return `<text class="what" x="${x}" y="${y}" xml:space="preserve">${escape(id)}  ${change}${escape(briefly(index))}</text>`
}

const rowSvg = (index, view) => {
  const { at, commits, lane, step } = rows[index]
  const y = middleOf(index)
  const large = shown.height >= words_min
  const x = lane === -1 ? undefined : laneX(lane, view)
  return (large ? `<text class="time" x="68" y="${y + 4}">${ms(at)}</text>` : "") +
    (large && step > 0 ? `<text class="number" x="112" y="${y + 4}">#${step}</text>` : "") +
    (x === undefined ? "" : dotSvg(index, x, y)) +
    (large && commits !== undefined ? `<text class="commit" x="${x + 13}" y="${y + 3.5}">✓${commits[1]}</text>` : "") +
    (large ? whatSvg(index, view.text, y + 4) : "")
}

const strip = (row, css, width) =>
  row < 0 ? "" : `<rect class="${css}" x="0" y="${yOf(shown.placeOf[row])}" width="${width}" height="${shown.height}"/>`

const stripsSvg = (indices, { width }) =>
  indices.filter((index) => rows[index].lane === -1).map((index) => strip(index, "row-fault", width)).join("") +
  strip(shown.hovered, "row-hover", width) + strip(shown.selected, "row-select", width) +
  (violation === null ? "" : strip(violation.row, "row-bad", width))

const headsHtml = (view, row) => lanes.map(({ id }, lane) => {
  const { paused, state, view: number } = bandAt(lane, row)
  const what = state === "Down" ? "down" : `${state}${paused ? ", paused" : ""} v${number}`
  return `<div style="left:${laneX(lane, view)}px"><b>${escape(id)}</b><small>${view.lane < 70 ? `v${number}` : escape(what)}</small></div>`
}).join("")

/** Rows in sight: the first and the last one. */
export const inSight = () => {
  const { placeOf, visible } = shown
  const first = Math.floor(scroller.scrollTop / shown.height)
  const last = Math.ceil((scroller.scrollTop + scroller.clientHeight) / shown.height)
  return { first: visible[Math.min(first, visible.length - 1)] ?? 0, last: visible[Math.min(last, visible.length - 1)] ?? placeOf.length - 2 }
}

export const draw = () => {
  top = scroller.scrollTop
  const view = layout()
  const { first, last } = inSight()
  const indices = shown.visible.slice(Math.max(0, shown.placeOf[first] - 1), shown.placeOf[last] + 2)
  const focus = shown.hovered >= 0 ? shown.hovered : shown.selected
  byId("spacer").style.height = `${Math.max(view.height, shown.visible.length * shown.height + 24)}px`
  svg.setAttribute("height", view.height)
  svg.setAttribute("class", focus >= first && focus <= last ? "away" : "")
  const axes = lanes.map((_, lane) => `<line class="axis" x1="${laneX(lane, view)}" x2="${laneX(lane, view)}" y1="0" y2="${view.height}"/>`)
  svg.innerHTML = patterns + stripsSvg(indices, view) + axes.join("") + bandsSvg(view) + arrowsSvg(first, last, focus, view) +
    indices.map((index) => rowSvg(index, view)).join("")
  byId("heads").innerHTML = model.rows.length === 0 ? "" : headsHtml(view, focus >= first && focus <= last ? focus : first)
}

/** The row under the pointer; -1: none. */
export const rowUnder = (event) => {
  const y = event.clientY - svg.getBoundingClientRect().top + scroller.scrollTop
  return shown.visible[Math.floor(y / shown.height)] ?? -1
}

/** Brings a row into sight: into the middle, unless it is in sight already. */
export const reveal = (row, always = false) => {
  const y = shown.placeOf[row] * shown.height
  const { clientHeight, scrollTop } = scroller
  if (!always && y > scrollTop + shown.height && y < scrollTop + clientHeight - 2 * shown.height) return
  scroller.scrollTop = y - clientHeight / 2
}
