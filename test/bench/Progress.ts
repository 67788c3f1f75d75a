/**
 * What is told while measurements go on, on standard error.
 *
 * @module
 */

/** One line that is written over and over; only for somebody who watches. */
export const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

export const say = (text: string): void => {
  progress("")
  process.stderr.write(`${text}\n`)
}
