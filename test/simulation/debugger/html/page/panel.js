/**
 * Beside the lanes: the violation, the step that is looked at, and the important points.
 *
 * @module
 */
import { arrows, byId, escape, into, lanes, model, ms, outOf, points, rows, shown, violation } from "./model.js"

const keys = `<h2>Keys</h2><div class="keys">
<kbd>j</kbd> <kbd>k</kbd> or <kbd>↓</kbd> <kbd>↑</kbd> next and previous step<br>
<kbd>n</kbd> <kbd>p</kbd> next and previous important point<br>
<kbd>v</kbd> the violation &nbsp; <kbd>/</kbd> search &nbsp; <kbd>Esc</kbd> forget<br>
<kbd>+</kbd> <kbd>−</kbd> size of the rows &nbsp; <kbd>Home</kbd> <kbd>End</kbd><br>
A wide band is a primary, a hatched one a view change, a dotted one recovery or state transfer, a dashed line a replica
that is down. A cross ends a message that nobody received. Click a step to keep it here.</div>`

const items = (title, list) => list.length === 0 ? "" : `<h3>${title}</h3>${list.join("")}`

const plainItem = (text) => `<span class="item">${escape(text)}</span>`

const sentItem = (index) => {
  const { copy, family, receiver, text, to } = arrows[index]
  const fate = to === -1 ? "never received" : `received in step ${rows[to].step}, after ${ms(rows[to].at - rows[arrows[index].from].at)} ms`
  return `<a class="item f${family}${to === -1 ? " lost" : ""}" data-row="${to}">→ ${escape(lanes[receiver].id)}: ${escape(text)} ` +
    `<em>${fate}${copy ? " (a copy)" : ""}</em></a>`
}

const receivedItem = (index) => {
  const { copy, family, from, sender, text } = arrows[index]
  return `<a class="item f${family}" data-row="${from}">← ${escape(lanes[sender].id)}: ${escape(text)} ` +
    `<em>sent in step ${rows[from].step}${copy ? " (a copy)" : ""}</em></a>`
}

const stepHtml = (index) => {
  const { at, inputs = [], lane, replies = [], state = "", step, text, who = "", writes = "" } = rows[index]
  const title = `${escape(lane === -1 ? who : lanes[lane].id)}${step > 0 ? ` · step ${step}` : ""} · ${ms(at)} ms`
  if (step === 0) return `<h2>${title}</h2><div>${escape(text)}</div>`
  return `<h2>${title}</h2><div>${escape(state)}</div>` +
    items("changed", text === "" ? [] : [plainItem(text)]) +
    items("received", [...into[index].map(receivedItem), ...inputs.map(plainItem)]) +
    items("wrote", writes === "" ? [] : [plainItem(writes)]) +
    items("sent", outOf[index].map(sentItem)) +
    items("answered", replies.map(plainItem))
}

let looked = null

/** The step under the pointer, else the one that was clicked. */
export const drawStep = () => {
  const row = shown.hovered >= 0 ? shown.hovered : shown.selected
  if (row === looked) return
  looked = row
  byId("step").innerHTML = row < 0 ? keys : stepHtml(row)
  markNear(row)
}

const markNear = (row) => {
  const near = points.findLastIndex((point) => point.row <= row)
  byId("points").querySelector(".near")?.classList.remove("near")
  const link = byId("points").querySelector(`[data-point="${near}"]`)
  link?.classList.add("near")
  if (shown.hovered < 0) link?.scrollIntoView({ block: "nearest" })
}

export const drawPoints = () => {
  byId("points").innerHTML = `<h2>Views, faults, crashes (${points.length})</h2>` + points.map(({ kind, row, text }, index) =>
    `<a data-row="${row}" data-point="${index}" title="${escape(text)}"><time>${ms(rows[row]?.at ?? 0)}</time>` +
    `<span class="k-${kind}">${kind === "violation" || kind === "crash" ? "✗" : "●"}</span><span>${escape(text.slice(0, 90))}</span></a>`).join("")
}

export const drawTop = () => {
  const { mutation, name, seed, totals } = model
  byId("name").innerHTML = `${escape(name.split("/").at(-1))}<small>${name.startsWith("seed ") ? "" : `seed ${seed}`}${mutation === null ? "" : `, with the mutation ${escape(mutation)}`}</small>`
  byId("totals").textContent = `${lanes.length} replicas · ${totals.steps} steps · ${totals.committed} operations · ${(totals.at / 1_000).toFixed(1)} s`
  const verdict = byId("verdict")
  verdict.className = violation === null ? "holds" : "fails"
  verdict.textContent = violation === null ? "holds every rule" : `✗ ${violation.message}`
  if (violation === null) return
  verdict.title = violation.message
  byId("violation").hidden = false
  byId("broken").hidden = false
  byId("broken").innerHTML = `<h2>✗ ${escape(violation.rule)}</h2><div class="mono">${escape(violation.message)}</div>` +
    `<div><small>at step ${violation.step}, ${ms(violation.at)} ms</small></div>`
}
