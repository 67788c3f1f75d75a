/**
 * A process that was told to stop and hangs: it ends all the same, and says so.
 *
 * @module
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"

const stop_live = new URL("../../src/node/StopLive.ts", import.meta.url).href

/** It listens to the signals and does nothing about them. */
const hangs = `
  import { exitInTime } from "${stop_live}"
  exitInTime(50)
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {})
  setInterval(() => {}, 1_000)
  console.log("ready")
`

describe("a process that hangs when it is told to stop", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("%s: is cut off, and says so", async (signal) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", hangs])
    const said = text(child.stderr)
    await once(child.stdout, "data")
    child.kill(signal)
    const [code] = await once(child, "exit")
    expect([code, await said]).toEqual([1, `v2r2: the node has not ended within 50 ms after ${signal}, and is cut off\n`])
  })
})
