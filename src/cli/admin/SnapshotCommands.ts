/**
 * `v2r2-admin snapshot …`: the data of a tenant in a file.
 *
 * @module
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { tenantProblem } from "../../base/Names.ts"
import { define, group } from "../Definition.ts"
import { usage } from "../Failure.ts"
import { hex32 } from "../Format.ts"
import { Switch } from "../Options.ts"
import { checkTarget } from "../WholeFile.ts"
import { openSnapshot } from "./Nodes.ts"
import { fileSize, saveSnapshot, verifySnapshot } from "./SnapshotFiles.ts"

const { Natural, NullOr, String: Text, Struct } = Schema

const file = Argument.String("file").pipe(Argument.withDescription("A file on this machine"))

/** `bytes` are those of the file. `digest`: as in `vr replica`; that of any snapshot of this tenant at this op. */
const Saved = Struct({
  file: Text,
  tenant: Text,
  name: NullOr(Text),
  replica: Text,
  op: Natural,
  elements: Natural,
  bytes: Natural,
  digest: Natural
})

const save = define({
  name: "save",
  config: {
    tenant: Argument.String("tenant").pipe(Argument.withDescription("A tenant, by name or id")),
    file,
    force: Switch("force").pipe(Flag.withDescription("Replace the file if it exists"), Flag.withDefault(false))
  },
  summary: "Save the data of a tenant to a file, while it goes on serving",
  details: "The file has the state of the tenant at one op: of when this command began. It is taken from the primary, wherever that is; " +
    "from another replica only if there is no primary, and then that is said. The file is there once it is whole, and on " +
    "the disk; until then it is <file>.tmp.",
  examples: [
    { command: "snapshot save orders orders.snapshot", description: "A backup" },
    { command: "snapshot save --force orders orders.snapshot", description: "In the place of an earlier one" }
  ],
  json: Saved,
  attempt: ({ file, tenant }) => `snapshot save ${tenant} ${file}`,
  run: Effect.fnUntraced(function*({ file, force, tenant }, options) {
    const problem = tenantProblem(tenant)
    if (problem !== null) return yield* usage(problem)
    yield* checkTarget(file, force)
    const opened = yield* openSnapshot(tenant, options)
    const { digest } = yield* saveSnapshot(opened, file, force, options)
    const { elements, name, op, replica, tenant: id } = opened.snapshot
    const bytes = yield* fileSize(file)
    return {
      _tag: "Fields",
      json: { file, tenant: id, name, replica, op, elements, bytes, digest },
      fields: [
        ["file", file],
        ["tenant", id],
        ["name", name ?? "none"],
        ["replica", replica],
        ["op", String(op)],
        ["elements", String(elements)],
        ["bytes", String(bytes)],
        ["digest", hex32(digest)]
      ]
    }
  })
})

/** `time_ms`: of its last operation, in ms since 1970. */
const Verified = Struct({
  file: Text,
  tenant: Text,
  op: Natural,
  time_ms: Natural,
  configurations: Schema.Array(Struct({ epoch: Natural, replicas: Schema.Array(Text) })),
  sessions: Natural,
  elements: Natural,
  parts: Natural,
  bytes: Natural,
  digest: Natural
})

const verify = define({
  name: "verify",
  config: { file },
  offline: true,
  summary: "Check a file that snapshot save made, byte by byte; needs no cluster",
  details: "Every checksum is compared, and the data is made of it in memory, as a node would. The exit code is 0 if a tenant can be " +
    "made of it, 1 if it is damaged or cut off, 3 if there is no such file, 4 if it is no snapshot, or of a newer version, " +
    "5 if it may not be read.",
  examples: [{ command: "snapshot verify orders.snapshot", description: "Is it whole, and what is in it?" }],
  json: Verified,
  attempt: ({ file }) => `snapshot verify ${file}`,
  run: Effect.fnUntraced(function*({ file }, options) {
    const { bytes, digest, elements, header, parts, sessions, tenant } = yield* verifySnapshot(file, options)
    const { configurations, op, time } = header
    return {
      _tag: "Fields",
      json: { file, tenant, op, time_ms: time, configurations, sessions, elements, parts, bytes, digest },
      fields: [
        ["file", file],
        ["tenant", tenant],
        ["op", String(op)],
        ["time", DateTime.formatIso(DateTime.makeUnsafe(time))],
        ...configurations.map(({ epoch, replicas }) => [`epoch ${epoch}`, replicas.join(",")] as const),
        ["sessions", String(sessions)],
        ["elements", String(elements)],
        ["parts", String(parts)],
        ["bytes", String(bytes)],
        ["digest", hex32(digest)],
        ["verdict", "whole"]
      ]
    }
  })
})

const about = "The data of a tenant in a file: backup and restore"

export const snapshotGroup = group("snapshot", about, "snapshot save orders orders.snapshot").pipe(
  Command.withSubcommands([save, verify])
)
