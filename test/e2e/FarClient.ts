/**
 * A client at another place of the network, as a program, and the book that its starter keeps of what it says. It creates
 * elements, one after the other, and reads between them; nothing stops it but its end.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import * as Process from "../../src/devrel/Process.ts"
import { type Host, tenant_name } from "./Cluster.ts"
import { bytes, chain } from "./Workload.ts"

/** What became of one call, as a line of JSON. Numbers of writes count from 0; a read has none. `error`: its tag. */
type Said =
  | { readonly number: number | null; readonly version: number }
  | { readonly number: number | null; readonly error: string }

/** What it may say. By these a write may have been executed, or was not. */
const in_doubt = "Indeterminate"
const errors_allowed = new Set([in_doubt, "Unavailable", "Overloaded", "SessionLost"])
const breath_ms = 3

export class FarClient {
  /** How many calls have succeeded. */
  acknowledged = 0
  private readonly directory: string
  private readonly versions = new Map<number, number>()
  private readonly errors: Array<{ readonly number: number | null; readonly error: string }> = []
  private readonly problems: Array<string> = []

  private constructor(directory: string) {
    this.directory = directory
  }

  /** On that host, with one address to begin with. `deadline_ms`: of each call. */
  static async start(host: Host, endpoint: string, directory: string, deadline_ms: number): Promise<FarClient> {
    const client = new FarClient(directory)
    const parameters = [fileURLToPath(import.meta.url), endpoint, directory, String(deadline_ms)]
    const process = await Effect.runPromise(Process.start(parameters, (line) => client.note(line), host.within))
    void Effect.runPromise(process.ended).then((end) => client.problems.push(`the client of ${directory} ended: ${end}`))
    return client
  }

  /** The errors that calls ended with, and how many with each. */
  get told(): string {
    const tags = [...new Set(this.errors.map(({ error }) => error))]
    return tags.map((tag) => `${this.errors.filter(({ error }) => error === tag).length} ${tag}`).join(", ") || "no errors"
  }

  /** What contradicts its answers. It has to be idle then: cut off, or ended. */
  async check(tenant: PromiseTenant): Promise<ReadonlyArray<string>> {
    const found = new Map<number, number>()
    for await (const { name, version } of tenant.listAll(this.directory)) found.set(Number(name), version)
    const lost = [...this.versions].filter(([number, version]) => found.get(number) !== version)
    const denied = this.errors.filter(({ error, number }) => number !== null && error !== in_doubt && found.has(number))
    return [
      ...this.problems,
      ...lost.map(([number, version]) => `${this.directory}/${number}: told version ${version}, has ${found.get(number)}`),
      ...denied.map(({ error, number }) => `${this.directory}/${number} is there, and ${error} says that it was not executed`),
      ...this.errors.filter(({ error }) => !errors_allowed.has(error)).map(({ error, number }) => `${this.directory}/${number}: ${error}`)
    ]
  }

  private note(line: string): void {
    const said: Said | null = parse(line)
    if (said === null) this.problems.push(line)
    else if ("error" in said) this.errors.push(said)
    else {
      this.acknowledged++
      if (said.number !== null) this.versions.set(said.number, said.version)
    }
  }
}

const parse = (line: string): Said | null => {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

const say = (said: Said): void => console.log(JSON.stringify(said))

const attempt = async (number: number | null, call: () => Promise<{ readonly version: number }>): Promise<void> => {
  try {
    const { version } = await call()
    say({ number, version })
  } catch (error) {
    say({ number, error: error instanceof Error ? error.name : String(error) })
  }
  await sleep(breath_ms)
}

const main = async ([endpoint = "", directory = "", deadline = ""]: ReadonlyArray<string>): Promise<void> => {
  const tenant = await connect({ endpoints: [endpoint], tenant: tenant_name, deadline: Number(deadline) })
  await tenant.create(directory, undefined, { type: "directory" })
  for (let number = 0;; number++) {
    await attempt(number, () => tenant.create(`${directory}/${number}`, bytes(number)))
    await attempt(null, () => tenant.get(chain))
  }
}

if (import.meta.main) await main(process.argv.slice(2))
