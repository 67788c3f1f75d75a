/**
 * The program `npm run simulate`, as a process: what it prints and how it exits.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "vitest"
import { commandWith } from "./mutations/Mutation.ts"
import { failureOf } from "./Run.ts"
import { readSchedule } from "./ScheduleFile.ts"

const folder = mkdtempSync(join(tmpdir(), "v2r2-simulate-"))
afterAll(() => rmSync(folder, { recursive: true }))

const program = fileURLToPath(new URL("./simulate.ts", import.meta.url))

const simulate = (parameters: ReadonlyArray<string>, mutation: string | null = null) => {
  const { args, command, env } = commandWith(mutation, program, parameters)
  const { status, stderr, stdout } = spawnSync(command, args, { cwd: folder, env, encoding: "utf8", maxBuffer: 2 ** 28 })
  return { status, stderr, stdout }
}

describe("simulate", { timeout: 60_000 }, () => {
  it("gives byte-identical traces for one seed, and others for another", () => {
    const traces = [7, 7, 8].map((seed) => simulate(["--seed", String(seed), "--trace"]).stdout)
    assert.isAbove(traces[0]!.split("\n").length, 1_000)
    assert.isTrue(traces[0] === traces[1], "the same")
    assert.isFalse(traces[0] === traces[2], "another")
  })

  it("runs fresh seeds, and sums up", () => {
    const { status, stdout } = simulate(["--minutes", "0.02", "--first", "1"])
    assert.strictEqual(status, 0, stdout)
    for (const part of ["seeds from 1", "steps", "operations asked", "faults: ", "StartViewChange", "nothing was found"]) {
      assert.include(stdout, part)
    }
  })

  it("saves the schedule of a failure, made smaller, and exits with 1; the file replays it", () => {
    const mutation = "double apply"
    const failed = simulate(["--seed", "1"], mutation)
    assert.strictEqual(failed.status, 1, failed.stdout)
    const [file] = readdirSync(folder).filter((name) => name.startsWith("failure-"))
    assert.include(failed.stdout, `npm run simulate -- --replay ${file}`)
    const saved = readSchedule(join(folder, file!))
    assert.strictEqual(saved.mutation, mutation)
    assert.isBelow(saved.schedule.faults.length, 10)
    // The code as it is withstands it; with the mutation, which the file names, it fails again in the same words.
    assert.isNull(failureOf(saved.schedule))
    const again = simulate(["--replay", file!])
    assert.strictEqual(again.status, 1)
    assert.include(again.stdout, saved.found!.message)
  })

  it("does not forget a failure when it is ended while the schedule is made smaller", async () => {
    const { args, command, env } = commandWith("double apply", program, ["--first", "1", "--workers", "1"])
    const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
      if (text.includes("making its schedule smaller")) child.kill("SIGINT")
    })
    const status = await new Promise((resolve) => child.on("close", resolve))
    assert.strictEqual(status, 1, output)
    assert.include(output, "failed: npm run simulate -- --seed 1")
    assert.notInclude(output, "nothing was found")
  })

  it("says what is wrong with what it is told, and exits with 2", () => {
    writeFileSync(join(folder, "text.json"), "not a schedule")
    writeFileSync(join(folder, "other.json"), "{}")
    for (const [parameters, complaint] of [
      [["--sed", "7"], "--sed"],
      [["--seed", "seven"], "not \"seven\""],
      [["--seed", "1.5"], "a whole number"],
      [["--minutes", "-1"], "--minutes"],
      [["--trace"], "--trace goes with --seed or --replay"],
      [["--exhaustive", "--seed", "1"], "--seed does not go with --exhaustive"],
      [["--replay", "a.json", "--seed", "1"], "--seed does not go with --replay"],
      [["--replay", "none.json"], "there is no such file"],
      [["--replay", "text.json"], "it is not JSON"],
      [["--replay", "other.json"], "it is not a schedule"]
    ] as const) {
      const { status, stderr } = simulate(parameters)
      assert.strictEqual(status, 2, stderr)
      assert.include(stderr, complaint)
    }
  })
})
