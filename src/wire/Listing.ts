/**
 * The list of tenants as a client is sent it, encoded once for all who ask: only the id before it differs. It can have
 * megabytes, and a request for it has a few bytes.
 *
 * @module
 */
import { encodeServerMessage, type TenantListing } from "./ClientProtocol.ts"
import { header_bytes } from "./Frame.ts"

/** Array, type and an id of 0 take a byte each. */
const prefix_bytes = 3
/** An empty list. */
const none_bytes = 1

/** The last field of a `Tenants` message, as bytes: in memory of its own, as it is kept. */
export const encodeListing = (tenants: ReadonlyArray<TenantListing>): Uint8Array =>
  encodeServerMessage({ _tag: "Tenants", id: 0, tenants }).slice(header_bytes + prefix_bytes)

/** What has to be sent right before `listing` for both to be one `Tenants` frame. */
export const encodeListingHead = (id: number, listing: Uint8Array): Uint8Array => {
  const head = encodeServerMessage({ _tag: "Tenants", id, tenants: [] }).subarray(0, -none_bytes)
  new DataView(head.buffer, head.byteOffset).setUint32(0, head.length - header_bytes + listing.length)
  return head
}
