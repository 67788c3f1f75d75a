/**
 * What the user does: scrolls, points, clicks, types.
 *
 * @module
 */
import { draw, reveal, rowUnder } from "./draw.js"
import { byId, escape, filter, filters, model, points, rowOfStep, rows, shown, violation, wordsOf } from "./model.js"
import { drawOverview, moveWindow, rowPointed } from "./overview.js"
import { drawPoints, drawStep, drawTop } from "./panel.js"

const scroller = byId("scroller")
const search = byId("search")
let due = false
/** Where the search began: what is typed is looked for from there. */
let anchor = 0

/** Draws once a frame, however much happened. */
const redraw = () => {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    draw()
    moveWindow()
    drawStep()
  })
}

/** The row, or the next one that is shown. */
const select = (wanted, always = false) => {
  const row = shown.visible[Math.min(shown.placeOf[wanted] ?? -1, shown.visible.length - 1)]
  if (row === undefined) return
  shown.selected = row
  shown.hovered = -1
  reveal(row, always)
  const { step } = rows[row]
  if (step > 0) history.replaceState(null, "", `#step-${step}`)
  redraw()
}

const toPoint = (direction) => {
  const here = shown.selected
  const point = direction === 1 ? points.find(({ row }) => row > here) : points.findLast(({ row }) => row < here)
  if (point !== undefined) select(point.row)
}

const toStep = (direction) => {
  const { placeOf, selected, visible } = shown
  const place = selected < 0 ? 0 : placeOf[selected] + direction
  select(visible[Math.max(0, Math.min(visible.length - 1, place))])
}

/** The row in the middle of the sight stays there. */
const keepingPlace = (change) => {
  const middle = shown.visible[Math.floor((scroller.scrollTop + scroller.clientHeight / 2) / shown.height)] ?? rows.length - 1
  change()
  draw()
  scroller.scrollTop = shown.placeOf[middle] * shown.height - scroller.clientHeight / 2
  redraw()
}

const resize = (factor) => keepingPlace(() => {
  shown.height = Math.max(3, Math.min(40, Math.round(shown.height * factor)))
})

const drawFilters = () => {
  byId("filters").innerHTML = filters.map((name, index) =>
    `<button class="chip" data-filter="${index}" aria-pressed="${shown.enabled[index]}" ` +
    `style="--c:var(--${index < model.families.length ? name.replace(" ", "-") : "faint"})"><i></i>${escape(name)}</button>`).join("")
}

const find = (direction, here = shown.selected) => {
  const wanted = search.value.trim().toLowerCase()
  if (wanted === "") {
    byId("found").textContent = ""
    return
  }
  const { visible } = shown
  const hits = visible.filter((row) => wordsOf(row).includes(wanted))
  const next = direction === 1 ? hits.find((row) => row > here) ?? hits[0] : hits.findLast((row) => row < here) ?? hits.at(-1)
  byId("found").textContent = hits.length === 0 ? "none" : `${hits.indexOf(next) + 1} of ${hits.length}`
  if (next !== undefined) select(next)
}

const actions = {
  j: () => toStep(1), ArrowDown: () => toStep(1), k: () => toStep(-1), ArrowUp: () => toStep(-1), n: () => toPoint(1), p: () => toPoint(-1),
  v: () => violation !== null && select(violation.row, true), "/": () => search.focus(), "+": () => resize(1.25), "=": () => resize(1.25),
  "-": () => resize(0.8), Home: () => select(0), End: () => select(rows.length - 1),
  Escape: () => {
    shown.selected = -1
    redraw()
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target === search) {
    if (event.key === "Enter") find(event.shiftKey ? -1 : 1)
    else if (event.key === "Escape") scroller.focus()
    return
  }
  const action = actions[event.key]
  if (action === undefined) return
  event.preventDefault()
  action()
})

scroller.addEventListener("scroll", redraw, { passive: true })
scroller.addEventListener("pointermove", (event) => {
  const row = rowUnder(event)
  if (row === shown.hovered) return
  shown.hovered = row
  redraw()
})
scroller.addEventListener("pointerleave", () => {
  shown.hovered = -1
  redraw()
})
scroller.addEventListener("click", (event) => select(rowUnder(event)))
scroller.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return
  event.preventDefault()
  resize(event.deltaY < 0 ? 1.15 : 0.87)
}, { passive: false })

const overview = byId("overview")
const goWhere = (event) => {
  const row = rowPointed(event)
  scroller.scrollTop = shown.placeOf[row] * shown.height - scroller.clientHeight / 2
}
overview.addEventListener("pointerdown", (event) => {
  overview.setPointerCapture(event.pointerId)
  goWhere(event)
})
overview.addEventListener("pointermove", (event) => event.buttons > 0 && goWhere(event))

byId("filters").addEventListener("click", (event) => {
  const index = event.target.closest("[data-filter]")?.dataset.filter
  if (index === undefined) return
  keepingPlace(() => {
    shown.enabled[index] = !shown.enabled[index]
    filter()
  })
  drawFilters()
})
document.querySelector("aside").addEventListener("click", (event) => {
  const row = Number(event.target.closest("[data-row]")?.dataset.row ?? -1)
  if (row >= 0) select(row, true)
})
byId("previous").addEventListener("click", () => toPoint(-1))
byId("next").addEventListener("click", () => toPoint(1))
byId("smaller").addEventListener("click", () => resize(0.8))
byId("larger").addEventListener("click", () => resize(1.25))
for (const id of ["violation", "verdict"]) byId(id).addEventListener("click", actions.v)
search.addEventListener("focus", () => {
  anchor = Math.max(0, shown.selected)
})
search.addEventListener("input", () => find(1, anchor - 1))
addEventListener("resize", () => {
  drawOverview()
  redraw()
})

filter()
drawFilters()
drawTop()
drawPoints()
draw()
drawOverview()
const asked = /^#step-(\d+)$/.exec(location.hash)
if (asked !== null) select(rowOfStep(Number(asked[1])), true)
else if (violation !== null) select(violation.row, true)
redraw()
