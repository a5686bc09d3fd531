import { expect, it } from "vitest";
import type { NodeRecord } from "../../../../src/fleet/records.ts";
import { createNodeMetrics, METRIC_NAMES } from "../../../../src/apps/node/node-metrics.ts";
import { memoryBus, type Service } from "../../../../src/runtime/bus/index.ts";

const RECORD = {
  name: "edge-1",
  backend: "wasm",
  backendVersion: "4.22.0",
  softwareVersion: "0.1.0",
} as NodeRecord;

async function scene() {
  const bus = memoryBus();
  const metrics = createNodeMetrics();
  const stats = {
    state: "running.waiting",
    step: 7,
    applied: 5,
    skipped: { stale: 2 },
    drops: { late: 1, duplicate: 3 },
    mailbox: 4,
    sentBytes: { activation: 1000, gradient: 500 },
    loss: 0.25,
    quality: { cosine: 0.5, relativeError: 1.5, updates: 9 },
  };
  const service: Service = await bus.service({
    name: "kn-block",
    version: "0.1.0",
    description: "",
    metadata: { run: "demo", actor: "block-0" },
    endpoints: [],
    stats: () => stats,
  });
  const actors = [{ id: "block-0", state: "running.waiting", restarts: 2 }];
  let hosted = [{ run: "demo", actors, countTensors: () => Promise.resolve(11) }];
  metrics.observe({ record: RECORD, bus, runs: () => hosted });
  return {
    bus,
    service,
    stats,
    /** Lines of our own metrics, without their help. */
    async lines(): Promise<string[]> {
      return (await metrics.text()).split("\n").filter((line) => line.startsWith("kn_"));
    },
    forget() {
      hosted = [];
    },
  };
}

it("tells what the node's services say of themselves, part by part", async () => {
  const { lines } = await scene();
  const actor = 'run="demo",actor="block-0"';
  expect(await lines()).toEqual(
    expect.arrayContaining([
      `kn_actor_step{${actor}} 7`,
      `kn_actor_updates_total{${actor}} 5`,
      `kn_actor_batches_skipped_total{${actor},cause="stale"} 2`,
      `kn_actor_messages_dropped_total{${actor},cause="late"} 1`,
      `kn_actor_messages_dropped_total{${actor},cause="duplicate"} 3`,
      `kn_actor_mailbox_depth{${actor}} 4`,
      `kn_actor_sent_bytes_total{${actor},plane="activation"} 1000`,
      `kn_actor_loss{${actor}} 0.25`,
      `kn_gradient_model_cosine{${actor}} 0.5`,
      `kn_gradient_model_relative_error{${actor}} 1.5`,
      `kn_actor_restarts_total{${actor}} 2`,
      'kn_run_tensors{run="demo"} 11',
      'kn_node_info{node="edge-1",backend="wasm",backend_version="4.22.0",version="0.1.0"} 1',
    ]),
  );
});

it("follows the figures, and forgets an actor that has ended", async () => {
  const { lines, stats, service, forget } = await scene();
  stats.applied = 6;
  expect(await lines()).toContain('kn_actor_updates_total{run="demo",actor="block-0"} 6');
  await service.stop();
  forget();
  expect((await lines()).filter((line) => line.includes('run="demo"'))).toEqual([]);
});

it("names every metric that it exports", async () => {
  const metrics = createNodeMetrics();
  const exported = [...(await metrics.text()).matchAll(/^# TYPE (kn_\S+)/gm)].map(([, name]) => name);
  expect(exported.sort()).toEqual([...METRIC_NAMES].sort());
});
