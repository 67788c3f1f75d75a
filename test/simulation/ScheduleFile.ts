/**
 * Schedules on disk: what failed, and how to see it again.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs"
import { faultNames } from "./faults/all.ts"
import type { Schedule } from "./Schedule.ts"

const format = "v2r2-schedule"
const version = 1

export interface SavedSchedule {
  readonly format: typeof format
  readonly version: typeof version
  /** What it led to when it was saved. */
  readonly found: { readonly seed: number; readonly rule: string; readonly message: string } | null
  /** The deliberate bug that it was found with; null: the code as it is. */
  readonly mutation: string | null
  readonly schedule: Schedule
}

export const writeSchedule = (path: string, saved: Omit<SavedSchedule, "format" | "version">): void =>
  writeFileSync(path, `${JSON.stringify({ format, version, ...saved }, null, 1)}\n`)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** By kind of value: who wrote the file wrote the rest as it was drawn. */
const shape: Readonly<Record<keyof Schedule, "number" | "string" | "boolean" | "object">> = {
  seed: "number",
  replicas: "number",
  durability: "string",
  timers: "object",
  lease: "number",
  tick_ms: "number",
  disk_ms: "number",
  turn_ms: "number",
  retry_ms: "number",
  sessions_max: "number",
  inbox_max: "number",
  limits: "object",
  clients: "number",
  window: "number",
  every_ms: "number",
  reads_root: "boolean",
  weather: "object",
  pace_ms: "number",
  faults_ms: "number",
  faults: "object",
  ending: "object"
}

const complaintAbout = (saved: unknown): string | null => {
  if (!isRecord(saved) || saved["format"] !== format) return `it is not a schedule (its "format" is not "${format}")`
  if (saved["version"] !== version) return `its version is ${String(saved["version"])}, and this program reads version ${version}`
  const { schedule } = saved
  if (!isRecord(schedule)) return "it has no \"schedule\""
  for (const [name, kind] of Object.entries(shape)) {
    if (typeof schedule[name] !== kind || schedule[name] === null) return `its schedule's "${name}" is no ${kind}`
  }
  const { faults } = schedule
  if (!Array.isArray(faults)) return "its schedule's \"faults\" are no list"
  for (const event of faults as ReadonlyArray<unknown>) {
    const name = isRecord(event) ? event["fault"] : undefined
    if (!faultNames.includes(name as typeof faultNames[number])) return `its schedule has an unknown fault, ${JSON.stringify(name)}`
  }
  return null
}

/** The message says which file, and what is wrong with it. */
export class ScheduleFileError extends Error {
  override readonly name = "ScheduleFileError"
}

const parsed = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? "it is not JSON" : (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new ScheduleFileError(`${path} cannot be read: ${reason === "ENOENT" ? "there is no such file" : reason}`, { cause })
  }
}

/** Throws a {@link ScheduleFileError}. */
export const readSchedule = (path: string): SavedSchedule => {
  const saved = parsed(path)
  const complaint = complaintAbout(saved)
  if (complaint !== null) throw new ScheduleFileError(`${path} cannot be read: ${complaint}`)
  return saved as SavedSchedule
}
