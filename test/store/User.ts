/**
 * Someone who uses a store: encodes operations, executes them at rising op numbers, decodes the results.
 *
 * @module
 */
import { assert } from "vitest"
import type { Operation, PageEntry, Result, WriteOperation } from "../../src/store/Operation.ts"
import { decodeResult, encodeOperation, isWrite } from "../../src/store/Operation.ts"
import { makeStore, type Store } from "../../src/store/Store.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array): string => new TextDecoder().decode(data)

export class User {
  readonly store: Store
  /** The op number of the last write. */
  op: number

  constructor(store = makeStore(), op = 0) {
    this.store = store
    this.op = op
  }

  execute(operation: Operation): Result {
    const encoded = encodeOperation(operation)
    if (isWrite(operation)) this.op += 1
    const answer = isWrite(operation)
      ? this.store.refuseWrite(encoded) ?? this.store.apply(encoded, { op: this.op, time: 1_000 + this.op, session: 1 })
      : this.store.query(encoded)
    const result = decodeResult(answer)
    if (result._tag === "Malformed") return assert.fail(result.reason)
    return result
  }

  create(path: string, value = "", options: { readonly parents?: boolean } = {}): Result {
    return this.execute({ _tag: "Create", path, type: "blob", data: bytes(value), parents: options.parents ?? false })
  }

  mkdir(path: string, options: { readonly parents?: boolean } = {}): Result {
    const parents = options.parents ?? false
    return this.execute({ _tag: "Create", path, type: "directory", data: bytes(""), parents })
  }

  put(path: string, value: string, version: number | null = null): Result {
    return this.execute({ _tag: "Put", path, data: bytes(value), version })
  }

  delete(path: string, options: Partial<Pick<Extract<WriteOperation, { _tag: "Delete" }>, "version" | "recursive">> = {}): Result {
    return this.execute({ _tag: "Delete", path, version: null, recursive: false, ...options })
  }

  get(path: string): Result {
    return this.execute({ _tag: "Get", path })
  }

  stat(path: string): Result {
    return this.execute({ _tag: "Stat", path })
  }

  list(path: string, limit = 1_000, after: string | null = null): Result {
    return this.execute({ _tag: "List", path, limit, after })
  }

  /** The value as text. */
  value(path: string): string {
    const result = this.get(path)
    return result._tag === "Value" ? text(result.data) : assert.fail(JSON.stringify(result))
  }

  version(path: string): number {
    const result = this.stat(path)
    return result._tag === "Stat" ? result.version : assert.fail(JSON.stringify(result))
  }

  names(path: string, limit = 1_000, after: string | null = null): ReadonlyArray<string> {
    const result = this.list(path, limit, after)
    return result._tag === "Page" ? result.entries.map((entry) => entry.name) : assert.fail(JSON.stringify(result))
  }

  /** All entries of a directory, page after page. */
  pages(path: string, limit: number): ReadonlyArray<ReadonlyArray<PageEntry>> {
    const pages: Array<ReadonlyArray<PageEntry>> = []
    for (let after: string | null = null, more = true; more;) {
      const result = this.list(path, limit, after)
      if (result._tag !== "Page") return assert.fail(JSON.stringify(result))
      pages.push(result.entries)
      after = result.next
      more = after !== null
    }
    return pages
  }

  /** Everything that there is, for comparing: a line per element, in order of the listing. */
  dump(path = "/"): ReadonlyArray<string> {
    const stat = this.stat(path)
    const line = `${path} ${JSON.stringify(stat)}`
    if (stat._tag !== "Stat" || stat.type !== "directory") return [`${line} ${this.value(path)}`]
    const below = this.pages(path, 3).flat()
    return [line, ...below.flatMap(({ name }) => this.dump(path === "/" ? `/${name}` : `${path}/${name}`))]
  }
}
