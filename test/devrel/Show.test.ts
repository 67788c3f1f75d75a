/**
 * What devrel prints, line by line.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { layoutOf } from "../../src/devrel/Layout.ts"
import type { Status } from "../../src/devrel/Nodes.ts"
import { ago, nodeLine, readyText, say, statusTable } from "../../src/devrel/Show.ts"

const screen = (colour: boolean) => {
  const lines: Array<string> = []
  return { lines, colour, out: (line: string) => void lines.push(line), err: (line: string) => void lines.push(line) }
}

const [dev1, dev2] = layoutOf("dev", 2, 2000)
const statuses: ReadonlyArray<Status> = [
  { layout: dev1!, state: "up", pid: 41, since_ms: 1_000, why: "" },
  { layout: dev2!, state: "down", pid: null, since_ms: 61_000, why: "died: signal SIGKILL" }
]

describe("what devrel prints", () => {
  it("a node's line behind its name, in a colour of its own on a terminal", () => {
    const plain = screen(false)
    nodeLine(plain, "dev1", "ready")
    say(plain, "starting")
    expect(plain.lines).toEqual(["dev1 │ ready", "devrel: starting"])
    const coloured = screen(true)
    for (const name of ["dev1", "dev2", "dev1"]) nodeLine(coloured, name, "ready")
    expect(coloured.lines[0]).toBe("\x1b[36mdev1 │\x1b[0m ready")
    expect(coloured.lines[2]).toBe(coloured.lines[0])
    expect(coloured.lines[1]?.slice(0, 5)).not.toBe(coloured.lines[0]?.slice(0, 5))
  })

  it("the status of every node, in columns", () => {
    expect(statusTable(statuses, 66_000)).toEqual([
      "NODE  STATE                 SINCE  PID  CLUSTER         ADMIN           CLIENT          PEER",
      "dev1  up                    1m5s   41   127.0.0.1:2000  127.0.0.1:2001  127.0.0.1:2002  127.0.0.1:2003",
      "dev2  died: signal SIGKILL  5s     -    127.0.0.1:3000  127.0.0.1:3001  127.0.0.1:3002  127.0.0.1:3003"
    ])
  })

  it("commands that work when they are copied", () => {
    const text = readyText(statuses, "dev", "r1::dev1", 2_345).join("\n")
    expect(text).toContain("2 nodes are ready after 2.3 s; tenant dev: r1::dev1")
    expect(text).toContain("  npx v2r2-cli 127.0.0.1:2002 127.0.0.1:3002 --tenant dev  # ")
    expect(text).toContain("  npx v2r2-admin 127.0.0.1:2001 status  ")
  })

  const times = [[0, "0s"], [59_999, "59s"], [252_000, "4m12s"], [3 * 3_600_000 + 61_000, "3h1m"], [-5, "0s"]] as const
  it.each(times)("%i ms: %s", (ms, text) => {
    expect(ago(ms)).toBe(text)
  })
})
