/**
 * Directories as streams: page by page, and as a tree. However large they are, a page of each level is held, no more.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Limits } from "../../base/Limits.ts"
import type { Entry, Stat, TenantService } from "../../client/Operations.ts"
import { printable } from "../Format.ts"
import type { Line } from "../View.ts"
import type { TreeJson } from "./Schemas.ts"

type Failure = Effect.Error<ReturnType<TenantService["list"]>>

/** Up to `limit` children of a directory (`null`: all) behind the name `after`; `more` is told the last if there are more. */
export const entries = (
  tenant: TenantService,
  path: string,
  { after, limit, more }: {
    readonly limit: number | null
    readonly after: string | null
    readonly more: (last: string) => Effect.Effect<void>
  }
): Stream.Stream<Entry, Failure> =>
  Stream.paginate({ after, left: limit ?? Number.POSITIVE_INFINITY }, Effect.fnUntraced(function*(state) {
    const page = yield* tenant.list(path, {
      limit: Math.min(state.left, Limits.list_page_max),
      ...(state.after === null ? {} : { after: state.after })
    })
    const left = state.left - page.entries.length
    if (page.next === null) return [page.entries, Option.none()] as const
    if (left > 0) return [page.entries, Option.some({ after: page.next, left })] as const
    yield* more(page.next)
    return [page.entries, Option.none()] as const
  }))

export const childPath = (path: string, name: string): string => path === "/" ? `/${name}` : `${path}/${name}`

type TreeLine = Line<typeof TreeJson.Type>

/** The element at `path` and what is below it, `depth` levels deep. What is deleted in the meantime is left out. */
export const tree = (
  tenant: TenantService,
  path: string,
  root: Stat,
  depth: number
): Stream.Stream<TreeLine, Failure> => {
  const { children, size, type, version } = root
  const first = treeLine(path, { name: path, type, version, size, children }, "")
  return type === "blob" ? Stream.make(first) : Stream.concat(Stream.make(first), below(tenant, path, "", depth))
}

const below = (tenant: TenantService, path: string, indent: string, depth: number): Stream.Stream<TreeLine, Failure> =>
  entries(tenant, path, { limit: null, after: null, more: () => Effect.void }).pipe(
    Stream.zipWithNext,
    Stream.flatMap(([entry, next]) => {
      const last = Option.isNone(next)
      const child = childPath(path, entry.name)
      const line = Stream.make(treeLine(child, entry, `${indent}${last ? "└── " : "├── "}`))
      if (entry.type === "blob" || entry.children === 0 || depth <= 1) return line
      const inner = below(tenant, child, `${indent}${last ? "    " : "│   "}`, depth - 1)
      return Stream.concat(line, Stream.catchTag(inner, ["NotFound", "WrongType"], () => Stream.empty))
    })
  )

const treeLine = (path: string, { children, name, size, type, version }: Entry, indent: string): TreeLine => ({
  json: { path, type, version, size, children },
  plain: [path, type, String(version), String(size), String(children)],
  pretty: `${indent}${printable(name)}${type === "directory" && !name.endsWith("/") ? "/" : ""}`
})
