/**
 * The words of a command line that no system shell has split: of `-e`, of a script, of our own shell.
 *
 * Blanks separate words. `'…'` takes everything as it is. In `"…"` a backslash protects `"` and `\`, and is itself
 * elsewhere. Outside quotes a backslash protects whatever comes next. A line whose first character is `#` is a comment.
 *
 * @module
 */

/** One word, and where it stands in the line. */
export interface Word {
  readonly text: string
  /** Index of its first character, quotes and backslashes included. */
  readonly start: number
}

/** A line cut into words. `open`: what its end leaves unfinished. */
export interface Scan {
  readonly words: ReadonlyArray<Word>
  readonly open: Open
}

/** `none`: blank or nothing follows the last word; `word`: it may go on; else the quote, or the backslash, is not finished. */
export type Open = "none" | "word" | "'" | "\"" | "\\"

/** Never fails: what is unfinished at the end is said by `open`. */
export const scan = (line: string): Scan => {
  const words: Array<Word> = []
  let text: string | undefined
  let start = 0
  let open: Open = "none"
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (open === "none" && /\s/.test(c)) continue
    if (open === "none") {
      text = ""
      start = i
      open = "word"
    }
    if (open === "word" && /\s/.test(c)) {
      words.push({ text: text!, start })
      text = undefined
      open = "none"
    } else if (open === "word" && (c === "'" || c === "\"")) {
      open = c
    } else if (open !== "word" && c === open) {
      open = "word"
    } else if (c === "\\" && open !== "'") {
      const next = line[i + 1]
      if (next === undefined) {
        open = open === "\"" ? "\"" : "\\"
        break
      }
      if (open === "word" || next === "\"" || next === "\\") {
        text += next
        i++
      } else {
        text += c
      }
    } else {
      text += c
    }
  }
  if (text !== undefined) words.push({ text, start })
  return { words, open }
}

/** The words of a whole line (none for a blank line or a comment), or what is wrong with its quoting. */
export const split = (line: string):
  | { readonly ok: true; readonly words: ReadonlyArray<string> }
  | { readonly ok: false; readonly reason: string } =>
{
  if (line.trimStart().startsWith("#")) return { ok: true, words: [] }
  const { open, words } = scan(line)
  if (open === "'" || open === "\"") return { ok: false, reason: `the quote ${open} is not closed` }
  if (open === "\\") return { ok: false, reason: "nothing follows the backslash at the end" }
  return { ok: true, words: words.map((word) => word.text) }
}

const plain = /^[^\s'"\\#]+$/

/** One word as a user would type it at the start of a word: `split(quote(text))` gives `text` back. */
export const quote = (text: string): string => {
  if (plain.test(text)) return text
  return text.includes("'") ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : `'${text}'`
}

/** Writes `text` to stand inside the quote that is open (`word`: no quote), up to but without the closing quote. */
export const quoteWithin = (text: string, open: Open): string => {
  if (open === "\"") return text.replaceAll(/["\\]/g, "\\$&")
  if (open === "'") return text.replaceAll("'", "'\\''")
  return text.replaceAll(/[\s'"\\#]/g, "\\$&")
}
