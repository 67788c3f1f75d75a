/**
 * Whether the peers and what their load generators are built with are there, and how they get there; and building.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { Trouble } from "../../../src/devrel/Trouble.ts"

/** What a peer needs: a command, or a file, and the Debian package that has it. */
export interface Need {
  readonly what: string
  readonly package: string
}

export const isThere = ({ what }: Need): boolean =>
  what.includes("/")
    ? Fs.existsSync(what)
    : (process.env["PATH"] ?? "").split(Path.delimiter).some((folder) => Fs.existsSync(Path.join(folder, what)))

/** In words: what was looked for, and what to type. Null if all is there. */
export const missingOf = (
  peer: string,
  needs: ReadonlyArray<Need>,
  has: (need: Need) => boolean = isThere
): string | null => {
  const missing = needs.filter((need) => !has(need))
  if (missing.length === 0) return null
  const looked = missing.map((need) => `${need.what.includes("/") ? "file" : "command"} "${need.what}"`).join(", ")
  const packages = [...new Set(missing.map((need) => need.package))].join(" ")
  return `${peer} is left out: not found: ${looked}. On Debian: sudo apt-get install ${packages}`
}

/** Where what was built is kept, for as long as its source is the same. */
const cacheOf = (source: string): string => {
  const base = process.env["XDG_CACHE_HOME"] ?? Path.join(Os.homedir(), ".cache")
  const digest = createHash("sha256").update(Fs.readFileSync(source)).digest("hex").slice(0, 16)
  return Path.join(base, "v2r2-bench", `${Path.basename(source)}-${digest}`)
}

/** Runs a command; what it writes is shown if it fails. */
const run = (
  command: string,
  parameters: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>
): Effect.Effect<void, Trouble> =>
  Effect.callback((resume) => {
    const child = execFile(command, [...parameters], { env: { ...process.env, ...environment } }, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.void)
      resume(new Trouble({ exit: "failed", message: `cannot build a load generator: ${error.message}\n${stdout}${stderr}` }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/**
 * Builds the source file of this folder, unless that has been done, by a command that writes into `folder`. Gives the folder.
 */
export const built = Effect.fnUntraced(function*(
  name: string,
  command: (source: string, folder: string) => {
    readonly words: readonly [string, ...ReadonlyArray<string>]
    readonly environment?: Readonly<Record<string, string>>
  }
): Effect.fn.Return<string, Trouble> {
  const source = fileURLToPath(new URL(name, import.meta.url))
  const folder = cacheOf(source)
  if (Fs.existsSync(folder)) return folder
  // Complete, or not there: another run may build the same.
  const fresh = `${folder}.${process.pid}`
  Fs.mkdirSync(fresh, { recursive: true })
  const { environment = {}, words: [program, ...parameters] } = command(source, fresh)
  yield* run(program, parameters, environment).pipe(
    Effect.onExit((exit) => Effect.sync(() => {
      if (exit._tag === "Success" && !Fs.existsSync(folder)) Fs.renameSync(fresh, folder)
      else Fs.rmSync(fresh, { recursive: true })
    }))
  )
  return folder
})
