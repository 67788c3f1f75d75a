#!/usr/bin/env node
import { launch } from "./launch.mjs"

// Young garbage in small portions: a node that holds a million elements stands still for 3 to 5 ms for one, and not for 20.
// By one thread: for so little, waking others costs more than they do.
// V8 makes objects old at once where earlier ones of their kind lived long. One such object keeps all that it refers to, such as the
// entries of a log, until the whole heap is collected: so this is off.
// The heap may be two and a half times what is alive in it, and no more: a quarter less memory, and no slower.
// What a turn does once is optimized after 500 turns, not 3,000: with little to do a node gets there seconds sooner, and until then
// a write takes a tenth longer.
// One heap for what is not JavaScript's: with one for each thread, some 30 MiB more lie idle. In huge pages, if the system gives
// some to those that ask (glibc's malloc; others take no notice): values are looked for all over it, and to find where a small
// page lies takes the processor as long as to read from it.
const flags = [
  "--max-semi-space-size=4",
  "--no-parallel-scavenge",
  "--no-allocation-site-pretenuring",
  "--heap-growing-percent=150",
  "--invocation-count-for-turbofan=500"
]
// Effect takes an async context of Node.js along each time that a fiber waits, if it finds them while it is loaded. Nobody asks for
// one in a node, and without them a write by itself is 4 % faster.
const hidden = Object.getOwnPropertyDescriptor(process, "getBuiltinModule")
process.getBuiltinModule = undefined
await launch("v2r2", flags, { MALLOC_ARENA_MAX: "1", GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" })
if (hidden !== undefined) Object.defineProperty(process, "getBuiltinModule", hidden)
