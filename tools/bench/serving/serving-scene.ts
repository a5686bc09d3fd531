/**
 * A served model for measurements: what the scenarios need of a product. `openKnServe` (kn-serve-scene.ts) is ours; a test
 * has a fake.
 */
import type { Expected, LoadImages } from "../../serving/load/index.ts";

/** Names of examples: four blocks of 0.6 M parameters for MNIST's images; the student of 3.0 M for CIFAR-10's. */
export const SERVED_NETWORKS = ["mnist-synthetic", "cifar-sections"] as const;
export type ServedNetwork = (typeof SERVED_NETWORKS)[number];

export interface ServingSceneOptions {
  /** @default "mnist-synthetic" */
  readonly network?: ServedNetwork;
  /** The network in one process, or a pipeline of its blocks over processes on NATS. */
  readonly shape: "whole" | "blocks";
  /** Of the network, or of each block. @default 1 */
  readonly replicas?: number;
  /** Largest batch; 1: requests are not batched. @default the server's own */
  readonly maxBatch?: number;
  /** Longest wait that admission allows, ms. @default the server's own */
  readonly targetMs?: number;
  /** Gets the output of its processes. @default nobody */
  readonly onOutput?: (text: string) => void;
  /** Also on NATS, where "blocks" always is: then batches go over NATS, not over a bus in memory. @default false */
  readonly nats?: boolean;
}

export interface ServingScene extends AsyncDisposable {
  readonly model: string;
  readonly httpUrl: string;
  /** Undefined: not served on NATS. */
  readonly natsUrl: string | undefined;
  /** Samples to send. */
  readonly images: LoadImages;
  /** Slices that a batch goes through. */
  readonly slices: number;
  /** Makes a release whose weights differ from all others by `seed`; in "blocks" of one block only, if `block` is given. */
  publish(seed: number, block?: number): Promise<number>;
  /** As `kn promote`: resolves when it is written, not when it is live. */
  promote(release: number): Promise<void>;
  /** As `kn rollback`. */
  rollback(): Promise<void>;
  /** What any release answers, computed without the server. */
  readonly expected: Expected;
  /** Computes one batch of `samples` in this process, by the release that was published first. */
  predict(samples: number): Promise<void>;
  /** Processes of replicas. */
  readonly replicas: number;
  /** SIGKILL; it comes back by itself. */
  killReplica(replica: number): Promise<void>;
  /** Ends all its processes and starts them again. @returns from the start to the first answer, ms */
  restartMs(): Promise<number>;
  /** Of all its processes together, bytes. */
  residentBytes(): Promise<number>;
  /** Processor time of all its processes so far, s. */
  cpuSeconds(): Promise<number>;
  /** Tensors in all its compute threads while none loads a release, in some 100 ms; undefined: not known. */
  tensors(): Promise<number | undefined>;
  /** Writes the live network as `kn export --format keras-json` does. Undefined: it has none. */
  readonly exportKeras?: (folder: string) => Promise<void>;
  /** Training on the same cores and the same bus. Undefined: this scene has none. */
  readonly startTraining?: (options: { readonly governor: boolean }) => Promise<SceneTraining>;
}

export interface SceneTraining extends AsyncDisposable {
  /** Finished so far. */
  steps(): number;
}

/** Resolves when requests are answered by a first release, which is live. */
export type OpenServingScene = (options: ServingSceneOptions) => Promise<ServingScene>;
