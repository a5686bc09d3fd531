/** What a thread computes on. Plain data: it crosses from the compute worker and loads no tensor library. */

/** Fastest first; `auto` takes the first that works. */
export const BACKEND_NAMES = ["native", "wasm", "cpu"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];
export type BackendPreference = BackendName | "auto";

/** Each backend's name inside tfjs. */
export const TFJS_BACKENDS = { native: "tensorflow", wasm: "wasm", cpu: "cpu" } as const satisfies Record<
  BackendName,
  string
>;
export type TfjsBackend = (typeof TFJS_BACKENDS)[BackendName];

export interface BackendInfo {
  readonly name: BackendName;
  readonly tfjsBackend: TfjsBackend;
  /** Of libtensorflow for native, of tfjs otherwise. */
  readonly version: string;
  /** Threads that one kernel may use. */
  readonly threads: number;
  /** Members of `TRAINING_KERNELS` that this backend lacks. */
  readonly missingTrainingKernels: readonly string[];
}
