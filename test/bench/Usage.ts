/**
 * What processes have used of the machine, as the system counts it.
 *
 * @module
 */
import { readFileSync } from "node:fs"
import { cpus } from "node:os"

/** In units of which Linux counts processor time for everybody to read. */
const ticks_per_s = 100

const readProc = (pid: number, file: string): string | null => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return null
  }
}

/** User and system time of a process with all its threads, in seconds; null if this system does not say. */
export const processCpu = (pid: number): number | null => {
  const stat = readProc(pid, "stat")
  if (stat === null) return null
  // The second field is the program's name in parentheses, and may have spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticks_per_s
}

/** The most memory that a process ever had in use, in MiB; null if this system does not say. */
export const peakMemory = (pid: number): number | null => {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, "status") ?? "")
  return line === null ? null : Number(line[1]) / 1024
}

/** All processors together, busy with anything, in seconds. */
export const machineCpu = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000
