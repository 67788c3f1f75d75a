import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two cores: more workers only make the real-process tests wait for each other.
    maxWorkers: 2,
    testTimeout: 20_000
  }
})
