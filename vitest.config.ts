import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks", // tfjs keeps its engine in globals: a process per file keeps backends apart
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // libtensorflow reads these when it is loaded; the same as in bin/kn.js.
    env: { TF_CPP_MIN_LOG_LEVEL: "3", TF_ENABLE_ONEDNN_OPTS: "0" },
  },
});
