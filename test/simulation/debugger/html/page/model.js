/**
 * The run that the page holds, what of it is shown, and where each row stands then. Rows, arrows and bands are described
 * in ../Model.ts and ../Lanes.ts.
 *
 * @module
 */
export const byId = (id) => document.getElementById(id)
export const model = JSON.parse(byId("model").textContent)
export const { arrows, lanes, points, rows, violation } = model

const clients = model.families.length
const always = clients + 1

/** What the filters offer: the families of messages, then what clients ask and are told. */
export const filters = [...model.families, "clients"]

export const shown = {
  enabled: filters.map((name) => name !== "heartbeat"),
  /** Rows that are shown, in order. */
  visible: [],
  /** For each row, how many shown ones stand above it. */
  placeOf: [],
  height: 20,
  selected: violation === null ? -1 : violation.row,
  hovered: -1
}

/** Arrows by the row that receives them, and by the one that sends them. */
export const into = rows.map(() => [])
export const outOf = rows.map(() => [])

const bits = rows.map(({ inputs = [], replies = [], step, text }, index) => {
  const said = step === 0 || text !== "" || index === violation?.row
  const asked = replies.length > 0 || inputs.some((input) => /^C\d/.test(input))
  // An entry that became durable belongs to replication.
  const durable = inputs.some((input) => input.startsWith("durable"))
  return (said ? 1 << always : 0) | (asked ? 1 << clients : 0) | (durable ? 1 << 1 : 0)
})

for (const [index, { family, from, to }] of arrows.entries()) {
  outOf[from].push(index)
  bits[from] |= 1 << family
  if (to === -1) continue
  into[to].push(index)
  bits[to] |= 1 << family
}

export const filter = () => {
  const wanted = shown.enabled.reduce((sum, on, index) => on ? sum | (1 << index) : sum, 1 << always)
  shown.visible = []
  shown.placeOf = []
  for (const [index, bit] of bits.entries()) {
    shown.placeOf.push(shown.visible.length)
    if ((bit & wanted) !== 0) shown.visible.push(index)
  }
  shown.placeOf.push(shown.visible.length)
}

export const isShown = (arrow) => shown.enabled[arrow.family]

/** The first row at or after that time. */
export const rowAt = (time) => {
  let [low, high] = [0, rows.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle].at >= time) high = middle
    else low = middle + 1
  }
  return low
}

export const rowOfStep = (step) => Math.max(0, rows.findIndex((row) => row.step >= step))

export const bandAt = (lane, row) => lanes[lane].bands.find(({ from, to }) => from <= row && row < to) ?? lanes[lane].bands.at(-1)

/** Views that follow each other look different, also to most who see few colours. */
export const hueOf = (view) => Math.round((view * 137.508 + 250) % 360)

export const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)

export const ms = (at) => at.toFixed(1)

const tagOf = (text) => text.split("⟨")[0]

const counted = (indices) => {
  const counts = new Map()
  for (const index of indices) {
    const tag = tagOf(arrows[index].text)
    counts.set(tag, (counts.get(tag) ?? 0) + 1)
  }
  return [...counts].map(([tag, count]) => count === 1 ? tag : `${tag} ×${count}`).join(", ")
}

/** What clients ask, as counts; ticks only where nothing else came. */
const short = (inputs) => {
  const asked = inputs.filter((input) => /^C\d/.test(input))
  const others = inputs.filter((input) => !asked.includes(input) && input !== "tick")
  const one = asked.length === 1 ? asked : asked.length === 0 ? [] : [`${asked.length} requests`]
  return asked.length + others.length === 0 && inputs.length > 0 ? ["tick"] : [...others, ...one]
}

const shortReplies = (replies) => {
  const failed = replies.filter((reply) => !reply.endsWith(" ok"))
  const told = replies.length === 1 ? replies : replies.length === 0 ? [] : [`${replies.length} answers`]
  return replies.length > 1 && failed.length > 0 ? [`${told[0]}, ${failed.length} not ok`] : told
}

/** What a step did, in a few words: what came in, and what went out. */
export const briefly = (index) => {
  const { inputs = [], replies = [] } = rows[index]
  const messages = counted(into[index])
  const came = (messages === "" ? short(inputs) : [messages, ...short(inputs).filter((text) => text !== "tick")]).join(", ")
  const went = [counted(outOf[index]), ...shortReplies(replies)].filter((text) => text !== "").join(", ")
  return went === "" ? came : `${came} ⇒ ${went}`
}

/** All words of a row, for the search. */
export const wordsOf = (index) => {
  const { inputs = [], lane, replies = [], state = "", step, text, who = "", writes = "" } = rows[index]
  const messages = [...into[index], ...outOf[index]].map((arrow) => arrows[arrow].text)
  return [lane === -1 ? who : lanes[lane].id, `#${step}`, text, state, writes, ...inputs, ...replies, ...messages].join(" ").toLowerCase()
}
