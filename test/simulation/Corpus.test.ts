/**
 * Schedules that showed a bug once, made small: the code as it is withstands them all.
 *
 * @module
 */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { failureOf } from "./Run.ts"
import { readSchedule } from "./ScheduleFile.ts"

const folder = fileURLToPath(new URL("./corpus/", import.meta.url))

const names = readdirSync(folder)

it("has something in it", () => assert.isAbove(names.length, 10))

it.each(names)("%s", (name) => {
  assert.isNull(failureOf(readSchedule(folder + name).schedule))
})
