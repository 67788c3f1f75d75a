/**
 * The debugger as a process: its exit codes, scripts, the page, and a schedule that names a mutation.
 *
 * @module
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "vitest"
import { writeSchedule } from "../ScheduleFile.ts"
import { schedule } from "./Fixture.ts"

const folder = mkdtempSync(join(tmpdir(), "v2r2-debugger-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const launcher = fileURLToPath(new URL("../../../bin/v2r2-debugger.mjs", import.meta.url))

const run = (args: ReadonlyArray<string>, input = "") => {
  const options = { input, encoding: "utf8", cwd: folder } as const
  const { status, stderr, stdout } = spawnSync(process.execPath, [launcher, ...args], options)
  return { status, stderr, stdout }
}

const saved = (name: string, mutation: string | null): string => {
  const path = join(folder, name)
  writeSchedule(path, { found: null, mutation, schedule })
  return path
}

const file = saved("run.json", null)

describe("the debugger", { timeout: 60_000 }, () => {
  it("runs the commands of -c, plain in a pipe", () => {
    const { status, stderr, stdout } = run([file, "-c", "sf 2; print replicas", "-c", "status"])
    assert.deepEqual([status, stderr], [0, ""])
    assert.match(stdout, /^ +STATE/m)
    assert.include(stdout, "holds every rule")
    assert.notInclude(stdout, "\x1b")
  })

  it("runs the lines of its standard input, and stops at the first that fails", () => {
    const { status, stderr, stdout } = run([file], "# a script\ngoto 10\n\nbogus\nstatus\n")
    assert.strictEqual(status, 2)
    assert.match(stdout, /^step \d+ of/m)
    assert.match(stderr, /^error: there is no command "bogus"/)
    assert.notInclude(stdout, "seed")
  })

  it("leaves at quit", () => {
    const { status, stdout } = run([file], "quit\nstatus\n")
    assert.deepEqual([status, stdout], [0, ""])
  })

  it("says what is wrong with its arguments or the file, and how to go on", () => {
    assert.deepEqual([run([]).status, run(["--bogus"]).status, run(["not-there.json"]).status], [2, 2, 3])
    assert.match(run([]).stderr, /which run\?.*\n.*--help/)
    assert.match(run(["not-there.json"]).stderr, /^error: there is no file not-there.json/)
    const { status, stderr } = run([launcher])
    assert.strictEqual(status, 2)
    assert.match(stderr, /^error: .*v2r2-debugger\.mjs cannot be read: it is not JSON/)
    assert.strictEqual(run(["--help"]).status, 0)
  })

  it("writes the page, beside the file unless told otherwise", () => {
    assert.match(run([file, "--html"]).stderr, /wrote .*run\.html/)
    const page = readFileSync(join(folder, "run.html"), "utf8")
    assert.match(page, /^<!doctype html>/)
    assert.strictEqual(run([file, "--html", "-"]).stdout, page)
  })

  it("runs a schedule that names a mutation over the core with that bug", () => {
    const mutated = run([saved("mutated.json", "commit off by one"), "-c", "where; status"])
    assert.strictEqual(mutated.status, 0, mutated.stderr)
    assert.match(mutated.stdout, /VIOLATION by R\d at step/)
    assert.match(mutated.stdout, /with the mutation commit off by one/)
    assert.match(run([saved("unknown.json", "no such bug"), "-c", "s"]).stderr, /^error: .*no such bug/)
  })
})
