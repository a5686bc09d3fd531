/**
 * A node's figures as Prometheus metrics. Their one source are the statistics of the node's services (`nats service
 * stats`), read at each scrape. Labels are the names of runs and actors hosted now, and fixed words; a series ends with
 * its actor.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { Bus, ServiceReport } from "../../runtime/bus/index.ts";
import type { NodeRecord } from "../../fleet/records.ts";
import type { Progress } from "../../messages/index.ts";

/** A run hosted on this node. */
export interface HostedRun {
  readonly run: string;
  readonly actors: readonly { readonly id: string; readonly state: string; readonly restarts: number }[];
  countTensors(): Promise<number>;
}

export interface NodeView {
  readonly record: NodeRecord;
  readonly bus: Bus;
  readonly runs: () => readonly HostedRun[];
}

export interface NodeMetrics {
  readonly contentType: string;
  /** Adds the metrics of the node to those of the process. */
  observe(node: NodeView): void;
  text(): Promise<string>;
}

/** The part of a teacher's cache figures that counts no samples. */
const SAVED_MACS = "saved_macs";

/** Statistics of an actor's service: its progress and its mailbox. */
type ActorStats = Omit<Progress, "kind"> & { readonly mailbox: number; readonly mailboxLoad: number };
type Parts = Readonly<Record<string, number>>;

interface Definition {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  /** Label of the parts of a metric that has parts. */
  readonly part?: string;
  readonly read: (stats: Partial<ActorStats>) => number | Parts | undefined;
}

/** Figures of each actor, read from its service's statistics. */
const ACTOR_FIGURES: readonly Definition[] = [
  { name: "kn_actor_step", help: "Training step of the newest batch taken", kind: "gauge", read: ({ step }) => step },
  {
    name: "kn_actor_updates_total",
    help: "Updates of the actor's weights",
    kind: "counter",
    read: ({ applied }) => applied,
  },
  {
    name: "kn_actor_batches_skipped_total",
    help: "Training batches that the weights do not include, by cause",
    kind: "counter",
    part: "cause",
    read: ({ skipped }) => skipped,
  },
  {
    name: "kn_actor_messages_dropped_total",
    help: "Messages dropped, by cause",
    kind: "counter",
    part: "cause",
    read: ({ drops }) => drops,
  },
  {
    name: "kn_actor_batches_pending",
    help: "Training batches kept until their gradient arrives",
    kind: "gauge",
    read: ({ pending }) => pending,
  },
  {
    name: "kn_actor_mailbox_depth",
    help: "Messages queued in the mailbox",
    kind: "gauge",
    read: ({ mailbox }) => mailbox,
  },
  {
    name: "kn_actor_mailbox_load",
    help: "Fill level of the mailbox's fullest queue, 0 to 1; at 1 the next message of its kind is dropped",
    kind: "gauge",
    read: ({ mailboxLoad }) => mailboxLoad,
  },
  {
    name: "kn_actor_loss",
    help: "Loss of the newest training batch per sample, nats; of the last block or section",
    kind: "gauge",
    read: ({ loss }) => loss,
  },
  {
    name: "kn_actor_hint_loss",
    help: "Hint loss of the newest training batch per sample; of a student's section",
    kind: "gauge",
    read: ({ hintLoss }) => hintLoss,
  },
  {
    name: "kn_actor_staleness_steps",
    help: "Steps between the forward pass and the newest gradient used",
    kind: "gauge",
    read: ({ stalenessSteps }) => stalenessSteps,
  },
  {
    name: "kn_gradient_model_cosine",
    help: "Cosine of predicted and true gradient, newest; 1 is perfect",
    kind: "gauge",
    read: ({ quality }) => quality?.cosine,
  },
  {
    name: "kn_gradient_model_relative_error",
    help: "Norm of the prediction's error over the gradient's norm, newest",
    kind: "gauge",
    read: ({ quality }) => quality?.relativeError,
  },
  {
    name: "kn_actor_step_compute_seconds",
    help: "Compute time of the newest message",
    kind: "gauge",
    read: ({ computeMs }) => (computeMs === undefined ? undefined : computeMs / 1000),
  },
  {
    name: "kn_actor_sent_bytes_total",
    help: "Bytes sent for training over the actor's boundaries, by plane",
    kind: "counter",
    part: "plane",
    read: ({ sentBytes }) => sentBytes,
  },
  {
    name: "kn_actor_step_received_bytes",
    help: "Bytes of the newest message received for training",
    kind: "gauge",
    read: ({ receivedBytes }) => receivedBytes,
  },
  {
    name: "kn_teacher_cache_samples_total",
    help: "Samples that a teacher section looked up in its cache: hits, misses, and writes refused because the cache is full",
    kind: "counter",
    part: "outcome",
    read: ({ cache }) => cache && without(cache, SAVED_MACS),
  },
  {
    name: "kn_teacher_cache_saved_macs_total",
    help: "Multiply-accumulates saved by cache hits of a teacher section",
    kind: "counter",
    read: ({ cache }) => cache?.[SAVED_MACS],
  },
];

/** Names of all metrics but the process's own, for dashboards and their test. */
export const METRIC_NAMES: readonly string[] = [
  ...ACTOR_FIGURES.map(({ name }) => name),
  "kn_node_info",
  "kn_actor_info",
  "kn_actor_restarts_total",
  "kn_run_tensors",
  "kn_bus_messages_total",
  "kn_bus_bytes_total",
  "kn_bus_reconnects_total",
];

export function createNodeMetrics(): NodeMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  let node: NodeView | undefined;

  /** Fills the metric at each scrape; a series without a figure at this scrape ends. */
  const define = (
    { name, help, kind }: Pick<Definition, "name" | "help" | "kind">,
    labelNames: string[],
    fill: (view: NodeView, set: (labels: Record<string, string>, value: number) => void) => void | Promise<void>,
  ): void => {
    const collect = async function (this: Counter | Gauge): Promise<void> {
      this.reset();
      if (node !== undefined)
        await fill(node, (labels, value) => {
          this.inc(labels, value);
        });
    };
    const options = { name, help, labelNames, registers: [registry], collect };
    if (kind === "counter") new Counter(options);
    else new Gauge(options);
  };

  for (const definition of ACTOR_FIGURES) {
    const { part } = definition;
    define(definition, ["run", "actor", ...(part === undefined ? [] : [part])], ({ bus }, set) => {
      for (const report of bus.services) {
        const labels = labelsOf(report);
        const figure = labels === undefined ? undefined : definition.read(report.data);
        if (labels === undefined || figure === undefined) continue;
        if (part === undefined) {
          if (isCount(figure)) set(labels, figure);
          continue;
        }
        for (const [key, value] of Object.entries(figure as object)) {
          if (isCount(value)) set({ ...labels, [part]: key }, value);
        }
      }
    });
  }
  define(
    { name: "kn_node_info", help: "The node; always 1", kind: "gauge" },
    ["node", "backend", "backend_version", "version"],
    ({ record }, set) => {
      const { name, backend, backendVersion, softwareVersion } = record;
      set({ node: name, backend, backend_version: backendVersion, version: softwareVersion }, 1);
    },
  );
  define(
    { name: "kn_actor_info", help: "State of an actor hosted here; always 1", kind: "gauge" },
    ["run", "actor", "state"],
    ({ runs }, set) => {
      for (const { run, actors } of runs()) for (const { id, state } of actors) set({ run, actor: id, state }, 1);
    },
  );
  define(
    { name: "kn_actor_restarts_total", help: "Restarts of an actor after a failure", kind: "counter" },
    ["run", "actor"],
    ({ runs }, set) => {
      for (const { run, actors } of runs()) for (const { id, restarts } of actors) set({ run, actor: id }, restarts);
    },
  );
  define(
    { name: "kn_run_tensors", help: "Tensors alive in the workers of a run on this node", kind: "gauge" },
    ["run"],
    async ({ runs }, set) => {
      for (const hosted of runs()) set({ run: hosted.run }, await hosted.countTensors());
    },
  );
  define(
    { name: "kn_bus_messages_total", help: "Messages of this node's bus connection", kind: "counter" },
    ["direction"],
    ({ bus }, set) => {
      set({ direction: "sent" }, bus.stats.publishedMessages);
      set({ direction: "received" }, bus.stats.receivedMessages);
    },
  );
  define(
    { name: "kn_bus_bytes_total", help: "Bytes of messages of this node's bus connection", kind: "counter" },
    ["direction"],
    ({ bus }, set) => {
      set({ direction: "sent" }, bus.stats.publishedBytes);
      set({ direction: "received" }, bus.stats.receivedBytes);
    },
  );
  define(
    { name: "kn_bus_reconnects_total", help: "Reconnections to the server", kind: "counter" },
    [],
    ({ bus }, set) => {
      set({}, bus.stats.reconnects);
    },
  );

  return {
    contentType: registry.contentType,
    observe(view) {
      node = view;
    },
    text: () => registry.metrics(),
  };
}

function without(parts: Parts, name: string): Parts {
  return Object.fromEntries(Object.entries(parts).filter(([key]) => key !== name));
}

/** @returns undefined for a service that is no actor's */
function labelsOf({ metadata }: ServiceReport): { run: string; actor: string } | undefined {
  const { run, actor } = metadata;
  return run === undefined || actor === undefined ? undefined : { run, actor };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
