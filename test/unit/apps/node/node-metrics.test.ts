import { describe, expect, it } from "vitest";
import { createGradientModelActor } from "../../../../src/actors/gradient-model/index.ts";
import { createNodeMetrics, METRIC_NAMES } from "../../../../src/apps/node/node-metrics.ts";
import type { NodeRecord } from "../../../../src/fleet/records.ts";
import { createMailbox } from "../../../../src/runtime/actor/mailbox.ts";
import type { Bus } from "../../../../src/runtime/bus/index.ts";
import { createScene, memoryOf, RUN, type Scene } from "../../actors/actor-scene.ts";
import { fakeGradientModel } from "../../actors/fake-units.ts";
import { middleBlock } from "../../actors/block/middle-block.ts";

const RECORD = {
  name: "edge-1",
  backend: "wasm",
  backendVersion: "4.22.0",
  softwareVersion: "0.1.0",
} as NodeRecord;

/** Metrics of a node that hosts what is on the scene's bus. */
function metricsOf({ bus }: Scene) {
  const metrics = createNodeMetrics();
  const actors = [{ id: "block-1", state: "training.idle", restarts: 2 }];
  let hosted = [{ run: RUN, actors, countTensors: () => Promise.resolve(11) }];
  metrics.observe({ record: RECORD, bus, runs: () => hosted });
  return {
    /** Value of each series: `kn_actor_step{run="r",actor="block-1"}`. */
    async series(): Promise<Readonly<Record<string, number>>> {
      const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("kn_"));
      return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ""), Number(/\S+$/.exec(line))]));
    },
    forget() {
      hosted = [];
    },
  };
}

async function gradientModel(scene: Scene) {
  const unit = fakeGradientModel();
  const actor = createGradientModelActor(
    {
      ...scene.options("gradient-1"),
      boundary: 1,
      learnEvery: 1,
      retain: 8,
      isElsewhere: false,
      gradientCodec: "raw",
    },
    { ...scene.deps, memory: memoryOf("gradient-1", scene.checkpoints), openUnit: () => Promise.resolve(unit.handle) },
  );
  await actor.start();
  await scene.settle();
}

const of = (name: string, actor: string, part = ""): string => `${name}{run="${RUN}",actor="${actor}"${part}}`;

describe("createNodeMetrics", () => {
  it("exports the statistics of a block and of a gradient model that train", async () => {
    const block = await middleBlock();
    const { scene } = block;
    await gradientModel(scene);
    await block.send(1, 2, 3, 3);
    await block.sendGradients(1, 2);
    const series = await metricsOf(scene).series();
    expect(series).toMatchObject({
      [of("kn_actor_step", "block-1")]: 3,
      [of("kn_actor_updates_total", "block-1")]: 3,
      [of("kn_actor_messages_dropped_total", "block-1", ',cause="duplicate"')]: 1,
      [of("kn_actor_mailbox_depth", "block-1")]: 0,
      [of("kn_actor_mailbox_load", "block-1")]: 0,
      [of("kn_gradient_model_cosine", "gradient-1")]: 0.5,
      [of("kn_gradient_model_relative_error", "gradient-1")]: 0.25,
      [of("kn_actor_updates_total", "gradient-1")]: 2,
      [of("kn_actor_restarts_total", "block-1")]: 2,
      [`kn_run_tensors{run="${RUN}"}`]: 11,
      'kn_node_info{node="edge-1",backend="wasm",backend_version="4.22.0",version="0.1.0"}': 1,
    });
    expect(series[of("kn_actor_sent_bytes_total", "block-1", ',plane="act"')]).toBeGreaterThan(0);
    expect(series[of("kn_actor_step_compute_seconds", "block-1")]).toBeGreaterThan(0);
  });

  it("exports the bytes of the newest message as a gauge: they neither grow nor count", async () => {
    const block = await middleBlock();
    const metrics = metricsOf(block.scene);
    const name = of("kn_actor_step_received_bytes", "block-1");
    await block.send(1);
    const first = (await metrics.series())[name];
    await block.send(2, 3);
    expect(first).toBeGreaterThan(0);
    expect((await metrics.series())[name]).toBe(first);
  });

  it("exports samples and operations of a teacher's cache apart", async () => {
    const scene = await createScene();
    await serviceWith(scene.bus, { cache: { hits: 3, misses: 2, refused: 1, saved_macs: 3000 } });
    expect(await metricsOf(scene).series()).toMatchObject({
      [of("kn_teacher_cache_samples_total", "teacher-0", ',outcome="hits"')]: 3,
      [of("kn_teacher_cache_samples_total", "teacher-0", ',outcome="misses"')]: 2,
      [of("kn_teacher_cache_samples_total", "teacher-0", ',outcome="refused"')]: 1,
      [of("kn_teacher_cache_saved_macs_total", "teacher-0")]: 3000,
    });
    expect(Object.keys(await metricsOf(scene).series()).filter((name) => name.includes('"saved_macs"'))).toEqual([]);
  });

  it("ends the series of an actor that has left", async () => {
    const block = await middleBlock();
    const metrics = metricsOf(block.scene);
    await block.send(1);
    expect(await metrics.series()).toHaveProperty([of("kn_actor_step", "block-1")]);
    await block.actor.stop({ isSaving: false });
    metrics.forget();
    expect(Object.keys(await metrics.series()).filter((name) => name.includes(`run="${RUN}"`))).toEqual([]);
  });

  it("names every metric that it exports", async () => {
    const metrics = createNodeMetrics();
    const exported = [...(await metrics.text()).matchAll(/^# TYPE (kn_\S+)/gm)].map(([, name]) => name);
    expect(exported.sort()).toEqual([...METRIC_NAMES].sort());
  });
});

describe("Mailbox.load", () => {
  it("is 1 when the next message of a kind is refused, whatever the other kinds hold", () => {
    const mailbox = createMailbox<{ readonly kind: "batch" | "gradient" }>({ depth: 2 });
    expect(mailbox.load).toBe(0);
    mailbox.put({ kind: "batch" });
    expect(mailbox.load).toBe(0.5);
    mailbox.put({ kind: "batch" });
    mailbox.put({ kind: "gradient" });
    expect([mailbox.load, mailbox.put({ kind: "batch" })]).toEqual([1, false]);
  });
});

/** A service as a teacher's section registers it. */
function serviceWith(bus: Bus, stats: Readonly<Record<string, unknown>>) {
  return bus.service({
    name: "kn-teacher",
    version: "0.1.0",
    description: "",
    metadata: { run: RUN, actor: "teacher-0" },
    endpoints: [],
    stats: () => stats,
  });
}
