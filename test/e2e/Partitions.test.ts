/**
 * Partitions that last through two changes of the group: real processes on hosts of their own.
 *
 * @module
 */
import { describe, expect, it, onTestFinished } from "vitest"
import { text as all } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { lacking, secluded } from "./Hosts.ts"

const program = fileURLToPath(new URL("./Partitions.ts", import.meta.url))
const missing = lacking()
if (missing !== null) console.log(`Partitions are not tried: ${missing}`)

describe.skipIf(missing !== null)("a partition through two changes of the group", () => {
  it.each([
    ["leftOut", "one that is in no group any more, and knows nobody of those, learns it and goes; it sends clients on"],
    ["leftBehind", "one that stays in the group, with nobody else whom it knew, catches up and counts"],
    ["oldPrimary", "the old primary acknowledges nothing, and the clients on its side are served later"],
    ["oneWay", "one that cannot hear its primary learns of both changes from others"]
  ])("%s: %s", { timeout: 180_000 }, async (story) => {
    const telling = secluded([program, story])
    onTestFinished(() => void telling.kill("SIGKILL"))
    const end = new Promise<number | null>((resolve) => telling.once("close", resolve))
    const [code, said, complaints] = await Promise.all([end, all(telling.stdout!), all(telling.stderr!)])
    console.log(said)
    expect({ code, complaints }).toEqual({ code: 0, complaints: "" })
  })
})
