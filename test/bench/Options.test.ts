/**
 * The benchmark's command line: what it understands, what it refuses, and which works follow.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { v2r2 } from "./Cluster.ts"
import { limit } from "./limit/Limit.ts"
import { type Options, parse, UsageError } from "./Options.ts"
import { etcd } from "./peers/Etcd.ts"
import { zooKeeper } from "./peers/ZooKeeper.ts"
import { nameOf } from "./Tables.ts"
import { warmUpFor, worksFor } from "./Works.ts"

const options = (...args: ReadonlyArray<string>): Options => parse(args)!

describe("options", () => {
  it("measure all of V2R2 by default", () => {
    expect(options()).toMatchObject({
      connections: ["one", "each"], tenants: 16, failovers: 5, elements: 1_000_000, durability: "disk", peers: false, limit: false
    })
  })

  it("measure beside others what these do too, unless more is asked for", () => {
    expect(options("--peers")).toMatchObject({ connections: ["one"], tenants: 1, failovers: 5, elements: 0 })
    expect(options("--limit", "--tenants", "4", "--elements", "5000")).toMatchObject({ tenants: 4, elements: 5_000 })
  })

  it("give null for the help", () => {
    expect(parse(["--help"])).toBeNull()
  })

  it.each([
    [["--seconds", "0"], `--seconds: expected a number above 0, up to 3600, got "0"`],
    [["--lease", "199"], `--lease: expected a whole number from 200 to 500, got "199"`],
    [["--outstanding", "1,x"], `--outstanding: expected a whole number from 1 to 1024, got "x"`],
    [["--failovers", "-1"], `--failovers`],
    [["--failovers="], `--failovers: expected a whole number from 0 to 1000, got ""`],
    [["--elements", "1e9"], `--elements: expected a whole number from 0 to 10000000, got "1e9"`],
    [["--durability", "tape"], `--durability: expected disk or memory, got "tape"`],
    [["--svg="], `--svg: expected a path`],
    [["--peer"], `Unknown option '--peer'`]
  ])("refuse %j", (args, complaint) => {
    expect(() => parse(args)).toThrow(UsageError)
    expect(() => parse(args)).toThrow(complaint)
  })
})

describe("works", () => {
  const names = (...args: Parameters<typeof worksFor>): ReadonlyArray<string> => worksFor(...args).map(nameOf)

  it("are one connection, and one for each call", () => {
    expect(names(v2r2, options("--operations", "write", "--outstanding", "1,16", "--tenants", "1"))).toEqual([
      "write, 1 outstanding", "write, 16 outstanding", "write, 16 outstanding, over 16"
    ])
  })

  it("are spread over tenants with as many under way as one had, and as many for each", () => {
    expect(names(v2r2, options("--operations", "read", "--connections", "one")).slice(-2)).toEqual([
      "write, 64 outstanding, 16 tenants", "write, 1024 outstanding, 16 tenants"
    ])
  })

  it("have the connections that are best for others, each once", () => {
    const asked = options("--peers", "--connections", "one,each", "--operations", "write,read", "--outstanding", "1,64", "--tenants", "2")
    expect(names(etcd, asked)).toEqual([
      "write, 1 outstanding", "write, 64 outstanding", "read, 1 outstanding", "read, 64 outstanding, over 4"
    ])
    expect(names(zooKeeper, asked)[1]).toBe("write, 64 outstanding, over 4")
    expect(names(limit, asked)).toEqual(["write, 1 outstanding", "write, 64 outstanding"])
  })

  it("are warmed up for as long by all who are compared", () => {
    const whole_ms = (args: Options) => [v2r2, etcd, zooKeeper].map((system) => {
      const { each_ms, works } = warmUpFor(system, args)
      return each_ms * works.length
    })
    expect(whole_ms(options("--peers", "--seconds", "1"))).toEqual([10_000, 10_000, 10_000])
    expect(whole_ms(options("--peers", "--operations", "write,mix", "--seconds", "5"))).toEqual([15_000, 15_000, 15_000])
    expect(warmUpFor(v2r2, options()).works.map(nameOf)).toEqual(["write, 64 outstanding", "read, 64 outstanding"])
  })
})
