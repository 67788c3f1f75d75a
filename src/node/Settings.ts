/**
 * What may change while the node runs (`config set`). Everyone reads the current values; only the admin server writes.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { RuntimeSettings } from "./Config.ts"

export class Settings extends Context.Service<Settings, { current: RuntimeSettings }>()("v2r2/node/Settings") {
  static readonly layer = (initial: RuntimeSettings): Layer.Layer<Settings> =>
    Layer.sync(Settings, () => ({ current: initial }))
}
