/**
 * The list of tenants in two parts is the same frame as in one.
 *
 * @module
 */
import { expect, it } from "vitest"
import { encodeServerMessage, type TenantListing } from "../../src/wire/ClientProtocol.ts"
import { encodeListing, encodeListingHead } from "../../src/wire/Listing.ts"

const tenant = (number: number): TenantListing => ({
  id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
  name: number % 2 === 0 ? null : `t${number}`,
  replicas: [{ name: "r1", node: "n1", address: "n1:2002" }]
})

it.each([0, 1, 20, 1_024])("%i tenants, for ids of all lengths", (count) => {
  const tenants = Array.from({ length: count }, (_, number) => tenant(number))
  const listing = encodeListing(tenants)
  for (const id of [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const whole = Buffer.from(encodeServerMessage({ _tag: "Tenants", id, tenants }))
    expect(whole.equals(Buffer.concat([encodeListingHead(id, listing), listing])), `id ${id}`).toBe(true)
  }
})
