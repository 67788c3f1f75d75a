/**
 * A state of the data is pinned for as long as somebody needs it, and no longer: each snapshot is released, and not read
 * after that (Data.ts).
 *
 * @module
 */
import { same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const pins = (): Checker => ({
  onStep: (_world, process, _before, out) => {
    const { data, id, replica: { dueSnapshot, outgoing } } = process
    const given = [dueSnapshot, out.snapshot, out.install].filter((snapshot) => snapshot !== null).length
    const fetched = [...outgoing.values()].filter(({ isOver }) => !isOver).length
    same(data.pins(), fetched + given + process.snapshotsHeld, id, "what is pinned is needed")
  }
})
