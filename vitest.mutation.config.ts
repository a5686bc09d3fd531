/** The suites that mutation testing runs against each mutant: quick, in one process, with fixed draws. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 60_000,
    env: { KN_SEED: "7", KN_STREAM_RUNS: "25" },
    include: [
      "test/unit/runtime/{artifacts,lease,stream}/**/*.test.ts",
      "test/unit/runtime/actor/control-channel.test.ts",
      "test/unit/fleet/**/*.test.ts",
      "test/contract/stream/memory-stream.test.ts",
    ],
    exclude: ["**/*schedules.test.ts"],
  },
});
