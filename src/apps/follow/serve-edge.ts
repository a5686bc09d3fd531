/** The edge of a continuous run: the served student with its observer and its updater, over the run's own store. */
import { modelsInStore, openModel } from "../../models/index.ts";
import { studentServing } from "../../run-spec/index.ts";
import { startUpdater } from "../serve/follow-learner.ts";
import { runOfModel } from "../serve/replica-process.ts";
import { serveModel } from "../serve/serve-model.ts";
import { openServingFront } from "../serve/serving-front.ts";
import { createServingMetrics } from "../serve/serving-metrics.ts";
import type { FollowRunDeps, FollowRunOptions } from "./follow-run.ts";

export interface ServeEdgeOptions extends Omit<FollowRunOptions, "run" | "data"> {
  /** host:port of HTTP. */
  readonly http: string;
}

export interface ServeEdgeDeps
  extends Pick<FollowRunDeps, "place" | "store" | "clock" | "log" | "trusted" | "signer" | "say"> {
  /** The student answers at this URL. */
  readonly onServing?: ((url: string) => void) | undefined;
}

/** How long requests under way may take when it leaves, ms. */
const GRACE_MS = 3_000;

/** Resolves when it has left after `signal`. Rejects with what ended it otherwise, KN_CONFIG for an address that is taken. */
export async function serveEdge(
  { spec, http, softwareVersion, ...options }: ServeEdgeOptions,
  { place, store, clock, log, trusted, signer, say, onServing }: ServeEdgeDeps,
  signal: AbortSignal,
): Promise<void> {
  const serving = studentServing(spec);
  const { model: name } = serving;
  const { bus, fleet, models, isShared } = place;
  const run = runOfModel(name);
  const metrics = createServingMetrics(name);
  await using front = await openServingFront(
    { address: http, model: name, maxBatch: serving.batch.maxSamples, targetMs: serving.latency.targetMs },
    { metrics, clock, log, version: softwareVersion },
  );
  onServing?.(`http://${front.address}`);
  const model = openModel(models, name, { clock, trusted, ...(signer === undefined ? {} : { signer }) });
  const from = {
    description: store.description,
    open: () => Promise.resolve(store),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await serveModel(
    { ...options, run, spec: serving, softwareVersion, isShared, noticeMs: 0, graceMs: GRACE_MS },
    {
      ...{ bus, fleet, clock, log, model, front, metrics, say },
      // In one process the edge's store is the run's own, which is open.
      observations: modelsInStore(store),
      follow: () =>
        startUpdater(
          { run, softwareVersion, isShared, trusted, shadowPercent: spec.student.shadowPercent },
          { bus, models, clock, log, model, from, random: () => Math.random() },
        ),
    },
    signal,
  );
}
