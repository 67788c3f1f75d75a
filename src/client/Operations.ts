/**
 * What can be done with the data of one tenant: the operations that applications use, with their types. Every method is
 * an Effect that ends with a result or with one of the errors in its type, within the client's deadline. Many may run at
 * once; they share one session and one connection.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Limits } from "../base/Limits.ts"
import type {
  ElementType, ErrorResult, OkResult, PageEntry, ReadOperation, Result, WriteOperation
} from "../store/Operation.ts"
import type { Calls } from "./Calls.ts"
import {
  type AlreadyExists, type CasFailed, type Indeterminate, type Invalid, type LimitExceeded, type NotEmpty, type NotFound,
  type Overloaded, type ParentNotFound, type SessionLost, storeError, type StoreErrors, type Unavailable, type WrongType
} from "./Errors.ts"

/** A read was refused, or nobody answered it, or the cluster has too much to do. */
export type ReadFailure = Invalid | LimitExceeded | Unavailable | Overloaded
/** The same for a write, which may also have an unknown outcome. */
export type WriteFailure = ReadFailure | Indeterminate

/** What a write leaves: the version of its element, and of all directories above. Versions only grow. */
export interface Written {
  readonly version: number
}

/** The value of a blob. */
export interface Value {
  /** A copy of one's own. */
  readonly data: Uint8Array
  readonly version: number
}

/** All about an element but its value. */
export interface Stat {
  readonly type: ElementType
  readonly version: number
  /** The version that its creation gave it; 0 for the root. */
  readonly created_version: number
  /** Bytes of the value; 0 for a directory. */
  readonly size: number
  /** Elements directly inside; 0 for a blob. */
  readonly children: number
}

/** One line of a listing; `size` and `children` as in {@link Stat}. */
export type Entry = PageEntry

/** Part of a listing. `next` is the `after` of the following page, or null at the end. */
export interface Page {
  readonly entries: ReadonlyArray<Entry>
  readonly next: string | null
}

export interface CreateOptions {
  /** Default: a blob. A directory has no data. */
  readonly type?: ElementType
  /** Create the directories that are missing on the way. Default: false. */
  readonly parents?: boolean
}

export interface PutOptions {
  /** Compare-and-set: write only if the element has this version. */
  readonly version?: number
}

export interface DeleteOptions {
  /** Compare-and-set: delete only if the element has this version. */
  readonly version?: number
  /** Delete a directory with all that is inside. Default: false. */
  readonly recursive?: boolean
}

export interface ListOptions {
  /** Entries at most: 1 to 1,000, which is the default. */
  readonly limit?: number
  /** Begin behind this name, whether or not it exists: `next` of the page before. */
  readonly after?: string
}

/** Paths are absolute: `/` or `/name/name/…`. Values are up to 1 MiB. Reads are linearizable, writes exactly-once. */
export interface TenantService {
  /** A UUID. */
  readonly id: string
  /** Null if it has none, or was entered by its id before any node listed it. */
  readonly name: string | null
  /** Creates an element; its directory must exist, unless `parents`. */
  readonly create: (
    path: string,
    data?: Uint8Array,
    options?: CreateOptions
  ) => Effect.Effect<Written, AlreadyExists | ParentNotFound | WrongType | WriteFailure>
  /** Replaces the value of a blob that exists. */
  readonly put: (
    path: string,
    data: Uint8Array,
    options?: PutOptions
  ) => Effect.Effect<Written, NotFound | WrongType | CasFailed | WriteFailure>
  readonly delete: (
    path: string,
    options?: DeleteOptions
  ) => Effect.Effect<Written, NotFound | CasFailed | NotEmpty | WriteFailure>
  /** The value of a blob. */
  readonly get: (path: string) => Effect.Effect<Value, NotFound | WrongType | ReadFailure>
  readonly stat: (path: string) => Effect.Effect<Stat, NotFound | ReadFailure>
  /** One page of a directory, sorted by name. */
  readonly list: (path: string, options?: ListOptions) => Effect.Effect<Page, NotFound | WrongType | ReadFailure>
  /** A whole directory, page by page. Each page is a read of its own: changes in between may show. */
  readonly listAll: (path: string) => Stream.Stream<Entry, NotFound | WrongType | ReadFailure>
  /** The general form of a write: the store's answer as it is, refusals included. */
  readonly write: (operation: WriteOperation) => Effect.Effect<Result, Unavailable | Overloaded | Indeterminate>
  /** The general form of a read. */
  readonly read: (operation: ReadOperation) => Effect.Effect<Result, Unavailable | Overloaded>
  /**
   * Never succeeds; fails once the session that is current now is lost: race it with work that must not go on then.
   * The loss is noticed with the next request. Calls go on by themselves in a new session.
   */
  readonly sessionLost: Effect.Effect<never, SessionLost>
}

const nothing = new Uint8Array(0)

export const makeTenant = (calls: Calls): TenantService => {
  const list: TenantService["list"] = (path, { limit = Limits.list_page_max, after } = {}) =>
    calls.read({ _tag: "List", path, limit, after: after ?? null }, page)
  return {
    id: calls.id,
    name: calls.name,
    sessionLost: calls.sessionLost,
    create: (path, data = nothing, { type = "blob", parents = false } = {}) =>
      calls.write({ _tag: "Create", path, type, data, parents }, created),
    put: (path, data, { version } = {}) =>
      calls.write({ _tag: "Put", path, data, version: version ?? null }, replaced),
    delete: (path, { version, recursive = false } = {}) =>
      calls.write({ _tag: "Delete", path, version: version ?? null, recursive }, deleted),
    get: (path) => calls.read({ _tag: "Get", path }, value),
    stat: (path) => calls.read({ _tag: "Stat", path }, stat),
    list,
    listAll: (path) =>
      Stream.paginate<string | undefined, Entry, NotFound | WrongType | ReadFailure>(undefined, (after) =>
        Effect.map(
          list(path, after === undefined ? {} : { after }),
          ({ entries, next }) => [entries, next === null ? Option.none() : Option.some(next)] as const
        )),
    write: (operation) => calls.write(operation, Exit.succeed),
    read: (operation) => calls.read(operation, Exit.succeed)
  }
}

type Code = keyof StoreErrors
type Ok<Tag extends OkResult["_tag"]> = Extract<OkResult, { readonly _tag: Tag }>

/** Reads the answer to one kind of operation: the result it has, or one of the errors that it can have. */
const reader = <Tag extends OkResult["_tag"], Codes extends Code, A>(
  tag: Tag,
  codes: ReadonlyArray<Codes>,
  make: (result: Ok<Tag>) => A
) =>
(result: Result): Exit.Exit<A, StoreErrors[Codes]> => {
  if (isOk(result, tag)) return Exit.succeed(make(result))
  if (result._tag === "Error" && isOneOf(codes, result.code)) return Exit.fail(errorOf(result, result.code))
  // Not weather: the two sides do not mean the same by this operation.
  const got = result._tag === "Error" ? result.code : result._tag
  return Exit.die(new Error(`the store answered ${got}, expected ${[tag, ...codes].join(", ")}`))
}

const isOk = <Tag extends OkResult["_tag"]>(result: Result, tag: Tag): result is Ok<Tag> => result._tag === tag

const isOneOf = <Codes extends Code>(codes: ReadonlyArray<Codes>, code: Code): code is Codes =>
  codes.some((one) => one === code)

const errorOf = <C extends Code>(result: ErrorResult, _code: C): StoreErrors[C] => storeError(result) as StoreErrors[C]

const written = ({ version }: Ok<"Written">): Written => ({ version })
const refusals = ["Invalid", "LimitExceeded"] as const
const created = reader("Written", ["AlreadyExists", "ParentNotFound", "WrongType", ...refusals], written)
const replaced = reader("Written", ["NotFound", "WrongType", "CasFailed", ...refusals], written)
const deleted = reader("Written", ["NotFound", "CasFailed", "NotEmpty", ...refusals], written)
// A view of what came would keep the whole chunk in memory, and be writable for whoever got its neighbours.
const value = reader("Value", ["NotFound", "WrongType", ...refusals], ({ data, version }): Value =>
  ({ data: new Uint8Array(data), version }))
const stat = reader("Stat", ["NotFound", ...refusals], ({ _tag, ...fields }): Stat => fields)
const page = reader("Page", ["NotFound", "WrongType", ...refusals], ({ entries, next }): Page => ({ entries, next }))
