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
import { nameProblem, replicaId, tenantProblem } from "../../base/Names.ts"
import { Admin } from "../../client/Admin.ts"
import { commands, importing_ms } from "../../wire/AdminProtocol.ts"
import { define, Endpoints, group } from "../Definition.ts"
import { usage } from "../Failure.ts"
import { hex32, plural } from "../Format.ts"
import { Switch } from "../Options.ts"
import { Output } from "../Output.ts"
import { whileWaiting } from "../Progress.ts"
import { checkTarget } from "../WholeFile.ts"
import { callsTo, openSnapshot, untilServed } from "./Nodes.ts"
import { placesOf, tenantFlags } from "./TenantFlags.ts"
import { fileSize, saveSnapshot, verifySnapshot, withUpload } from "./SnapshotFiles.ts"
import { groupOf } from "./SnapshotLines.ts"

/** Beside what the nodes make of the snapshot: a creation may have to ask several times. */
const publishing_ms = 60_000

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
  history: Schema.Array(Struct({ epoch: Natural, op: Natural, replicas: Schema.Array(Text) })),
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
    const { history, op, time } = header
    return {
      _tag: "Fields",
      json: { file, tenant, op, time_ms: time, history: history.map(groupOf), sessions, elements, parts, bytes, digest },
      fields: [
        ["file", file],
        ["tenant", tenant],
        ["op", String(op)],
        ["time", DateTime.formatIso(DateTime.makeUnsafe(time))],
        ...history.map(({ epoch, replicas }) => [`epoch ${epoch}`, replicas.join(",")] as const),
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

/** `op`, `elements`: what it begins with. */
const Restored = Struct({ file: Text, ...commands["vr.create"].ok.fields, op: Natural, elements: Natural })

const restore = define({
  name: "restore",
  config: {
    file,
    replicas: tenantFlags.replicas,
    tenant: Flag.String("tenant").pipe(Flag.withMetavar("<name>"), Flag.withDescription("The name of the new tenant")),
    durability: tenantFlags.durability
  },
  summary: "Create a tenant that begins with the data of a file that snapshot save made",
  details: "It is a new tenant, with a new id: the one that the file is of may still be there, under another name. All " +
    "elements have their versions, and versions go on above them, so that whoever compares versions is not deceived. " +
    "Sessions are not kept: clients open new ones. The file is verified, and sent to every node that gets a replica; their " +
    "admin addresses (cluster members) must be reachable from here. If anything fails, there is no tenant.",
  examples: [
    { command: "snapshot restore orders.snapshot --tenant orders2", description: "On up to three nodes that the node chooses" },
    { command: "snapshot restore orders.snapshot --tenant orders2 r1::dev1,r2::dev2,r3::dev3", description: "On these nodes" },
    { command: "snapshot restore cache.snapshot --tenant cache2 --durability memory", description: "Of any durability" }
  ],
  json: Restored,
  attempt: ({ file, tenant }) => `snapshot restore ${file} --tenant ${tenant}`,
  run: Effect.fnUntraced(function*({ durability, file, replicas, tenant }, options) {
    const problem = nameProblem(tenant)
    if (problem !== null) return yield* usage(problem)
    const wish = { name: tenant, replicas: yield* placesOf(replicas), durability }
    const facts = yield* verifySnapshot(file, options)
    const { at, call } = yield* Admin
    // A node answers one command after the other: that the upload is not needed any more has to overtake the creation.
    const creating = yield* at(yield* Endpoints)
    const plan = yield* call("vr.plan", wish)
    const calls = yield* callsTo(plan.replicas.map(({ node }) => node))
    const { bytes, elements, header: { op } } = facts
    const created = yield* withUpload(file, facts, calls, options, (id) =>
      creating("vr.create", { ...wish, ...plan, upload: { id, bytes } }, { deadline_ms: importing_ms(bytes) + publishing_ms }).pipe(
        whileWaiting("the nodes make the tenant of it", options)
      ))
    const isServed = yield* whileWaiting("its replicas start", options)(untilServed(created.id, importing_ms(bytes)))
    if (!isServed && !options.quiet) yield* (yield* Output).say("the tenant is created, and has no primary yet: see status")
    const group = created.replicas.map(replicaId).join(",")
    return {
      _tag: "Done",
      json: { file, ...created, op, elements },
      plain: created.id,
      pretty: `created tenant ${tenant} (${created.id}) on ${group}, durability ${created.durability}, ` +
        `with ${plural(elements, "element")} as of op ${op}`
    }
  })
})

const about = "The data of a tenant in a file: backup and restore"

export const snapshotGroup = group("snapshot", about, "snapshot save orders orders.snapshot").pipe(
  Command.withSubcommands([save, verify, restore])
)
