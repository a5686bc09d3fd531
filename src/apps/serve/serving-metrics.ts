/** Figures of a served model for Prometheus, by release. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BatchSample, GatewayObserver, RequestSample, ServedModel } from "../../actors/gateway/index.ts";
import type { ServiceReport } from "../../runtime/bus/index.ts";

export interface ServingMetrics {
  readonly observer: GatewayObserver;
  readonly contentType: string;
  text(): Promise<string>;
  /** Shows the state of these models at each scrape. */
  show(models: () => readonly ServedModel[], waiting: () => Readonly<Record<string, number>>): void;
  /** Shows the statistics of the replicas among these services at each scrape. */
  showReplicas(services: () => readonly ServiceReport[]): void;
  /** The same of gateways and observers: what became of live inputs. */
  showObserving(services: () => readonly ServiceReport[]): void;
  /** Shows the statistics of the updater among these services, where there is one. */
  showUpdater(services: () => readonly ServiceReport[]): void;
  /** The same of the learner. */
  showLearner(services: () => readonly ServiceReport[]): void;
}

/** Upper bounds of durations, s: from the cost of a message to the longest time limit. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const SAMPLES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** Series of older releases end: a model that changes often would fill the memory with them. */
const SHOWN_RELEASES = 8;

/** Counters that gateways and observers keep themselves, by outcome. */
const OBSERVING = [
  {
    ...{ name: "kn_live_inputs_total", kind: "kn-gateway", key: "liveInputs" },
    help: "Answered inputs for observers: sent, or why not",
  },
  {
    ...{ name: "kn_observer_inputs_total", kind: "kn-observer", key: "inputs" },
    help: "Inputs of an observer: observed, or why not",
  },
  {
    ...{ name: "kn_observations_total", kind: "kn-observer", key: "observations" },
    help: "Observations: logged, or lost, by cause",
  },
] as const;

const FOLLOWED = ["followed", "undecodable", "otherShape", "expired", "repeated", "lost"];
const DECISIONS = ["candidates", "promotions", "refusals", "rollbacks"];
/** Of a learner: what became of observations, who labelled them, and what it decided. */
const LEARNING = [
  {
    ...{ name: "kn_learner_observations_total", help: "Observations: followed, or why not" },
    outcomes: (data: ServiceReport["data"]) => pick(data, FOLLOWED),
  },
  {
    ...{ name: "kn_learner_labels_total", help: "Labels: computed by the oracle, or cached" },
    outcomes: (data: ServiceReport["data"]) => countsIn(data["labels"]),
  },
  {
    ...{ name: "kn_learner_decisions_total", help: "Decisions of the learner" },
    outcomes: (data: ServiceReport["data"]) => pick(data, DECISIONS),
  },
] as const;

function pick(data: ServiceReport["data"], keys: readonly string[]): [string, number][] {
  return countsIn(data).filter(([key]) => keys.includes(key));
}

function countsIn(counts: unknown): [string, number][] {
  if (typeof counts !== "object" || counts === null) return [];
  return Object.entries(counts).filter((each): each is [string, number] => typeof each[1] === "number");
}

export function createServingMetrics(model: string): ServingMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const histogram = (name: string, help: string, buckets: number[]): Histogram<"model" | "release"> =>
    new Histogram({ name, help, labelNames: ["model", "release"], buckets, registers });
  const requests = new Counter({
    name: "kn_inference_requests_total",
    help: "Requests for inference, by outcome: answer, or the cause of the refusal",
    labelNames: ["model", "release", "priority", "outcome"],
    registers,
  });
  const queue = histogram("kn_inference_queue_seconds", "Time of a request in the queue", SECONDS);
  const total = histogram("kn_inference_batch_seconds", "From dispatch of a batch to its result", SECONDS);
  const compute = histogram("kn_inference_compute_seconds", "Compute time of a batch in all slices", SECONDS);
  const encode = histogram("kn_inference_encode_seconds", "Encoding and sending of a batch", SECONDS);
  const samples = histogram("kn_inference_batch_samples", "Samples computed together", SAMPLES);
  const histograms = [queue, total, compute, encode, samples];

  /** Series of the requests' counter by release, the oldest release first. */
  const shown = new Map<string, Map<string, Record<string, string>>>();
  const forgetOldest = (): void => {
    for (const [release, series] of shown) {
      if (shown.size <= SHOWN_RELEASES) return;
      shown.delete(release);
      for (const each of histograms) each.remove({ model, release });
      for (const labels of series.values()) requests.remove(labels);
    }
  };
  const seriesOf = (release: string): Map<string, Record<string, string>> => {
    const known = shown.get(release);
    if (known !== undefined) return known;
    const fresh = new Map<string, Record<string, string>>();
    shown.set(release, fresh);
    forgetOldest();
    return fresh;
  };

  /** Figures of the first service of that name. */
  const figuresOf =
    (service: string, services: () => readonly ServiceReport[]) =>
    (name: string, help: string, field: string, factor = 1): void => {
      new Gauge({
        ...{ name, help, labelNames: ["model"], registers },
        collect() {
          this.reset();
          const value = services().find((each) => each.name === service)?.data[field];
          if (typeof value === "number") this.set({ model }, value * factor);
        },
      });
    };

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    observer: {
      onRequest({ release, priority, outcome, queueMs }: RequestSample) {
        const of = release === undefined ? "" : String(release);
        const labels = { model, release: of, priority, outcome };
        seriesOf(of).set(`${priority} ${outcome}`, labels);
        requests.inc(labels);
        if (outcome === "answer") queue.observe({ model, release: of }, queueMs / 1_000);
      },
      onBatch({ release, samples: count, totalMs, computeMs, encodeMs }: BatchSample) {
        const labels = { model, release: String(release) };
        seriesOf(labels.release);
        total.observe(labels, totalMs / 1_000);
        compute.observe(labels, computeMs.reduce((sum, each) => sum + each, 0) / 1_000);
        encode.observe(labels, encodeMs / 1_000);
        samples.observe(labels, count);
      },
    },
    show(models, waiting) {
      new Gauge({
        name: "kn_model_live_release",
        help: "Release that requests without one are answered with",
        labelNames: ["model"],
        registers,
        collect() {
          this.reset();
          for (const { name, live } of models()) if (live !== undefined) this.set({ model: name }, live.release);
        },
      });
      new Gauge({
        name: "kn_model_ready",
        help: "1: the model answers",
        labelNames: ["model"],
        registers,
        collect() {
          for (const { name, unready } of models()) this.set({ model: name }, unready.length === 0 ? 1 : 0);
        },
      });
      new Gauge({
        name: "kn_inference_waiting_samples",
        help: "Samples that wait in the gateway's queue, by priority",
        labelNames: ["model", "priority"],
        registers,
        collect() {
          for (const [priority, count] of Object.entries(waiting())) this.set({ model, priority }, count);
        },
      });
    },
    showReplicas(services) {
      new Gauge({
        name: "kn_replica_tensors",
        help: "Tensors in the compute worker of a replica; more with each change of the release: a leak",
        labelNames: ["model", "replica"],
        registers,
        collect() {
          this.reset();
          for (const { name, metadata, data } of services()) {
            const { tensors } = data;
            if (name !== "kn-replica" || typeof tensors !== "number") continue;
            this.set({ model, replica: metadata["actor"] ?? "" }, tensors);
          }
        },
      });
    },
    showObserving(services) {
      new Gauge({
        name: "kn_observer_held_inputs",
        help: "Observations that wait for the store",
        labelNames: ["model", "actor"],
        registers,
        collect() {
          this.reset();
          for (const { name, metadata, data } of services()) {
            if (name !== "kn-observer") continue;
            const [, count = 0] = countsIn(data["held"]).find(([key]) => key === "inputs") ?? [];
            this.set({ model, actor: metadata["actor"] ?? "" }, count);
          }
        },
      });
      for (const { name, help, kind, key } of OBSERVING) {
        new Counter({
          name,
          help,
          labelNames: ["model", "actor", "outcome"],
          registers,
          collect() {
            this.reset();
            for (const { name: service, metadata, data } of services()) {
              if (service !== kind) continue;
              for (const [outcome, count] of countsIn(data[key]))
                this.inc({ model, actor: metadata["actor"] ?? "", outcome }, count);
            }
          },
        });
      }
    },
    showUpdater(services) {
      const figure = figuresOf("kn-updater", services);
      figure("kn_update_number", "Number of the newest update that was made live", "number");
      figure("kn_update_newest_number", "Number of the newest update that was seen", "newest");
      figure("kn_update_candidate_number", "Number of the offered update that is the shadow; 0: none", "candidate");
      figure("kn_update_age_seconds", "Time since the newest update was made live", "ageMs", 1 / 1_000);
      figure("kn_update_applied_bytes", "Bytes of the updates that were applied", "appliedBytes");
    },
    showLearner(services) {
      const figure = figuresOf("kn-learner", services);
      figure("kn_learner_window", "Window of observations that the learner is at", "window");
      figure("kn_learner_live_number", "Number of the update that the learner holds to be live", "live");
      for (const { name, help, outcomes } of LEARNING) {
        new Counter({
          ...{ name, help, labelNames: ["model", "outcome"], registers },
          collect() {
            this.reset();
            const data = services().find((each) => each.name === "kn-learner")?.data;
            if (data === undefined) return;
            for (const [outcome, count] of outcomes(data)) this.inc({ model, outcome }, count);
          },
        });
      }
    },
  };
}
