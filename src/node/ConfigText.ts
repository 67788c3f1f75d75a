/**
 * JSON as people write it by hand: the first mistake is named with its line and column, which the platform's parser
 * does for some mistakes only; and a key that is there twice is a mistake.
 *
 * @module
 */
import { type Parsed, quoted } from "../base/Names.ts"

const depth_max = 64
const space = /[ \t\r\n]*/y
const string = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const scalar = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![\w.+-])/y

/** The value that the text holds, or where (line and column from 1) what was expected. */
export const parseJson = (text: string): Parsed<unknown> => {
  const json = text.startsWith("\uFEFF") ? text.slice(1) : text
  const scanner = new Scanner(json)
  scanner.document()
  if (scanner.fault === null) return { ok: true, value: JSON.parse(json) }
  const lines = json.slice(0, scanner.at).split("\n")
  const found = json.slice(scanner.at).split(/\s/, 1)[0]!
  const got = scanner.at >= json.length ? "the end of the file" : found === "" ? "a blank" : quoted(found)
  return {
    ok: false,
    reason: `line ${lines.length}, column ${lines.at(-1)!.length + 1}: ${scanner.fault}, got ${got}`
  }
}

/** Walks through the text until the first fault; `at` is then where it is. */
class Scanner {
  at = 0
  fault: string | null = null
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  document(): void {
    this.value(0)
    if (this.fault === null && this.at < this.text.length) this.fault = "expected nothing after the configuration"
  }

  private value(depth: number): void {
    this.take(space)
    if (depth > depth_max) this.fault = `expected at most ${depth_max} levels`
    else if (this.text[this.at] === "{") this.items("}", depth, new Set())
    else if (this.text[this.at] === "[") this.items("]", depth, null)
    else if (this.take(string) === null && this.take(scalar) === null) this.fault = "expected a value"
    if (this.fault === null) this.take(space)
  }

  /** What is between brackets; with `keys`, each item has one, which must be new. */
  private items(close: string, depth: number, keys: Set<string> | null): void {
    this.at++
    this.take(space)
    if (this.skip(close)) return
    while (this.fault === null) {
      if (keys) this.key(keys)
      if (this.fault === null) this.value(depth + 1)
      if (this.fault !== null || this.skip(close)) return
      if (!this.skip(",")) this.fault = `expected "," or "${close}"`
      else this.take(space)
    }
  }

  private key(keys: Set<string>): void {
    const start = this.at
    const quotedKey = this.take(string)
    const key: unknown = JSON.parse(quotedKey ?? "null")
    if (typeof key !== "string") {
      this.fault = "expected a key in double quotes"
    } else if (keys.has(key)) {
      this.at = start
      this.fault = "expected each key once"
    } else {
      keys.add(key)
      this.take(space)
      if (!this.skip(":")) this.fault = `expected ":" after the key`
    }
  }

  private take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0] ?? null
    this.at += found?.length ?? 0
    return found
  }

  private skip(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }
}
