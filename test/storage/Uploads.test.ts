/**
 * Uploads in memory and on a disk: the contract.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { Uploads } from "../../src/storage/Uploads.ts"
import * as UploadsLive from "../../src/storage/UploadsLive.ts"
import { uploadsContract } from "../contracts/Uploads.ts"
import { makeTestDisk } from "./TestDisk.ts"

uploadsContract(
  "in memory",
  Effect.sync(() => {
    const disk = makeMemoryDisk()
    return {
      uploads: Uploads.layerMemory(disk),
      breakDisk: () => void (disk.failure = "no space left on device"),
      kept: () => [...disk.uploads.keys()]
    }
  })
)

uploadsContract(
  "on a disk",
  Effect.map(makeTestDisk, (disk) => {
    const folder = join(disk.folder, "uploads")
    return {
      uploads: Layer.provide(UploadsLive.layer(disk.folder), disk.layer),
      breakDisk: () => disk.failAt(0),
      kept: () => existsSync(folder) ? readdirSync(folder).map((name) => name.replace(/\.snapshot$/, "")) : []
    }
  })
)
