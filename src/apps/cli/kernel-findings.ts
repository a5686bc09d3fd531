/** For `kn doctor`: which training kernels each backend has, as reported by a worker that loads it. */
import { type BackendPreference, createComputeWorker } from "../../compute/index.ts";
import { type Finding, setupCommand } from "../../../setup/index.ts";

const BACKENDS = ["native", "wasm", "cpu"] as const satisfies readonly BackendPreference[];

export async function inspectKernels(): Promise<Finding[]> {
  return Promise.all(
    BACKENDS.map(async (name): Promise<Finding> => {
      const id = `kernels:${name}`;
      const title = `training kernels, ${name}`;
      try {
        await using worker = await createComputeWorker({ backend: name });
        const { missingTrainingKernels, version } = worker.backend;
        const isWhole = missingTrainingKernels.length === 0;
        return {
          id,
          title,
          version,
          state: isWhole ? "present" : "degraded",
          detail: isWhole ? "complete" : `missing: ${missingTrainingKernels.join(", ")}`,
        };
      } catch (error) {
        return {
          id,
          title,
          state: "absent",
          detail: error instanceof Error ? error.message : String(error),
          remedy: setupCommand(),
        };
      }
    }),
  );
}
