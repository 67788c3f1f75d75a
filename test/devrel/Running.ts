/**
 * Devrel as a process of a test: its output, and waiting for what it writes.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("fake-devrel.ts", import.meta.url))

export class Running {
  output = ""
  readonly child: ChildProcess
  /** The exit code; the signal's name if it was killed. */
  readonly ended: Promise<number | string>
  private readonly waiting = new Set<() => void>()

  constructor(folder: string, parameters: ReadonlyArray<string>, environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [program, ...parameters], {
      env: { PATH: process.env["PATH"], TEST_FOLDER: folder, ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text
        for (const look of this.waiting) look()
      })
    }
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => {
      resolve(code ?? String(signal))
      for (const look of this.waiting) look()
    }))
  }

  /** Resolves once the output, past and coming, matches; fails if the process ends without it. */
  async writes(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null) throw new Error(`ended (${this.child.exitCode}) without ${pattern}:\n${this.output}`)
      await new Promise<void>((resolve) => {
        const look = () => {
          this.waiting.delete(look)
          resolve()
        }
        this.waiting.add(look)
      })
    }
  }
}

export const temporaryFolder = (): string => join(Fs.mkdtempSync(join(tmpdir(), "devrel-")), "dev")

export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export const listening = (port: number): Promise<Net.Server> =>
  new Promise((resolve, reject) => {
    const server = Net.createServer()
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => resolve(server))
  })

const isFree = async (port: number): Promise<boolean> => {
  const server = await listening(port).catch(() => undefined)
  await new Promise((resolve) => server === undefined ? resolve(undefined) : server.close(resolve))
  return server !== undefined
}

/** The first port of a row of nodes that nobody uses, below those that the system gives away. */
export const freeBasePort = async (nodes: number): Promise<number> => {
  for (let base = 10_000 + (process.pid * 8) % 900; base < 30_000; base += 8) {
    const ports = Array.from({ length: nodes * 4 }, (_, index) => base + 1000 * Math.floor(index / 4) + index % 4)
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return base
  }
  throw new Error("no free ports")
}
