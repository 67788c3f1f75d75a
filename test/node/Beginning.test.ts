/**
 * What a replica is prepared with.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { preparation } from "../../src/node/Beginning.ts"
import { tenantOf } from "../cli/DataFolder.ts"

describe("a replica that is prepared", () => {
  it("has the group of its tenant in its head, in the order that all agree on", () => {
    const replicas = [{ name: "r2", node: "dev1" }, { name: "r10", node: "dev2" }, { name: "r1", node: "dev3" }]
    const { head } = preparation(tenantOf({ epoch: 2, replicas }), null)
    assert.deepInclude(head, { epoch: 2, fresh: true, replicas: ["r10::dev2", "r1::dev3", "r2::dev1"], left: false })
  })
})
