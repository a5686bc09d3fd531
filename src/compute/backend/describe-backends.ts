/** For `kn doctor`: every backend tried on this thread, and whose kernels it would train with. */
import * as tf from "@tensorflow/tfjs";
import { OWN_KERNELS } from "../wasm-kernels/index.ts";
import { BACKEND_NAMES, type BackendInfo, type BackendName } from "./backend-info.ts";
import { selectBackend } from "./select-backend.ts";
import { TRAINING_KERNELS } from "./training-kernels.ts";

export type BackendDescription = PresentBackend | AbsentBackend;

export interface PresentBackend extends BackendInfo {
  readonly isPresent: true;
  /** Training kernels that it has, ours included. */
  readonly trainingKernels: readonly string[];
  /** Those of them that are ours, added or put in place of a slower one. */
  readonly ownKernels: readonly string[];
}

export interface AbsentBackend {
  readonly isPresent: false;
  readonly name: BackendName;
  /** What failed and what mends it. */
  readonly reason: string;
}

/** Never rejects for an absent backend; the thread's backend is the same afterwards. */
export async function describeBackends(): Promise<readonly BackendDescription[]> {
  const before = tf.engine().backendName as string | undefined;
  const descriptions: BackendDescription[] = [];
  for (const name of BACKEND_NAMES) descriptions.push(await describe(name));
  if (before !== undefined) await tf.setBackend(before);
  return descriptions;
}

async function describe(name: BackendName): Promise<BackendDescription> {
  try {
    const info = await selectBackend(name);
    const trainingKernels = TRAINING_KERNELS.filter((kernel) => !info.missingTrainingKernels.includes(kernel));
    const ownKernels = name === "wasm" ? trainingKernels.filter((kernel) => OWN_KERNELS.includes(kernel)) : [];
    return { ...info, isPresent: true, trainingKernels, ownKernels };
  } catch (error) {
    return { isPresent: false, name, reason: error instanceof Error ? error.message : String(error) };
  }
}
