/** Training over a real nats-server: what the public protocol shows agrees with the run, and a lost server is survived. */
import { expect, it } from "vitest";
import { connectNatsBus } from "../../src/runtime/bus/index.ts";
import { createControlChannel } from "../../src/runtime/actor/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { describeWithNats, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { testTraining } from "../support/training.ts";
import { waitFor } from "../support/wait-for.ts";

const SMALL = ["data.limit=3200", "training.batchSize=64", "evaluation.everySteps=20", "evaluation.samples=500"];
const STEPS = 50;
const BLOCKS = ["block-0", "block-1", "block-2", "block-3"];

interface ServiceStats {
  readonly metadata: { readonly actor: string };
  readonly endpoints: readonly {
    readonly name: string;
    readonly num_requests: number;
    readonly data: { readonly consumed: number };
  }[];
}

describeWithNats("training over NATS", () => {
  for (const example of ["mnist-synthetic", "mnist-locked"] as const) {
    it(`${example}: the services' request counts are the batches that each block consumed`, async () => {
      await using server = await startTestNats();
      await using folder = await temporaryFolder();
      await using bus = await connectNatsBus({ servers: server.url, name: "run" });
      await using outside = await connectNatsBus({ servers: server.url, name: "watcher" });
      await using training = await testTraining({ name: example, example, bus, folder: folder.path, set: SMALL });
      const stats = new Map<string, ServiceStats>();
      const watcher = createControlChannel({ run: example, actor: "watcher" }, { bus: outside, log: silentLogger });
      // The services end with the run: the coordinator's last checkpoint is the last moment to ask.
      watcher.watch("coordinator", ({ fact }) => {
        if (fact.kind === "StateEntered" && fact.state === "saving")
          outside.publish("$SRV.STATS.kn-block", new Uint8Array(), { reply: "stats" });
      });
      outside.subscribe("stats", ({ data }) => {
        const answer = JSON.parse(new TextDecoder().decode(data)) as ServiceStats;
        stats.set(answer.metadata.actor, answer);
      });
      await outside.flush();
      await training.run.start();
      const { outcome, record } = await training.run.ended;
      expect(outcome).toBe("completed");
      await waitFor(() => stats.size === BLOCKS.length, "the statistics of every block");
      for (const block of BLOCKS) {
        const activation = stats.get(block)?.endpoints.find(({ name }) => name === "activation");
        expect(record.progress[block]).toMatchObject({
          consumed: training.run.plan.lastSequence,
          applied: STEPS,
          drops: {},
        });
        expect(activation?.num_requests).toBe(training.run.plan.lastSequence);
        expect(activation?.data.consumed).toBe(training.run.plan.lastSequence);
      }
      expect(record.evaluations.map(({ samples }) => samples)).toEqual([500, 500, 10_000]);
    });

    it(`${example}: a server killed and started again in mid-run loses no batch and doubles none`, async () => {
      await using server = await startTestNats();
      await using folder = await temporaryFolder();
      await using bus = await connectNatsBus({ servers: server.url, name: "run" });
      await using training = await testTraining({ name: example, example, bus, folder: folder.path, set: SMALL });
      let consumed = 0;
      const watcher = createControlChannel({ run: example, actor: "watcher" }, { bus, log: silentLogger });
      watcher.watch("block-3", ({ fact }) => {
        if (fact.kind === "Progress") consumed = fact.consumed;
      });
      await training.run.start();
      await waitFor(() => consumed >= 10, "ten batches", 60_000);
      await server.restart();
      const { outcome, record } = await training.run.ended;
      expect(outcome).toBe("completed");
      expect(bus.stats.reconnects).toBeGreaterThanOrEqual(1);
      for (const block of BLOCKS) {
        expect(record.progress[block]).toMatchObject({ consumed: training.run.plan.lastSequence, applied: STEPS });
      }
    });
  }
});
