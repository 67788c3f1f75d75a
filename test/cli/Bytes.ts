/**
 * Bytes for tests of the command lines.
 *
 * @module
 */

export const bytesOf = (data: string | Uint8Array): Uint8Array => typeof data === "string" ? new TextEncoder().encode(data) : data

export const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))
