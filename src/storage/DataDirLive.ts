/**
 * All that a node keeps under its `data_dir`, on a real disk.
 *
 * @module
 */
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Journals } from "./Journal.ts"
import * as JournalsLive from "./JournalsLive.ts"
import type { NodeStore, NodeStoreError, Owner } from "./NodeStore.ts"
import * as NodeStoreLive from "./NodeStoreLive.ts"
import type { Uploads } from "./Uploads.ts"
import * as UploadsLive from "./UploadsLive.ts"

export const layer = (
  data_dir: string,
  owner: Owner,
  lease_ms: number
): Layer.Layer<NodeStore | Journals | Uploads, NodeStoreError, FileSystem.FileSystem> =>
  Layer.mergeAll(JournalsLive.layer(data_dir), NodeStoreLive.layer(data_dir, owner, lease_ms), UploadsLive.layer(data_dir))
