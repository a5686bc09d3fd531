/**
 * The edge of the bench, in simulated time: it serves, uploads what its observer chooses, and applies the updates that
 * reach it as a device does. One window takes one minute.
 */
import { createObserver, type Observer } from "../../../src/continuous/index.ts";
import type { Comparison, StudentLab } from "../../../src/actors/learner/index.ts";
import { rowsOf } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import {
  applyUpdates,
  type DeviceUpdates,
  digestOfTensors,
  openDeviceUpdates,
  readUpdate,
  receiveUpdate,
  settleUpdate,
  type TensorShapes,
} from "../../../src/models/updates/index.ts";
import type { EdgeObservation } from "./cloud.ts";
import type { DriftScene, SceneImages } from "./drift-scene.ts";
import type { DriftExperiment } from "./settings.ts";

export const MODEL = "digits";
/** Of the weights that the student begins with. */
export const FIRST_NUMBER = 1;
const WINDOW_MS = 60_000;
/** Under which the lab of the edge holds a candidate. */
const CANDIDATE_KEY = -2;

export interface Edge {
  /** Number of what is served; the lab holds it under this key. */
  readonly served: number;
  /** Key of what computes beside it; undefined: nothing. */
  readonly beside: number | undefined;
  readonly observer: Pick<Observer, "counts">;
  /** Serves the live images of part `slot` of a window. @returns what leaves at the end of the part */
  serve(window: number, slot: number, live: SceneImages): Promise<readonly EdgeObservation[]>;
  /** Makes the update of a candidate compute beside what is served; undefined: none does any more. */
  compare(offer: Uint8Array | undefined): Promise<void>;
  /** @returns whether it is served now. */
  receive(bytes: Uint8Array, window: number): Promise<boolean>;
}

export interface EdgeOptions {
  readonly experiment: DriftExperiment;
  readonly scene: Pick<DriftScene, "classes" | "sampleShape">;
  readonly seed: number;
  readonly uniformShare: number;
  /** Served at first. */
  readonly weights: NamedTensors;
}

export async function openEdge(
  { experiment, scene, seed, uniformShare, weights }: EdgeOptions,
  lab: StudentLab,
): Promise<Edge> {
  const { samples, link } = experiment;
  const { classes } = scene;
  const imageBytes = scene.sampleShape.reduce((product, extent) => product * extent, 1);
  const inputsPerMinute = Math.floor(samples * link.uploadShare);
  const observer = createObserver({
    seed,
    classes,
    uniformShare,
    budget: { inputsPerMinute, bytesPerMinute: inputsPerMinute * imageBytes },
    maxInputBytes: imageBytes,
    slotsPerMinute: link.slots,
    floor: link.floor,
  });
  const shapes: TensorShapes = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape]));
  /** Weights that the device has, by digest. */
  const kept = new Map<string, NamedTensors>([[digestOfTensors(weights), weights]]);
  const first = { number: FIRST_NUMBER, digest: digestOfTensors(weights) };
  const at = (window: number) => ({ nowMs: window * WINDOW_MS, jitter: 0.5 });
  let device: DeviceUpdates = openDeviceUpdates({ model: MODEL, kept: [first], newest: FIRST_NUMBER }, at(0)).state;
  await lab.hold(FIRST_NUMBER, weights);
  const servedNumber = (): number => device.kept[0]?.number ?? FIRST_NUMBER;
  /** What computes beside it. */
  let beside: { readonly number: number; compared: number; disagreements: number } | undefined;
  /** Of the inputs of a part, by their sequence. */
  let comparisons = new Map<number, Comparison>();
  const classOf = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

  return {
    get served() {
      return servedNumber();
    },
    get beside() {
      return beside === undefined ? undefined : CANDIDATE_KEY;
    },
    observer,
    async serve(window, slot, { inputs }) {
      const [from, to] = [slot, slot + 1].map((part) => Math.floor((part * samples) / link.slots)) as [number, number];
      const part = rowsOf(inputs, from, to);
      const { logits } = await lab.answer(servedNumber(), part);
      const others = beside === undefined ? undefined : (await lab.answer(CANDIDATE_KEY, part)).logits;
      comparisons = new Map();
      for (let row = 0; row < to - from; row += 1) {
        const own = logits.subarray(row * classes, (row + 1) * classes);
        const other = others?.subarray(row * classes, (row + 1) * classes);
        if (beside !== undefined && other !== undefined) {
          const disagrees = classOf(own) !== classOf(other);
          beside.compared += 1;
          beside.disagreements += Number(disagrees);
          const { number: candidate, compared, disagreements } = beside;
          const comparison = { epoch: "edge", candidate, disagrees, compared, disagreements };
          comparisons.set(observer.counts.considered, comparison);
        }
        observer.consider({
          payload: part.values.subarray(row * imageBytes, (row + 1) * imageBytes) as Uint8Array,
          atMs: window * WINDOW_MS + ((from + row) * WINDOW_MS) / samples,
          logits: own,
          ...(other === undefined ? {} : { candidateLogits: other }),
        });
      }
      const taken = observer.take(window * WINDOW_MS + ((slot + 1) * WINDOW_MS) / link.slots);
      return taken.map((each) => {
        const comparison = comparisons.get(each.sequence);
        return comparison === undefined ? each : { ...each, comparison };
      });
    },
    async compare(offer) {
      const read = offer === undefined ? undefined : readUpdate(offer, { model: MODEL, trusted: [] });
      const update = read?.kind === "read" ? read.update : undefined;
      const base = kept.get(update?.base?.digest ?? "");
      if (update === undefined || base === undefined) {
        if (beside !== undefined) await lab.drop(CANDIDATE_KEY);
        beside = undefined;
        return;
      }
      if (beside?.number === update.result.number) return;
      await lab.hold(CANDIDATE_KEY, applyUpdates([update], shapes, base));
      beside = { number: update.result.number, compared: 0, disagreements: 0 };
    },
    async receive(bytes, window) {
      const received = receiveUpdate(device, bytes, at(window));
      device = received.state;
      if (received.decision.kind !== "apply") return false;
      const { start, steps, result } = received.decision.plan;
      const tensors = applyUpdates(steps, shapes, start === undefined ? undefined : kept.get(start.digest));
      const replaced = servedNumber();
      kept.set(result.digest, tensors);
      await lab.hold(result.number, tensors);
      device = settleUpdate(device, "applied", at(window)).state;
      for (const digest of kept.keys()) {
        if (!device.kept.some((each) => each.digest === digest)) kept.delete(digest);
      }
      await lab.drop(replaced);
      return true;
    },
  };
}
