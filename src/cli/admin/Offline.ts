/**
 * Commands that look at the files of a node, without a node: `inspect …` and `data check`. They change nothing.
 *
 * @module
 */
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { checkData, surveyData } from "../../node/DataCheckLive.ts"
import type { LockRefusal } from "../../storage/LockLive.ts"
import { makeReadableDisk } from "../../storage/LogDiskLive.ts"
import { inspectLog, logFiles, processAt } from "../../storage/LogInspectionLive.ts"
import { inspectSnapshots, snapshotFiles } from "../../storage/SnapshotInspectionLive.ts"
import type { DiskError } from "../../storage/log/LogDisk.ts"
import { define, Documentation, type Ending, group } from "../Definition.ts"
import { type ExitName, Failure, usage } from "../Failure.ts"
import { fileFailure } from "../FileTrouble.ts"
import { type Options, Switch, Whole } from "../Options.ts"
import { Output } from "../Output.ts"
import { makeProgress } from "../Progress.ts"
import type { View } from "../View.ts"
import { checkJson, checkPlain, CheckedData, checkText } from "./CheckView.ts"
import { LogLine, LogLines } from "./LogLines.ts"
import { SnapshotLine, SnapshotLines } from "./SnapshotLines.ts"

const exit_codes = "The exit code is 0 if all is whole, 1 if something is damaged, 3 if there is no such file, 4 if it is " +
  "none of ours or of a newer version."

const where = (ending: string): string => `It is at <data_dir>/tenants/<tenant id>/<replica>@<node>.${ending}. `

const flag = (name: string, description: string) =>
  Switch(name).pipe(Flag.withDescription(description), Flag.withDefault(false))
const op = (name: string, description: string, otherwise: number) =>
  Whole(name, 1).pipe(Flag.withDescription(description), Flag.withDefault(otherwise))

/** What the path leads to. */
const lookAt = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* Effect.mapError(fs.stat(path), fileFailure("read", path))
  return { fs, disk: makeReadableDisk(fs), isFolder: type === "Directory" }
})

const notThere = (path: string, what: string, hint: string): Failure =>
  new Failure({
    exit: "conflict",
    code: "no_such_files",
    attempt: "",
    message: `there is no ${what} in ${path}`,
    hint,
    detail: { file: path }
  })

const unreadable = ({ file, reason }: DiskError): Failure =>
  new Failure({ exit: "failed", code: "file", attempt: "", message: `cannot read ${file}: ${reason}`, hint: null, detail: { file } })

/** A node that is running writes on while we read. */
const sayIfRunning = Effect.fnUntraced(function*(
  fs: FileSystem.FileSystem,
  path: string,
  isFolder: boolean,
  { quiet }: Options
) {
  const pid = yield* processAt(fs, path, isFolder)
  if (pid === null || quiet) return
  const { say } = yield* Output
  yield* say(`process ${pid} is at work on these files: what they end with may not be there yet, or look damaged`)
})

const endingOf = ({ damaged, refused }: { readonly damaged: number; readonly refused: number }): ExitName | null =>
  damaged > 0 ? "failed" : refused > 0 ? "conflict" : null

const log = define({
  name: "log",
  config: {
    path: Argument.String("path").pipe(Argument.withDescription("The .log folder of a replica, or a single file of it")),
    entries: flag("entries", "Show the entries of each write, too"),
    from: op("from", "Only writes that reach this op", 0),
    to: op("to", "Only writes up to this op", Number.MAX_SAFE_INTEGER)
  },
  offline: true,
  summary: "Show the log of a replica, write by write; needs no cluster",
  details: where("log") + "The files are read as a node reads them when it starts, and nothing is changed. What is wrong is said " +
    "in the words of that node; what follows damage is shown as well, from the next file on. A write that a crash cut short is no " +
    "damage. Whether the log is all that its replica acknowledged depends on other files, too: data check knows. The values " +
    "themselves are not shown.\n" + exit_codes,
  examples: [
    { command: "inspect log r1@dev1.log", description: "All of it" },
    { command: "inspect log --entries --from 100 --to 110 r1@dev1.log", description: "What some ops are" },
    { command: "inspect log 00000003.log --json", description: "One file, for a program" }
  ],
  json: LogLine,
  lines: true,
  attempt: ({ path }) => `inspect log ${path}`,
  run: Effect.fnUntraced(function*({ entries, from, path, to }, options) {
    if (from > to) return yield* usage(`--from ${from} is behind --to ${to}`)
    const { disk, fs, isFolder } = yield* lookAt(path)
    const files = yield* Effect.mapError(logFiles(disk, path, isFolder), unreadable)
    if (files === null) {
      return yield* notThere(path, "file of a log, 00000001.log and so on,", "give the .log folder of a replica, or one of its files")
    }
    yield* sayIfRunning(fs, path, isFolder, options)
    const { paint, terminal } = yield* Output
    const lines = new LogLines({ entries, from, to }, paint, terminal && !options.json)
    const items = inspectLog(disk, files).pipe(
      Stream.mapArray((batch) => [lines.ofAll(batch)] as const),
      Stream.filter(Array.isReadonlyArrayNonEmpty),
      Stream.flattenArray
    )
    return {
      _tag: "Lines",
      lines: Stream.concat(items, Stream.suspend(() => Stream.succeed(lines.end()))),
      exit: () => endingOf(lines)
    } satisfies View<typeof LogLine["Type"]> & Ending
  })
})

const snapshot = define({
  name: "snapshot",
  config: {
    path: Argument.String("path").pipe(Argument.withDescription("A snapshot file, or the .snapshots folder of a replica")),
    elements: flag("elements", "List the elements, too")
  },
  offline: true,
  summary: "Show what a snapshot holds, and whether it is whole; needs no cluster",
  details: where("snapshots") + "Of a folder, all files are shown: also one that a save did not finish (.tmp), and those that a node " +
    "set aside (.damaged). Nobody relies on these two kinds, and their damage does not count. Nothing is changed.\n" + exit_codes,
  examples: [
    { command: "inspect snapshot r1@dev1.snapshots", description: "All that a replica has" },
    { command: "inspect snapshot --elements orders.snapshot", description: "What is in one" }
  ],
  json: SnapshotLine,
  lines: true,
  attempt: ({ path }) => `inspect snapshot ${path}`,
  run: Effect.fnUntraced(function*({ elements, path }, options) {
    const { disk, fs, isFolder } = yield* lookAt(path)
    const files = yield* Effect.mapError(snapshotFiles(disk, path, isFolder), unreadable)
    if (files.length === 0) {
      return yield* notThere(path, "snapshot", "give the .snapshots folder of a replica, or a file")
    }
    yield* sayIfRunning(fs, path, isFolder, options)
    const { paint } = yield* Output
    const lines = new SnapshotLines(!isFolder, paint)
    return {
      _tag: "Lines",
      lines: Stream.map(inspectSnapshots(disk, files, elements), lines.of),
      exit: () => endingOf(lines)
    } satisfies View<typeof SnapshotLine["Type"]> & Ending
  })
})

const check = define({
  name: "check",
  config: {
    data_dir: Argument.String("data_dir").pipe(Argument.withDescription("The data_dir of a node, as its config.json names it")),
    while_running: flag("while-running", "Look even if a node is at work there: what is said may not hold any more")
  },
  offline: true,
  summary: "Check all that a node keeps on its disk; needs no cluster",
  details: "Files are judged by the code that a start of the node runs, and nothing is changed. For each replica it says whether it is " +
    "whole, torn (whole, after a write that a crash cut short and nobody was told of), in doubt (it may not be all that was " +
    "acknowledged), or refused (not this replica's, of a newer version, or unreadable), and what the next start does with it. Not " +
    "read are files that were set aside, and those of replicas that do not belong here.\nThe exit code is 0 if all is whole, 1 if " +
    "something is damaged, 2 if the command line makes no sense, 3 if there is no such folder, or nothing of a node in it, 4 if a " +
    "node is at work there.",
  examples: [
    { command: "data check /var/lib/v2r2", description: "Before a node is started again" },
    { command: "data check --while-running /var/lib/v2r2 --json", description: "For a program, which knows that a node may run" }
  ],
  json: CheckedData,
  attempt: ({ data_dir }) => `data check ${data_dir}`,
  run: Effect.fnUntraced(function*({ data_dir, while_running }, options) {
    const { fs, isFolder } = yield* lookAt(data_dir)
    const seen = isFolder ? yield* Effect.mapError(surveyData(fs, data_dir), unreadable) : null
    if (seen === null || seen.isEmpty) return yield* noNode(data_dir)
    if (seen.running !== null && !while_running) return yield* inUse(data_dir, seen.running)
    const total = seen.found.replicas.reduce((sum, { bytes, spare_bytes }) => sum + bytes - spare_bytes, 0)
    // The bar goes away before anything is shown.
    const report = yield* Effect.scoped(Effect.flatMap(makeProgress("check", total, options), (advance) =>
      checkData(fs, data_dir, seen, advance)))
    return {
      _tag: "Text",
      json: checkJson(report),
      plain: checkPlain(report),
      pretty: (paint) => checkText(report, paint),
      ...(report.verdict === "whole" ? {} : { exit: "failed" as const })
    } satisfies View<typeof CheckedData["Type"]> & Ending
  })
})

const noNode = (data_dir: string): Failure =>
  new Failure({
    exit: "not_found",
    code: "no_node",
    attempt: "",
    message: `there is nothing of a node in ${data_dir}`,
    hint: "data_dir in the config.json of the node says which folder it is; it is relative to that file",
    detail: { file: data_dir }
  })

const inUse = (data_dir: string, { file, pid }: LockRefusal): Failure =>
  new Failure({
    exit: "conflict",
    code: "in_use",
    attempt: "",
    message: `${pid === null ? "another process" : `process ${pid}`} is at work in ${data_dir}`,
    hint: `stop it first, or look nevertheless with --while-running (if that process is no v2r2 node, remove ${file})`,
    detail: { file: data_dir, pid }
  })

const needsNoAddress = Command.annotate(Documentation, { details: "", json: null, offline: true })

export const dataGroup = group("data", "The folder of a node; needs no cluster", "data check /var/lib/v2r2").pipe(
  Command.withSubcommands([check]),
  needsNoAddress
)

export const inspectGroup = group(
  "inspect",
  "What the files of a replica hold; needs no cluster",
  "inspect log r1@dev1.log"
).pipe(Command.withSubcommands([log, snapshot]), needsNoAddress)
