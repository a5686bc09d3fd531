/** One arm on one stream, window by window. */
import type { StudentLab } from "../../../src/actors/learner/index.ts";
import { provenance, say } from "../run-kn.ts";
import { percent } from "../markdown.ts";
import type { Cloud, CloudUpdate, EdgeObservation } from "./cloud.ts";
import type { DriftCell, WindowFigures } from "./drift-cell.ts";
import { type DriftScene, FROZEN_KEY, type SceneImages } from "./drift-scene.ts";
import type { Edge } from "./edge.ts";
import { predict, shareRight } from "./predictions.ts";
import type { DriftExperiment, DriftFaults, DriftKey } from "./settings.ts";

export interface CellDeps {
  readonly scene: DriftScene;
  /** In which the edge holds what it serves. */
  readonly lab: StudentLab;
  readonly edge: Edge;
  readonly cloud: Cloud;
}

export async function runCell(experiment: DriftExperiment, key: DriftKey, deps: CellDeps): Promise<DriftCell> {
  const { scene, lab, cloud } = deps;
  const started = performance.now();
  const zero = (await scene.window(0)).test;
  const right = async (number: number, { inputs, labels }: SceneImages): Promise<number> =>
    shareRight(await predict(lab, number, inputs, scene.classes), labels);
  const windows: WindowFigures[] = [];
  /** What the edge has got. */
  const received = new WeakSet<Uint8Array>();
  const link: Link = { cut: experiment.faults?.cut, held: [], waited: 0 };
  for (let window = 0; window < experiment.windows; window += 1) {
    const figures = await runWindow(experiment, window, zero, deps, { received, link });
    windows.push(figures);
    const { accuracy, oracle, frozen, updates } = figures;
    say(
      `  window ${window}: ${percent(accuracy)}, oracle ${percent(oracle)}, frozen ${percent(frozen)}; ${updates.map(({ bytes }) => bytes).join(" ")}`,
    );
  }
  return {
    format: 1,
    ...key,
    samples: experiment.samples,
    windowZeroStart: await right(FROZEN_KEY, zero),
    windows,
    ...(cloud.poisonRefused === undefined ? {} : { poisonRefused: cloud.poisonRefused }),
    ...(link.cut === undefined ? {} : { waited: link.waited }),
    events: [...cloud.events],
    seconds: (performance.now() - started) / 1000,
    ...(await provenance()),
  };
}

interface Link {
  readonly cut: DriftFaults["cut"] | undefined;
  /** Observations for which there is no way. */
  readonly held: EdgeObservation[];
  waited: number;
}

function isCut({ cut }: Link, window: number, slot: number): boolean {
  return cut !== undefined && window === cut.window && slot >= cut.from && slot < cut.to;
}

async function runWindow(
  { link, testSamples }: DriftExperiment,
  window: number,
  zero: SceneImages,
  { scene, lab, edge, cloud }: CellDeps,
  { received, link: way }: { readonly received: WeakSet<Uint8Array>; readonly link: Link },
): Promise<WindowFigures> {
  const { live, test, oracle, frozen } = await scene.window(window);
  const answered = new Map<number, Int32Array>();
  /** Classes of the test images by what is served now. */
  const answers = async (): Promise<Int32Array> => {
    const known = answered.get(edge.served) ?? (await predict(lab, edge.served, test.inputs, scene.classes));
    answered.set(edge.served, known);
    return known;
  };
  const before = { ...cloud.counts, ...edge.observer.counts };
  const updates: CloudUpdate[] = [];
  const decisions: WindowFigures["decisions"] = [];
  let sentBytes = 0;
  const deliver = async (sent: readonly CloudUpdate[]): Promise<void> => {
    for (const update of sent) await edge.receive(update.bytes, window);
    updates.push(...sent);
    await edge.compare(cloud.offer);
    for (const bytes of [cloud.offer, ...sent.map((update) => update.bytes)]) {
      if (bytes === undefined || received.has(bytes)) continue;
      received.add(bytes);
      sentBytes += bytes.length;
    }
  };

  const start = shareRight(await answers(), test.labels);
  const served = new Int32Array(testSamples);
  for (let slot = 0; slot < link.slots; slot += 1) {
    const [from, to] = [slot, slot + 1].map((part) => Math.floor((part * testSamples) / link.slots)) as [
      number,
      number,
    ];
    served.set((await answers()).subarray(from, to), from);
    way.held.push(...(await edge.serve(window, slot, live)));
    if (isCut(way, window, slot)) {
      way.waited = way.held.length;
      continue;
    }
    const known = cloud.decisions?.length ?? 0;
    const sent = await cloud.observe(window, way.held.splice(0));
    // The first of them is about the candidate that the edge computes now.
    const decided = cloud.decisions?.[known];
    if (decided !== undefined && edge.beside !== undefined) {
      const other = shareRight(await predict(lab, edge.beside, test.inputs, scene.classes), test.labels);
      decisions.push({ ...decided, truth: other - shareRight(await answers(), test.labels) });
    }
    await deliver(sent);
  }
  await deliver(await cloud.endWindow(window));
  const after = { ...cloud.counts, ...edge.observer.counts };
  return {
    accuracy: shareRight(served, test.labels),
    start,
    end: shareRight(await answers(), test.labels),
    ...{ oracle, frozen },
    windowZero: shareRight(await predict(lab, edge.served, zero.inputs, scene.classes), zero.labels),
    uploads: after.observed - before.observed,
    uploadBytes: after.observedBytes - before.observedBytes,
    labels: after.labels - before.labels,
    updates: updates.map(({ kind, bytes }) => ({ kind, bytes: bytes.length })),
    sentBytes,
    promotions: after.promotions - before.promotions,
    refusals: after.refusals - before.refusals,
    rollbacks: after.rollbacks - before.rollbacks,
    decisions,
  };
}
