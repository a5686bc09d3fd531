/**
 * The network in a committed generation of a run (of a distillation run: the student), with the account of how it was
 * trained, from the saved states alone: of a run that has ended as of one that goes on.
 */
import { z } from "zod";
import type { NamedTensorData } from "../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import type { SafetensorsContent } from "../messages/checkpoint/index.ts";
import { type ActorKind, type ModelManifest, type ModelSpec, parseActorRef, type RunSpec } from "../run-spec/index.ts";
import type { Checkpoints, Manifest } from "../runtime/artifacts/index.ts";
import { parseCounts } from "../runtime/stream/index.ts";
import { chooseGeneration } from "./choose-generation.ts";
import { modelOf } from "./describe-slices.ts";

export interface TrainedNetwork {
  readonly model: ModelSpec;
  /** `weights/<layer>/<weight>` of all its layers. */
  readonly tensors: NamedTensorData;
  /** Training step of the checkpoint. */
  readonly step: number;
  readonly manifest: Manifest;
  /** What each of its learners has applied and skipped. */
  readonly learners: ModelManifest["origin"]["blocks"];
  /** The newest evaluation that the checkpoint holds, perhaps of a part of the samples; absent: none. */
  readonly evaluation?: { readonly evaluation: number; readonly accuracy: number; readonly samples: number };
}

/** What is read of a run. */
export type SavedRun = Pick<Checkpoints, "manifests" | "load">;

export interface TrainedNetworkOptions {
  readonly run: string;
  readonly spec: RunSpec;
  /** Of a distillation run: the checkpoint at the end of this phase. @default the last phase */
  readonly phase?: string | undefined;
  /** Training step of the checkpoint. @default the newest */
  readonly generation?: number | undefined;
  /** Called with lines for the user: a damaged checkpoint. */
  readonly note: (line: string) => void;
}

/** Attempts at a run that goes on: while one generation is read, the run may commit others and delete it. */
const ATTEMPTS = 5;

/** Kinds of actors that train a part of the network. */
const LEARNERS: readonly (ActorKind | undefined)[] = ["block", "student-section", "whole-student", "student-alone"];

const AVERAGE = "average/";
const tallySchema = z.object({ evaluation: z.int(), correct: z.number(), samples: z.int().positive() });

/**
 * Rejects with KN_CHECKPOINT when there is no such checkpoint of a whole network, or all are damaged; KN_CONFIG when
 * `generation` is not committed.
 */
export async function trainedNetwork(checkpoints: SavedRun, options: TrainedNetworkOptions): Promise<TrainedNetwork> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await checkpoints.manifests();
    try {
      return await networkIn(checkpoints, options);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_CHECKPOINT") || attempt === ATTEMPTS) throw error;
      // Damage stays; a run that goes on has other generations by now.
      if (JSON.stringify(before) === JSON.stringify(await checkpoints.manifests())) throw error;
    }
  }
}

async function networkIn(checkpoints: SavedRun, options: TrainedNetworkOptions): Promise<TrainedNetwork> {
  const { run, spec, phase, generation, note } = options;
  const onDamage = (damaged: Manifest): void => {
    note(`checkpoint ${damaged.generation} of ${run} is damaged; trying the previous one`);
  };
  const manifest =
    generation === undefined
      ? await chooseGeneration(checkpoints, onDamage, phase)
      : await committed(checkpoints, run, generation);
  // The baseline is a comparison, loaded only on request; after the sections phase there is no whole network yet.
  const isAsked = phase !== undefined || generation !== undefined;
  const isWhole = manifest?.phase !== "sections" && (isAsked || manifest?.phase !== "baseline");
  if (manifest === undefined || !isWhole) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `take the network of ${run}`,
      rule: "it must have a checkpoint of a whole network",
      value:
        manifest === undefined
          ? `none${phase === undefined ? "" : ` of the phase ${phase}`}`
          : `the ${generation === undefined ? "newest" : "one at that step"} is of the phase ${manifest.phase}`,
      remedy: `resume it: kn resume ${run}`,
    });
  }
  const actors = Object.keys(manifest.actors);
  const states = await Promise.all(actors.map((actor) => checkpoints.load(actor, manifest)));
  const tensors: Record<string, NamedTensorData[string]> = {};
  const learners: TrainedNetwork["learners"] = [];
  let evaluation: TrainedNetwork["evaluation"];
  for (const [index, state] of states.entries()) {
    for (const [key, tensor] of Object.entries(state.tensors)) {
      if (key.startsWith("weights/") && !(key in tensors)) tensors[key] = tensor;
      // Evaluation uses the moving average of the weights, where there is one.
      if (key.startsWith(AVERAGE)) tensors[`weights/${key.slice(AVERAGE.length)}`] = tensor;
    }
    const actor = actors[index] ?? "";
    if (LEARNERS.includes(parseActorRef(actor)?.kind)) learners.push({ actor, ...accountOf(state) });
    evaluation ??= evaluationOf(state);
  }
  const measured = evaluation === undefined ? {} : { evaluation };
  return { model: modelOf(spec), tensors, step: manifest.step, manifest, learners, ...measured };
}

/** Rejects with KN_CONFIG when no attempt of the run has committed it, or it is beyond retention. */
async function committed(checkpoints: SavedRun, run: string, generation: number): Promise<Manifest> {
  const manifests = await checkpoints.manifests();
  const found = manifests.find((each) => each.generation === generation);
  if (found !== undefined) return found;
  const known = manifests.map((each) => `${each.generation} (${each.phase})`);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `take generation ${generation} of ${run}`,
    rule: "the run must keep a checkpoint of that training step",
    value: known.length === 0 ? "it has none" : `it has ${known.join(", ")}`,
    remedy: "name one of them, or leave it out for the newest",
  });
}

function accountOf({ metadata }: SafetensorsContent): { applied: number; skipped: number } {
  const skipped = Object.values(parseCounts(metadata.skipped)).reduce((sum, count) => sum + count, 0);
  return { applied: Number(metadata.version ?? 0), skipped };
}

function evaluationOf({ metadata }: SafetensorsContent): TrainedNetwork["evaluation"] {
  if (metadata.evaluation === undefined) return undefined;
  const tally = tallySchema.safeParse(JSON.parse(metadata.evaluation)).data;
  if (tally === undefined) return undefined;
  const { evaluation, correct, samples } = tally;
  return { evaluation, accuracy: correct / samples, samples };
}
