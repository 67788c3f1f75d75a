/**
 * Messages on a stream: four bytes of length, and msgpack.
 *
 * @module
 */
import { Packr } from "msgpackr/pack"

const packr = new Packr({ useRecords: false })
const header_bytes = 4

export const pack = (message: unknown): Uint8Array => packr.pack(message)
export const unpack = (bytes: Uint8Array): unknown => packr.unpack(bytes)

export const frameOf = (message: unknown): Buffer => {
  const body = packr.pack(message)
  const frame = Buffer.allocUnsafe(header_bytes + body.length)
  frame.writeUInt32BE(body.length, 0)
  frame.set(body, header_bytes)
  return frame
}

/** For a socket's chunks: gives the bodies of all frames that a chunk completes, at once. */
export const splitter = (bodies: (bodies: ReadonlyArray<Buffer>) => void): (chunk: Buffer) => void => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const complete: Array<Buffer> = []
    let at = 0
    while (bytes.length - at >= header_bytes) {
      const end = at + header_bytes + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      complete.push(bytes.subarray(at + header_bytes, end))
      at = end
    }
    rest = bytes.subarray(at)
    if (complete.length > 0) bodies(complete)
  }
}
