/**
 * The debugger at a terminal, played by a list of what the user types.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { plain } from "../../../src/cli/Output.ts"
import { type Input, LineEditor } from "../../../src/cli/shell/LineEditor.ts"
import { recordingOf, sourceOf } from "./Fixture.ts"
import { Session } from "./Session.ts"
import { shell } from "./Shell.ts"

const folder = mkdtempSync(join(tmpdir(), "v2r2-debugger-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const line = (text: string): Input => ({ _tag: "Line", line: text })
const interrupt: Input = { _tag: "Interrupt", empty: false }

interface Seen {
  readonly lines: ReadonlyArray<string>
  readonly prompts: ReadonlyArray<string>
  /** The history that the terminal was given. */
  readonly history: ReadonlyArray<string>
}

/** What was run, until `leave` or the end of the inputs; each run moves one stop forward. */
const play = (inputs: ReadonlyArray<Input>, failAt?: number): Promise<Seen> => {
  const session = Session.open(sourceOf(failAt), recordingOf(failAt))
  const [lines, prompts, given]: [Array<string>, Array<string>, Array<string>] = [[], [], []]
  const rest = [...inputs]
  const editor = LineEditor.of({
    open: ({ history }) => Effect.sync(() => {
      given.push(...history)
      return {
        read: (prompt) => Effect.sync(() => {
          prompts.push(prompt)
          return rest.shift() ?? { _tag: "End" } as const
        }),
        interrupt: Effect.never
      }
    })
  })
  const typed = shell(session, plain, (text) => {
    lines.push(text)
    session.goTo(text === "end" ? Infinity : session.at + 1)
    return text !== "leave"
  })
  return Effect.runPromise(typed.pipe(
    Effect.provide(Layer.mergeAll(
      Layer.succeed(LineEditor, editor),
      NodeFileSystem.layer,
      ConfigProvider.layer(ConfigProvider.fromUnknown({ XDG_STATE_HOME: folder }))
    )),
    Effect.ensuring(Effect.sync(() => session.close())),
    Effect.as({ lines, prompts, history: given })
  ))
}

describe("the shell", () => {
  it("repeats the last command for an empty line", async () => {
    assert.deepEqual((await play([line("sf"), line(""), line("  "), line("p"), line("")])).lines, ["sf", "sf", "sf", "p", "p"])
  })

  it("leaves when it is told to, and at the end of the input; not at Ctrl-C", async () => {
    assert.deepEqual((await play([line("sf"), interrupt, line("leave"), line("p")])).lines, ["sf", "leave"])
    assert.deepEqual((await play([])).lines, [])
  })

  it("says in the prompt where it stands, and that this is where it failed", async () => {
    const { prompts } = await play([line("sf"), line("end")], 300)
    assert.match(prompts[0]!, /^0\/300> $/)
    assert.match(prompts[1]!, /^[1-9]\d*\/300> $/)
    assert.strictEqual(prompts[2], "✗ 300/300> ")
  })

  it("keeps what was typed for the next time", async () => {
    await play([line("find this"), line("")])
    assert.include(readFileSync(join(folder, "v2r2/v2r2-debugger_history"), "utf8"), "find this\n")
    assert.strictEqual((await play([])).history.at(-1), "find this")
  })
})
