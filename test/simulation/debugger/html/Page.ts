/**
 * The run as one self-contained page: the template, its style and its scripts, and the model as data in it.
 *
 * @module
 */
import { readFileSync } from "node:fs"
import type { Recording } from "../Recording.ts"
import type { Source } from "../Session.ts"
import { modelOf, type PageModel } from "./Model.ts"

/** In this order: each imports only from those before it. */
const scripts = ["model.js", "draw.js", "overview.js", "panel.js", "page.js"]

const asset = (name: string): string => readFileSync(new URL(`./page/${name}`, import.meta.url), "utf8")

const exported = /^export const (?:\{([^}]*)\}|(\w+))/gm

/** A module as a part of one script: a page in a file cannot import others. */
const bundled = (name: string): string => {
  const text = asset(name)
  const names = [...text.matchAll(exported)].map(([, several, one]) => several ?? one)
  const body = text
    .replace(/^import (\{[^}]*\}) from "\.\/([\w.]+)"$/gm, "const $1 = modules[\"$2\"]")
    .replace(/^export (?=const)/gm, "")
  return `modules["${name}"] = (() => {\n${body}\nreturn { ${names.join(", ")} }\n})()`
}

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** JSON that may stand in a script element: nothing in it ends the element or begins a comment. */
const embedded = (value: unknown): string => JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (letter) =>
  `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`)

const titleOf = ({ name, violation }: PageModel): string => `${violation === null ? "" : "✗ "}${name.split("/").at(-1)}`

export const renderPage = (model: PageModel): string => {
  const parts: Readonly<Record<string, string>> = {
    TITLE: escapeHtml(titleOf(model)),
    STYLE: asset("page.css"),
    DATA: embedded(model),
    SCRIPT: ["const modules = {}", ...scripts.map(bundled)].join("\n")
  }
  return asset("page.html").replace(/\{\{(TITLE|STYLE|DATA|SCRIPT)\}\}/g, (_, part: string) => parts[part] ?? "")
}

export const pageOf = (source: Pick<Source, "name" | "seed" | "mutation">, recording: Recording): string =>
  renderPage(modelOf(source, recording))
