/**
 * The data of simulated replicas can be restored: what the simulations find out about snapshots hangs on it.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { encodeOperation } from "../../src/store/Operation.ts"
import type { Replicated } from "./Data.ts"
import { append, get, Register, registers } from "./Register.ts"
import { stores } from "./StoreData.ts"

const restored = (from: Replicated, to: Replicated): Replicated => {
  const builder = to.restore()
  const reader = from.pin().read()
  for (let part = reader.next(); part !== null; part = reader.next()) assert.isNull(builder.add(part))
  assert.isNull(builder.finish())
  builder.install()
  return to
}

const put = (n: number): Uint8Array =>
  encodeOperation({ _tag: "Create", path: `/d/${n}`, type: "blob", data: Uint8Array.of(n), parents: true })

const workloads = [
  ["registers", registers, (n: number) => append(`k${n % 5}`, `t${n}`), get("k1")],
  ["stores", stores, put, encodeOperation({ _tag: "Get", path: "/d/1" })]
] as const

describe.each(workloads)("restored %s", (_, workload, write, read) => {
  const run = (data: Replicated, from: number, to: number): void => {
    for (let n = from; n <= to; n++) data.apply(write(n), { op: n, time: 0, session: 1 })
  }

  it("go on as the others do, with the same digest", () => {
    const [one, other] = [workload.replica(), workload.replica()]
    run(one, 1, 50)
    run(other, 1, 7)
    const pinned = one.pin()
    const { digest } = one
    restored(one, other)
    for (const last of [50, 60]) {
      run(one, 51, last)
      run(other, 51, last)
      assert.strictEqual(other.digest, one.digest)
      assert.strictEqual(other.whole(), one.whole())
      assert.strictEqual(other.size(), one.size())
      assert.deepStrictEqual(other.query(read), one.query(read))
    }
    const early = restored({ ...one, pin: () => pinned, digest, whole: () => "" }, workload.replica())
    assert.strictEqual(early.digest, digest, "pinned is pinned")
  })

  it("are not made of what is not whole", () => {
    const one = workload.replica()
    run(one, 1, 50)
    assert.isString(workload.replica().restore().finish())
    const builder = workload.replica().restore()
    builder.add(one.pin().read().next()!)
    assert.isString(builder.finish())
    assert.isString(workload.replica().restore().add(Uint8Array.of(0xff)))
  })
})

it("a restored register still runs an operation once", () => {
  const one = new Register()
  one.apply(append("k", "t"), { op: 1, time: 0, session: 1 })
  const other = new Register()
  restored(one, other)
  assert.throws(() => other.apply(append("k", "t"), { op: 2, time: 0, session: 1 }), /runs once/)
})
