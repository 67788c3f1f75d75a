/**
 * What is said of a peer that is not installed.
 *
 * @module
 */
import { expect, it } from "vitest"
import { needs } from "./peers/Etcd.ts"
import { missingOf } from "./peers/Installed.ts"

it("says what was looked for, and what to install", () => {
  expect(missingOf("etcd", needs, () => true)).toBeNull()
  expect(missingOf("etcd", needs, ({ what }) => what === "go")).toBe(
    `etcd is left out: not found: command "etcd", file "/usr/share/gocode/src/go.etcd.io/etcd/clientv3". ` +
      "On Debian: sudo apt-get install etcd-server golang-etcd-server-dev"
  )
})
