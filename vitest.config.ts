import { defineConfig } from "vitest/config";

const containers = "test/containers/**/*.test.ts";
const cluster = "test/k8s/**/*.test.ts";

const shared = {
  pool: "forks", // tfjs keeps its engine in globals: a process per file keeps backends apart
  maxWorkers: 2,
  testTimeout: 120_000,
  hookTimeout: 60_000,
  // libtensorflow reads these when it is loaded; the same as in bin/kn.js.
  env: { TF_CPP_MIN_LOG_LEVEL: "3", TF_ENABLE_ONEDNN_OPTS: "0" },
} as const;

export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: "process", include: ["test/**/*.test.ts"], exclude: [containers, cluster] } },
      {
        test: {
          ...shared,
          name: "containers",
          include: [containers],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          globalSetup: "test/support/containers/setup.ts",
          setupFiles: "test/support/containers/use-engine.ts",
        },
      },
      {
        test: {
          ...shared,
          name: "k8s",
          include: [cluster],
          maxWorkers: 1,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          globalSetup: "test/support/cluster/setup.ts",
        },
      },
    ],
  },
});
