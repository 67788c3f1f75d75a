/**
 * Follows the relative links of a Markdown document: the file must exist, and the heading in it.
 *
 * @module
 */
import { existsSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { read } from "./Source.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const withoutCode = (text: string): string => text.replace(/^```[^]*?^```/gm, "").replace(/`[^`\n]*`/g, "")

/** A heading's anchor, as the usual hosts make it: lower case, spaces to dashes, punctuation gone. */
const anchorOf = (heading: string): string =>
  heading.trim().toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

const anchorsOf = (text: string): Set<string> => {
  const headings = text.replace(/^```[^]*?^```/gm, "").matchAll(/^#{1,6}\s+(.+)$/gm)
  return new Set([...headings].map((match) => anchorOf(match[1] ?? "")))
}

/** The complaints about the links of one document. */
export const deadLinks = (path: string, text: string): ReadonlyArray<string> =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)[^)]*\)/g)].flatMap((match) => {
    const link = match[1] ?? ""
    if (/^[a-z]+:/.test(link)) return []
    const [file, anchor] = link.split("#", 2)
    const target = file === undefined || file === "" ? path : normalize(join(dirname(path), file))
    const there = target === path || existsSync(join(root, target))
    const content = target === path ? text : there && target.endsWith(".md") ? read(target) : undefined
    const found = there && (anchor === undefined || content === undefined || anchorsOf(content).has(anchor))
    return found ? [] : [`${path}: "${link}" leads nowhere`]
  })
