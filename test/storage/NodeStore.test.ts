/**
 * The node's store in memory: the contract.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { NodeStore } from "../../src/storage/NodeStore.ts"
import { nodeStoreContract } from "../contracts/NodeStore.ts"

nodeStoreContract(
  "in memory",
  Effect.sync(() => {
    const disk = makeMemoryDisk()
    return {
      store: (owner, lease_ms) => NodeStore.layerMemory(owner, lease_ms, disk),
      breakDisk: () => void (disk.failure = "no space left on device")
    }
  })
)
