#!/usr/bin/env node
import { launch } from "./launch.mjs"

// Young garbage in small portions: a node that holds a million elements stands still for 3 to 5 ms for one, and not for 20.
// By one thread: for so little, waking others costs more than they do.
// The heap may be two and a half times what is alive in it, and no more: a quarter less memory, and no slower.
// One heap for what is not JavaScript's: with one for each thread, some 30 MiB more lie idle.
await launch("v2r2", ["--max-semi-space-size=4", "--no-parallel-scavenge", "--heap-growing-percent=150"], { MALLOC_ARENA_MAX: "1" })
