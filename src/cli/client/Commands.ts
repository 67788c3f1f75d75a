/**
 * The commands of `v2r2-cli`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import { MissingArgument } from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Limits } from "../../base/Limits.ts"
import { replicaId } from "../../base/Names.ts"
import { dataHelp, readData } from "../DataArgument.ts"
import { define } from "../Definition.ts"
import { usage } from "../Failure.ts"
import { jsonBytes } from "../Format.ts"
import { clientFlags, Switch, Whole } from "../Options.ts"
import { Output } from "../Output.ts"
import { commonCommands, root } from "../Root.ts"
import { Mode } from "../Runner.ts"
import { quote } from "../Words.ts"
import type { View } from "../View.ts"
import { entries, tree as treeOf } from "./Listing.ts"
import { EnterJson, EntryJson, GetJson, StatJson, TenantJson, TreeJson, WrittenJson } from "./Schemas.ts"
import { Session } from "./Session.ts"

const tenant = Effect.flatMap(Session, (session) => session.tenant)

const path = Argument.String("path").pipe(Argument.withDescription("Absolute: /, or /name/name"))
const directory = Argument.String("path").pipe(
  Argument.withDescription("A directory; / if it is left out"),
  Argument.withDefault("/")
)
const data = Argument.String("data").pipe(Argument.withDescription("The text itself, @file, or - for standard input"))
const version = Whole("version", 0).pipe(
  Flag.withMetavar("<version>"),
  Flag.withDescription("Compare-and-set: only if this is its version"),
  Flag.optional
)
const onlyIf = (version: Option.Option<number>) => Option.isNone(version) ? {} : { version: version.value }

const written = (path: string, { version }: { readonly version: number }, did: string): View<typeof WrittenJson.Type> => ({
  _tag: "Done",
  json: { path, version },
  plain: String(version),
  pretty: `${did} ${path}, version ${version}`
})

const types = ["blob", "directory"] as const

/** A first word that is no type is not missing, but it is none of ours: what is optional leaves it to the next argument. */
const typeArgument = Argument.String("type").pipe(
  Argument.mapEffect((text) => {
    const type = types.find((type) => type === text)
    return type === undefined ? Effect.fail(new MissingArgument({ argument: "type" })) : Effect.succeed(type)
  }),
  Argument.withDescription("blob or directory; blob if it is left out"),
  Argument.optional
)

const create = define({
  name: "create",
  config: {
    type: typeArgument,
    path,
    data: Argument.optional(data),
    parents: Switch("parents").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("Create missing directories on the way"),
      Flag.withDefault(false)
    ),
    typeFlag: Flag.Literals("type", types).pipe(Flag.withDescription("The same as the first argument"), Flag.optional)
  },
  summary: "Create an element, or fail if there is one",
  details: dataHelp,
  examples: [
    { command: "create /greeting hello", description: "A blob with the text hello" },
    { command: "create directory /config", description: "A directory" },
    { command: "create /config/app/tls @cert.pem --parents", description: "From a file, with its directories" }
  ],
  json: WrittenJson,
  attempt: ({ path }) => `create ${path}`,
  run: Effect.fnUntraced(function*({ data, parents, path, type, typeFlag }) {
    if (!path.startsWith("/") && Option.isNone(type)) {
      return yield* usage(`"${path}" is neither a type (blob, directory) nor an absolute path`, "paths begin with /")
    }
    if (Option.isSome(type) && Option.isSome(typeFlag) && type.value !== typeFlag.value) {
      return yield* usage(`the type is given twice, as ${type.value} and as ${typeFlag.value}`)
    }
    const chosen = Option.getOrElse(Option.orElse(type, () => typeFlag), () => "blob" as const)
    if (chosen === "directory" && Option.isSome(data)) return yield* usage("a directory has no data")
    const bytes = Option.isSome(data) ? yield* readData(data.value) : new Uint8Array()
    const result = yield* (yield* tenant).create(path, bytes, { type: chosen, parents })
    return written(path, result, `created ${chosen}`)
  })
})

const put = define({
  name: "put",
  config: { path, data, version },
  summary: "Replace the data of an element that exists",
  details: dataHelp,
  examples: [
    { command: "put /greeting 'hello, world'", description: "Whatever it is now" },
    { command: "put /greeting hi --version 42", description: "Only if nobody has changed it since version 42" },
    { command: "put /logo @logo.png", description: "From a file, byte for byte" },
    { command: "put /greeting -", description: "From standard input" }
  ],
  json: WrittenJson,
  attempt: ({ path }) => `put ${path}`,
  run: Effect.fnUntraced(function*({ data, path, version }) {
    const bytes = yield* readData(data)
    return written(path, yield* (yield* tenant).put(path, bytes, onlyIf(version)), "put")
  })
})

const get = define({
  name: "get",
  config: { path },
  summary: "Print the data of an element, byte for byte",
  details: "On a terminal, text gets a line end, and what is no text is shown in hexadecimal. " +
    "Into a pipe or a file go exactly the bytes of the data.",
  examples: [
    { command: "get /greeting", description: "To look at" },
    { command: "get /logo > logo.png", description: "To keep (from your system shell)" },
    { command: "get /greeting --json", description: "With its version" }
  ],
  json: GetJson,
  attempt: ({ path }) => `get ${path}`,
  run: Effect.fnUntraced(function*({ path }, { verbose }) {
    const { data, version } = yield* (yield* tenant).get(path)
    if (verbose) yield* (yield* Output).say(`version ${version}, ${data.length} bytes`)
    return { _tag: "Bytes", json: { path, version, data: jsonBytes(data) }, bytes: data }
  })
})

const stat = define({
  name: "stat",
  config: { path },
  summary: "Show all about an element but its data",
  details: "The version of a directory changes with everything below it.",
  examples: [{ command: "stat /greeting", description: "Type, versions, size" }],
  json: StatJson,
  attempt: ({ path }) => `stat ${path}`,
  run: Effect.fnUntraced(function*({ path }) {
    const { children, created_version, size, type, version } = yield* (yield* tenant).stat(path)
    const json = { path, type, version, created_version, size, children }
    return { _tag: "Fields", json, fields: Object.entries(json).map(([name, value]) => [name, String(value)] as const) }
  })
})

const remove = define({
  name: "delete",
  alias: "rm",
  config: {
    path,
    version,
    recursive: Switch("recursive").pipe(
      Flag.withAlias("r"),
      Flag.withDescription("A directory with all that is in it"),
      Flag.withDefault(false)
    )
  },
  summary: "Delete an element",
  examples: [
    { command: "delete /greeting", description: "An element, or an empty directory" },
    { command: "delete /config --recursive", description: "A directory with all that is in it" },
    { command: "delete /greeting --version 42", description: "Only if nobody has changed it since version 42" }
  ],
  json: WrittenJson,
  attempt: ({ path }) => `delete ${path}`,
  run: Effect.fnUntraced(function*({ path, recursive, version }) {
    return written(path, yield* (yield* tenant).delete(path, { recursive, ...onlyIf(version) }), "deleted")
  })
})

const list = define({
  name: "list",
  alias: "ls",
  config: {
    path: directory,
    limit: Whole("limit", 1).pipe(Flag.withDescription("At most so many; all if it is left out"), Flag.optional),
    after: Flag.String("after").pipe(
      Flag.withMetavar("<name>"),
      Flag.withDescription("Begin behind this name"),
      Flag.optional
    )
  },
  summary: "List the children of a directory, in order of their names",
  details: "All of them, page by page, unless --limit says how many; then stderr tells how to go on. " +
    "Each page is read by itself: changes between two pages may show.",
  examples: [
    { command: "list /config", description: "All children" },
    { command: "list /config --limit 100", description: "The first hundred" },
    { command: "list /config --limit 100 --after app", description: "The next hundred" }
  ],
  json: EntryJson,
  lines: true,
  attempt: ({ path }) => `list ${path}`,
  run: Effect.fnUntraced(function*({ after, limit, path }, { quiet }) {
    const service = yield* tenant
    const output = yield* Output
    const more = (last: string) =>
      quiet ? Effect.void : output.say(`there is more: list ${quote(path)} --after ${quote(last)}`)
    const found = entries(service, path, { limit: Option.getOrNull(limit), after: Option.getOrNull(after), more })
    return {
      _tag: "Table",
      columns: ["NAME", "TYPE", "VERSION", "SIZE", "CHILDREN"],
      rows: Stream.map(found, ({ children, name, size, type, version }) => ({
        json: { name, type, version, size, children },
        cells: [name, type, String(version), String(size), String(children)]
      })),
      empty: `${path} has no children`
    }
  })
})

const tree = define({
  name: "tree",
  config: {
    path: directory,
    depth: Whole("depth", 1).pipe(
      Flag.withDescription("At most so many levels"),
      Flag.withDefault(Limits.path_depth_max)
    )
  },
  summary: "Show a directory with all that is below it",
  examples: [
    { command: "tree", description: "Everything" },
    { command: "tree /config --depth 2", description: "Two levels of it" }
  ],
  json: TreeJson,
  lines: true,
  attempt: ({ path }) => `tree ${path}`,
  run: Effect.fnUntraced(function*({ depth, path }) {
    const service = yield* tenant
    return { _tag: "Lines", lines: treeOf(service, path, yield* service.stat(path), depth) }
  })
})

const tenants = define({
  name: "tenants",
  config: {},
  summary: "List the tenants and where their replicas are",
  examples: [{ command: "tenants", description: "All of them" }],
  json: TenantJson,
  lines: true,
  run: Effect.fnUntraced(function*() {
    const client = yield* Effect.flatMap(Session, (session) => session.client)
    const list = yield* client.tenants
    return {
      _tag: "Table",
      columns: ["TENANT", "ID", "REPLICAS"],
      rows: Stream.fromIterable(list.map(({ id, name, replicas }) => ({
        json: { id, name, replicas },
        cells: [name ?? "-", id, replicas.map((replica) => `${replicaId(replica)}@${replica.address}`).join(",")]
      }))),
      empty: "no tenants; to make one: v2r2-admin <host:port> vr create tenant --name <name>"
    }
  })
})

const enter = define({
  name: "enter",
  config: { tenant: Argument.String("tenant").pipe(Argument.withDescription("A tenant, by name or id")) },
  summary: "Make a tenant the one that the following commands are for",
  examples: [{ command: "enter orders", description: "In the shell, with -e, or in a script" }],
  json: EnterJson,
  attempt: ({ tenant }) => `enter ${tenant}`,
  run: Effect.fnUntraced(function*({ tenant }) {
    if ((yield* Mode) === "start") {
      return yield* usage(
        "no command follows that could use the tenant",
        `for one command, give --tenant ${quote(tenant)} with it`
      )
    }
    const { id, name } = yield* (yield* Session).enter(tenant)
    return { _tag: "Done", json: { id, name }, plain: id, pretty: `in tenant ${name ?? id}` }
  })
})

/** All of `v2r2-cli`. */
export const clientTree = root("v2r2-cli", {
  summary: "Reads and writes the data of V2R2's tenants.",
  details: "Several addresses may be given, h1:p1,h2:p2: any node will do, and the primary is found. " +
    "Without a command, a shell opens.",
  examples: [
    { command: "create /greeting hello", description: "Create an element" },
    { command: "get /greeting", description: "Read it" },
    { command: "-e 'create directory /a' -e 'tree'", description: "Several commands" }
  ]
}).pipe(
  Command.withSubcommands([get, put, create, remove, list, stat, tree, tenants, enter, ...commonCommands]),
  Command.withGlobalFlags(clientFlags)
)
