/** For `kn doctor`: which of the kernels that training needs each backend has, asked of a worker that loads it. */
import { type BackendPreference, createComputeWorker } from "../../compute/index.ts";
import type { Finding } from "../../../setup/index.ts";

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
          detail: isWhole ? "all that training needs" : `missing: ${missingTrainingKernels.join(", ")}`,
        };
      } catch (error) {
        return {
          id,
          title,
          state: "absent",
          detail: error instanceof Error ? error.message : String(error),
          remedy: "npm run setup",
        };
      }
    }),
  );
}
