/**
 * Style that can be checked is a test: the house rules, each shown to bite, then held against every file.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { deadLinks } from "./Links.ts"
import {
  fileSizes, functionSizes, importRule, lineLengths, noEscapes, noHiddenInputs, noMachine, opensWithPurpose, type Rule, sizesGiven
} from "./Rules.ts"
import { parse, read, type Source, tracked, under } from "./Source.ts"

const src = under("src", [".ts"]).map((path) => parse(path, read(path)))
const bin = under("bin", [".ts", ".mjs"]).map((path) => parse(path, read(path)))
const test = under("test", [".ts"]).map((path) => parse(path, read(path)))

/** Each example is a path, a text, and what the complaint says. */
type Example = readonly [path: string, text: string, complaint: string]

const check = (name: string, rule: Rule, files: ReadonlyArray<Source>, examples: ReadonlyArray<Example>) => {
  describe(name, () => {
    it.each(examples)("complains about %s: %s", (path, text, complaint) => {
      expect(rule(parse(path, text)).join("\n")).toContain(complaint)
    })
    it("holds everywhere", () => {
      expect(files.flatMap(rule)).toEqual([])
    })
  })
}

check("who may import whom", importRule, [...src, ...bin], [
  ["src/base/A.ts", `import { a } from "../vr/Log.ts"`, "base may import nothing else"],
  ["src/vr/A.ts", `import { a } from "../store/Tree.ts"`, "imports src/store/Tree.ts: vr may import only base"],
  ["src/vr/states/A.ts", `import type { a } from "../../wire/Frame.ts"`, "vr may import only base"],
  ["src/vr/A.ts", `import * as Effect from "effect/Effect"`, "vr is pure"],
  ["src/store/A.ts", `import { a } from "../vr/Log.ts"`, "store may import only base, vr/Application.ts"],
  ["src/client/A.ts", `export * from "../node/Config.ts"`, "client may import only"],
  ["src/client/A.ts", `import { a } from "../store/Tree.ts"`, "client may import only"],
  ["src/cli/A.ts", `const a = await import("../network/Framed.ts")`, "cli may import only"],
  ["src/network/A.ts", `import { a } from "../storage/Journal.ts"`, "network may import only"],
  ["src/network/A.ts", `import * as Net from "node:net"`, "only bin, devrel and live versions"],
  ["src/node/A.ts", `import * as A from "@effect/platform-node/NodeSocket"`, "only bin, devrel and live versions"],
  ["src/node/A.ts", `import { Effect } from "effect"`, "imports the barrel"],
  ["src/node/A.ts", `import { a } from "./B"`, "without its ending"],
  ["src/node/A.ts", `import { a } from "../../test/B.ts"`, "outside src"],
  ["src/new/A.ts", `import { a } from "../base/Limits.ts"`, "no import rule"]
])

it("the import rule lets through what the architecture allows", () => {
  const allowed = [
    parse("src/store/A.ts", `import type { a } from "../vr/Application.ts"`),
    parse("src/client/A.ts", `import { a } from "../store/Operation.ts"\nimport { b } from "../network/TcpNetwork.ts"`),
    parse("src/network/TcpNetwork.ts", `import * as Net from "node:net"`),
    parse("src/cli/shell/A.ts", `import * as Readline from "node:readline"`),
    parse("src/base/A.ts", `import { isIPv6 } from "node:net"`),
    parse("bin/a.ts", `import * as Config from "../src/node/Config.ts"`)
  ]
  expect(allowed.flatMap(importRule)).toEqual([])
})

check("file sizes", fileSizes, [...src, ...bin, ...test], [
  ["src/node/A.ts", "//\n".repeat(401), "401 lines: at most 400"],
  ["bin/a.ts", "//\n".repeat(31), "31 lines: at most 30"]
])

check("line lengths", lineLengths, [...src, ...bin, ...test], [
  ["src/node/A.ts", `//\n//${"x".repeat(139)}\n`, "src/node/A.ts:2 has 141 columns"]
])

check("function sizes", functionSizes, [...src, ...bin], [
  ["src/node/A.ts", `//\nconst f = function*() {${"\n".repeat(70)}}`, "src/node/A.ts:2 a function of 71 lines"],
  ["src/node/A.ts", `class C { static a() {${"\n".repeat(70)}} }`, "a function of 71 lines"],
  ["src/node/A.ts", `const f = () => {${"\n".repeat(70)}}`, "a function of 71 lines"]
])

check("files open with their purpose", opensWithPurpose, [...src, ...test], [
  ["src/node/A.ts", `import a from "b"`, "does not open with a doc comment"],
  ["src/node/A.ts", `/** What it is. */\n/** @module */`, "does not open with a doc comment"]
])

check("time, chance and output are inputs", noHiddenInputs, src, [
  ["src/node/A.ts", `const now = Date.now()`, "uses Date.now"],
  ["src/node/A.ts", `const now = new Date()`, "uses Date"],
  ["src/node/A.ts", `const id = Math.random()`, "uses Math.random"],
  ["src/node/A.ts", `const id = crypto.randomUUID()`, "uses crypto.randomUUID"],
  ["src/node/A.ts", `setTimeout(() => {}, 5)`, "uses setTimeout"],
  ["src/devrel/A.ts", `console.log("x")`, "uses console.log"]
])

const all_but_this = [...src, ...bin, ...test.filter(({ path }) => !path.startsWith("test/tidy/"))]

check("no way around the types, nothing left to do", noEscapes, all_but_this, [
  ["src/node/A.ts", `const a = 1 as unknown as string`, "as unknown as"],
  ["src/node/A.ts", `// TO${""}DO: later`, "has"]
])

check("tests draw what they say", sizesGiven, test.filter(({ path }) => !path.startsWith("test/tidy/")), [
  ["test/node/A.test.ts", `fc.array(fc.nat(), { maxLength: 1_000 })`, "A.test.ts:1 up to 1000 without a size"],
  ["test/node/A.test.ts", `fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30, size: "max" })`, "up to 50"],
  ["test/node/A.test.ts", `fc.array(fc.array(a, { maxLength: 5 }), { maxLength: 300 })`, "up to 300"],
  ["test/node/A.test.ts", `fc.record({ size: fc.nat(), data: fc.string({\n  maxLength: 20\n}) })`, "up to 20"],
  ["test/node/A.test.ts", `fc.array(a, { minLength: 10, maxLength: most })`, "up to NaN"]
])

it("the rule for what is drawn lets through what is drawn anyway", () => {
  const options = ["minLength: 20, maxLength: 40", "maxLength: 10", "maxLength: 120, minLength: 120", `maxLength: 99, size: "max"`, "a: 99"]
  expect(options.flatMap((each) => sizesGiven(parse("test/A.ts", `fc.array(a, { ${each} })`)))).toEqual([])
})

describe("what is in the repository", () => {
  const files = tracked()
  const texts = files.filter((path) => /\.(?:ts|mjs|json|md|yml|sh)$|^[^.]+$|rc$|ignore$/.test(path))

  it("names no machine and no registry", () => {
    expect(noMachine("a", `cd ${"/ho"}me/someone`)).toHaveLength(1)
    expect(noMachine("a", `"resol${""}ved": "x"`)).toHaveLength(1)
    expect(noMachine("a", "put /users/home/a")).toEqual([])
    expect(texts.flatMap((path) => noMachine(path, read(path)))).toEqual([])
  })

  it("has exact versions, all locked by integrity", () => {
    const manifest = JSON.parse(read("package.json"))
    const kinds = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies, manifest.overrides]
    const versions = kinds.flatMap((kind) => Object.entries<string>(kind))
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
    const locked = Object.entries<{ integrity?: string }>(JSON.parse(read("package-lock.json")).packages)
    expect(locked.filter(([path, { integrity }]) => path !== "" && integrity === undefined)).toEqual([])
  })

  it("has no other top-level files and folders than these", () => {
    const top = new Set(files.map((path) => path.split("/")[0]))
    const known = [
      "src", "bin", "test", "docs", "README.md", "LICENSE", "config.json", "package.json", "package-lock.json",
      "tsconfig.json", "tsconfig.build.json", "vitest.config.ts", ".ci", ".gitignore", ".npmrc", ".oxlintrc.json"
    ]
    expect([...top].filter((name) => name === undefined || !known.includes(name))).toEqual([])
  })

  it("has no dead link in its documents", () => {
    expect(deadLinks("docs/A.md", "[x](./NOT_THERE.md)")).toEqual([`docs/A.md: "./NOT_THERE.md" leads nowhere`])
    expect(deadLinks("docs/A.md", "# One\n[x](#two)")).toEqual([`docs/A.md: "#two" leads nowhere`])
    expect(deadLinks("docs/A.md", "# One `two`, three\n[x](#one-two-three) [y](https://example.org)")).toEqual([])
    expect(deadLinks("docs/A.md", "[z](../package.json)")).toEqual([])
    expect(files.filter((path) => path.endsWith(".md")).flatMap((path) => deadLinks(path, read(path)))).toEqual([])
  })
})
