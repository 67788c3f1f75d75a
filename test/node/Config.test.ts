/**
 * The configuration: what is accepted, and that every refusal is one line with the file, the key and what was expected.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import {
  advertisedAddress,
  type Config,
  config_keys,
  loadConfig,
  parseConfig,
  type RuntimeSettings,
  setRuntime
} from "../../src/node/Config.ts"

const example = fileURLToPath(new URL("../../config.json", import.meta.url))

const minimal = {
  node_name: "dev1",
  cluster_name: "dev",
  admin_host: "127.0.0.1:2001",
  client_host: "127.0.0.1:2002",
  cluster_host: "127.0.0.1:2000",
  peer_host: "127.0.0.1:2003",
  data_dir: "state"
}

const parse = (given: unknown, file = "config.json"): Config =>
  Result.getOrThrow(parseConfig(JSON.stringify(given), file))

const refusal = (given: unknown) =>
  Result.getOrThrow(Result.flip(parseConfig(typeof given === "string" ? given : JSON.stringify(given), "config.json")))

/** The minimal configuration with some keys changed, and those that are undefined left out. */
const wrong = (change: object) => refusal({ ...minimal, ...change })

describe("a configuration", () => {
  it("needs seven keys, and has defaults for the others", () => {
    assert.deepStrictEqual(parse(minimal), {
      ...minimal,
      advertise_host: null,
      heartbeat_ms: 100,
      view_change_ms: 500,
      gossip_ms: 1_000,
      log_level: "info",
      log_format: "pretty",
      lease_ms: 0
    })
  })

  it("is as the example shows it, with every key", () => {
    const text = readFileSync(example, "utf8")
    const config = Result.getOrThrow(parseConfig(text, example))
    assert.sameMembers(Object.keys(JSON.parse(text)), [...config_keys])
    const { admin_host, heartbeat_ms, view_change_ms, gossip_ms } = config
    assert.deepStrictEqual([admin_host, heartbeat_ms, view_change_ms, gossip_ms], ["127.0.0.1:6101", 100, 500, 1_000])
  })

  it.each([
    ["config.json", "state", "state"],
    ["conf/config.json", "state", "conf/state"],
    ["/etc/v2r2/config.json", "../state", "/etc/v2r2/../state"],
    ["/etc/v2r2/config.json", "/var/lib/v2r2", "/var/lib/v2r2"]
  ])("in %s has its data_dir %s in %s", (file, data_dir, expected) => {
    assert.strictEqual(parse({ ...minimal, data_dir }, file).data_dir, expected)
  })

  it("may listen on every interface if others are told where", () => {
    const everywhere = { ...minimal, admin_host: "0.0.0.0:2001", advertise_host: "[fd00::1]" }
    const config = parse(everywhere)
    assert.strictEqual(advertisedAddress(config, config.admin_host), "[fd00::1]:2001")
    assert.strictEqual(advertisedAddress(config, "127.0.0.1:0"), "[fd00::1]:0")
    assert.strictEqual(advertisedAddress(parse(minimal), "127.0.0.1:2001"), "127.0.0.1:2001")
  })

  it("may have one port on two interfaces", () => {
    assert.strictEqual(parse({ ...minimal, peer_host: "127.0.0.2:2000" }).peer_host, "127.0.0.2:2000")
  })
})

describe("a refusal", () => {
  const form = "expected host:port, such as 127.0.0.1:2000 or [::1]:2000"

  it.each<[object, string, string]>([
    [{ node_name: undefined }, "node_name", `missing; expected a name for this node, such as "dev1"`],
    [{ node_name: "dev 1" }, "node_name", `a name has only letters, digits, ".", "_" and "-"; "dev 1" has " "`],
    [{ node_name: 1 }, "node_name", `expected a name for this node, such as "dev1", got 1`],
    [{ cluster_name: null }, "cluster_name", `expected the name of the cluster, such as "dev", got null`],
    [{ client_host: "localhost" }, "client_host", `${form}, got "localhost" without a port`],
    [{ client_host: "localhost:0" }, "client_host", `${form}, got "localhost:0": the port is a number from 1 to 65535`],
    [{ peer_host: 2003 }, "peer_host", "expected host:port for the replication from other nodes, got 2003"],
    [{ peer_host: "127.0.0.1:2000" }, "peer_host", "expected a port of its own, got 2000, which cluster_host has"],
    [{ peer_host: "localhost:2000" }, "peer_host", "expected a port of its own, got 2000, which cluster_host has"],
    [
      { peer_host: "0.0.0.0:2000", advertise_host: "db1" },
      "peer_host",
      "expected a port of its own, got 2000, which cluster_host has"
    ],
    [
      { admin_host: "[::]:2001" },
      "advertise_host",
      "missing; expected the host that others dial, because admin_host listens on every interface"
    ],
    [{ advertise_host: "0.0.0.0" }, "advertise_host", `expected a host that others can dial, got "0.0.0.0"`],
    [
      { advertise_host: "a:1" },
      "advertise_host",
      `expected a host without a port, got "a:1": an IPv6 address is written in brackets`
    ],
    [{ data_dir: "" }, "data_dir", "expected a folder, got an empty text"],
    [{ data_dir: ["a"] }, "data_dir", "expected a folder for this node's state, got a list"],
    [
      { heartbeat_ms: 9 },
      "heartbeat_ms",
      "expected a whole number of milliseconds from 10 to 10000, got 9"
    ],
    [
      { heartbeat_ms: "100" },
      "heartbeat_ms",
      `expected a whole number of milliseconds from 10 to 10000, got "100"`
    ],
    [{ gossip_ms: 0.5 }, "gossip_ms", "expected a whole number of milliseconds from 10 to 60000, got 0.5"],
    [{ heartbeat_ms: 200 }, "view_change_ms", "expected at least 600, 3 times heartbeat_ms, got 500"],
    [
      { lease_ms: 199 },
      "lease_ms",
      "expected 0 for none, or between 2 times heartbeat_ms and view_change_ms (200 to 500), got 199"
    ],
    [
      { lease_ms: 501 },
      "lease_ms",
      "expected 0 for none, or between 2 times heartbeat_ms and view_change_ms (200 to 500), got 501"
    ],
    [
      { log_level: "inof" },
      "log_level",
      `expected one of trace, debug, info, warn, error, fatal, none, got "inof"; did you mean info?`
    ],
    [{ log_format: {} }, "log_format", "expected one of pretty, json, got an object"]
  ])("of %j names the key and what was expected", (change, key, reason) => {
    const error = wrong(change)
    const message = `config.json: ${key}: ${reason}`
    assert.deepStrictEqual([error.file, error.key, error.message], ["config.json", key, message])
  })

  it("of an unknown key asks whether another was meant", () => {
    const misspelt = wrong({ admin_host: undefined, admin_hots: "127.0.0.1:2001" })
    assert.strictEqual(misspelt.message, `config.json: "admin_hots": unknown key; did you mean admin_host?`)
    const unknown = wrong({ "replica\nset": 1 })
    assert.strictEqual(
      unknown.message,
      `config.json: "replica\\nset": unknown key; the keys are ${config_keys.join(", ")}`
    )
    assert.strictEqual(unknown.key, "replica\nset")
  })

  it("says how much more is wrong", () => {
    const error = wrong({ node_name: "", peer_host: "x", heartbeat_ms: -1, color: "red" })
    assert.match(error.message, /^config\.json: "color": unknown key; the keys are [a-z_, ]+ \(\+3 more\)$/)
  })

  it.each([
    [`{\n "node_name": "a",\n}`, `line 3, column 1: expected a key in double quotes, got "}"`],
    ["[]", `expected an object, { "node_name": … }, got a list`],
    ["3", `expected an object, { "node_name": … }, got 3`],
    ["", "line 1, column 1: expected a value, got the end of the file"]
  ])("of the text %j names the place", (text, reason) => {
    const error = refusal(text)
    assert.deepStrictEqual([error.key, error.message], [null, `config.json: ${reason}`])
  })
})

describe("loading", () => {
  it.effect("reads the example", () =>
    Effect.gen(function*() {
      const config = yield* loadConfig(example)
      assert.strictEqual(config.node_name, "n1")
      assert.isTrue(config.data_dir.endsWith("/dev/n1") && config.data_dir.startsWith("/"))
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("says what is wrong with the file as a whole", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const missing = yield* Effect.flip(loadConfig(`${folder}/none.json`))
      const nothing = `${folder}/none.json: there is no such file; expected a configuration in JSON`
      assert.deepStrictEqual([missing._tag, missing.key, missing.message], ["ConfigError", null, nothing])
      const notFile = yield* Effect.flip(loadConfig(folder))
      assert.strictEqual(notFile.message, `${folder}: expected a file, got something else`)
      yield* fs.writeFileString(`${folder}/bad.json`, "{")
      const bad = yield* Effect.flip(loadConfig(`${folder}/bad.json`))
      assert.match(bad.message, /bad\.json: line 1, column 2: expected a key/)
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("says when the user may not read it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(loadConfig("config.json"))
      assert.strictEqual(error.message, "config.json: this user may not read it")
    }).pipe(Effect.provide(FileSystem.layerNoop({
      stat: () =>
        Effect.fail(PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "stat" }))
    }))))
})

describe("config set", () => {
  const settings: RuntimeSettings = { heartbeat_ms: 100, view_change_ms: 500, gossip_ms: 1_000, log_level: "info" }

  it.each<[string, string, Partial<RuntimeSettings>]>([
    ["heartbeat_ms", "166", { heartbeat_ms: 166 }],
    ["view_change_ms", "300", { view_change_ms: 300 }],
    ["gossip_ms", "10", { gossip_ms: 10 }],
    ["log_level", "debug", { log_level: "debug" }]
  ])("changes %s to %s", (key, value, change) => {
    assert.deepStrictEqual(setRuntime(settings, 0, key, value), { ok: true, settings: { ...settings, ...change } })
  })

  const range = "expected a whole number of milliseconds from"
  it.each<[string, string, string, string]>([
    ["colour", "1", "not_found", `"colour": unknown key; the keys are ${config_keys.join(", ")}`],
    ["heartbeat", "1", "not_found", `"heartbeat": unknown key; did you mean heartbeat_ms?`],
    ["gosip_ms", "1", "not_found", `"gosip_ms": unknown key; did you mean gossip_ms?`],
    [
      "node_name",
      "x",
      "denied",
      "node_name is fixed while the node runs: change the configuration file and start the node again"
    ],
    ["heartbeat_ms", "9", "usage", `heartbeat_ms: ${range} 10 to 10000, got 9`],
    ["heartbeat_ms", "1e2", "usage", `heartbeat_ms: ${range} 10 to 10000, got "1e2"`],
    ["heartbeat_ms", "", "usage", `heartbeat_ms: ${range} 10 to 10000, got ""`],
    ["gossip_ms", "-5", "usage", `gossip_ms: ${range} 10 to 60000, got "-5"`],
    ["heartbeat_ms", "200", "usage", "view_change_ms: expected at least 600, 3 times heartbeat_ms, got 500"],
    ["view_change_ms", "299", "usage", "view_change_ms: expected at least 300, 3 times heartbeat_ms, got 299"],
    ["log_level", "x", "usage", `log_level: expected one of trace, debug, info, warn, error, fatal, none, got "x"`]
  ])("refuses %s %s", (key, value, code, reason) => {
    assert.deepStrictEqual<unknown>(setRuntime(settings, 0, key, value), { ok: false, code, reason })
  })

  it("keeps leases between two beats and a view change", () => {
    const range = "lease_ms: expected 0 for none, or between 2 times heartbeat_ms and view_change_ms"
    for (const [key, value, bounds] of [["heartbeat_ms", "160", "320 to 500"], ["view_change_ms", "300", "200 to 300"]] as const) {
      const lease_ms = key === "heartbeat_ms" ? 300 : 400
      const reason = `${range} (${bounds}), got ${lease_ms}`
      assert.deepStrictEqual<unknown>(setRuntime(settings, lease_ms, key, value), { ok: false, code: "usage", reason })
    }
    assert.isTrue(setRuntime(settings, 300, "view_change_ms", "300").ok)
  })

  it("is not fooled by what every object has", () => {
    assert.deepStrictEqual(setRuntime(settings, 0, "toString", "1").ok, false)
    assert.match(wrong({ constructor: 1 }).message, /"constructor": unknown key/)
  })
})
