/**
 * Admin commands to a development node, each over a connection of its own.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { Admin } from "../client/Admin.ts"
import * as TcpNetwork from "../network/TcpNetwork.ts"
import type { Ask } from "./Forming.ts"

const deadline_ms = 5_000

export const ask: Ask = (address, command, args) =>
  Effect.flatMap(Admin, (admin) => admin.call(command, args)).pipe(
    Effect.mapError((error) => ({
      code: error._tag === "AdminError" ? error.code : "unavailable",
      message: error.message
    })),
    Effect.provide(Admin.layer({ endpoints: [address], deadline: deadline_ms })),
    Effect.provide(TcpNetwork.layer)
  )
