/** A model in two blocks, and where it is served: a bus and a fleet in memory. */
import type { StartReplicasOptions } from "../../../../src/apps/serve/start-replicas.ts";
import { openFleet } from "../../../../src/fleet/fleet.ts";
import { modelsInStore, openModel } from "../../../../src/models/index.ts";
import { layersOfBlocks, type ModelSpec, servingSpecSchema } from "../../../../src/run-spec/index.ts";
import { memoryBus } from "../../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { manifestOf, randomBlock } from "../../../../tools/bench/serving/random-network.ts";

const NETWORK = {
  input: [4],
  classes: 2,
  layers: [
    { name: "hidden", type: "dense", units: 3, useBias: true },
    { name: "relu", type: "re_lu" },
    { name: "logits", type: "dense", units: 2, useBias: true },
  ],
  cuts: ["relu"],
} as ModelSpec;

/** Of a model in two blocks. */
export const OPTIONS: Omit<StartReplicasOptions, "replicas"> = {
  ...{ run: "serve-digits", backend: "cpu", softwareVersion: "0.1.0", host: "here", metadata: {}, isShared: false },
  spec: servingSpecSchema.parse({ kind: "serving", name: "digits", model: "digits", mode: "blocks" }),
};

/** A bus in memory, and a fleet whose store has the model once it is published. */
export async function servedScene() {
  const clock = systemClock();
  const store = await memoryStore({ clock });
  const bus = memoryBus();
  const model = openModel(modelsInStore(store), "digits", { clock });
  const lines: string[] = [];
  return {
    ...{ bus, model, clock, lines, log: silentLogger, fleet: await openFleet(store) },
    say: (line: string) => void lines.push(line),
    async publish() {
      const parts = layersOfBlocks(NETWORK).map((_, block) => randomBlock(NETWORK, block, 1));
      const { release } = await model.publish(manifestOf(NETWORK, new Date(0).toISOString()), parts);
      await model.promote(release, { by: "test", reason: "" });
    },
    slices: () =>
      bus.services.flatMap(({ name, metadata }) => (name === "kn-replica" ? [metadata["slice"]] : [])).sort(),
    async [Symbol.asyncDispose]() {
      await bus.close();
      await store.close();
    },
  };
}

export const NEVER = new AbortController().signal;
