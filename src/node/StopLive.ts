/**
 * The last resort of a process that was told to stop: whatever its end hangs on, nobody waits longer than this.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"

/** From now on, `ms` after the first signal to stop the process is over, with exit code 1 and a word about it. */
export const exitInTime = (ms: number = Limits.exit_ms): void => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      const cutOff = (): void => {
        process.stderr.write(`v2r2: the node has not ended within ${ms} ms after ${signal}, and is cut off\n`)
        process.exit(1)
      }
      setTimeout(cutOff, ms).unref()
    })
  }
}
