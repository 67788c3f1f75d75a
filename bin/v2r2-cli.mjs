#!/usr/bin/env node
import { launch } from "./launch.mjs"

await launch("v2r2-cli")
