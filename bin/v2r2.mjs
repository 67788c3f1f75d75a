#!/usr/bin/env node
import { launch } from "./launch.mjs"

// Young garbage in small portions: a node that holds a million elements stands still for 3 to 5 ms for one, and not for 20.
await launch("v2r2", ["--max-semi-space-size=4"])
