/**
 * Loaded into a node before anything else, it changes bounds: `node --import <url of this file>?<JSON>`. So a real process
 * takes in seconds the turns that others take in hours.
 *
 * @module
 */
import { Limits } from "../../src/base/Limits.ts"

Object.assign(Limits, JSON.parse(decodeURIComponent(new URL(import.meta.url).search.slice(1))))
