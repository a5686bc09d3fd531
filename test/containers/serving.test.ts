/** A served model whose gateway, replicas and server are containers, under load that never retries, while they are restarted. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StartedTestContainer } from "testcontainers";
import { expect, it } from "vitest";
import { modelsInStore, openModel } from "../../src/models/index.ts";
import { layersOfBlocks, parseTrainingSpec } from "../../src/run-spec/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { PACKAGE_ROOT } from "../../setup/index.ts";
import { manifestOf, randomBlock, randomImages } from "../../tools/bench/serving/random-network.ts";
import { type LoadReport, reportOf, type RunningLoad, startLoad } from "../../tools/serving/load/index.ts";
import {
  becomesReady,
  HTTP_PORT,
  hostOf,
  isReady,
  NATS_PORT,
  signal,
  startFleet,
  startKn,
} from "../support/containers/fleet.ts";
import { waitFor } from "../support/wait-for.ts";

const MODEL = "digits";
const NETWORK = join(PACKAGE_ROOT, "examples", "mnist-synthetic.yaml");
const RATE_PER_SECOND = 200;
/** As many as are asked for where figures are published; the suite pays for fewer. */
const LEAST_REQUESTS = process.env["KN_RESULTS"] === undefined ? 3_000 : 10_000;
const LONGEST_MS = 600_000;
const TIMEOUT_MS = 15_000;
/** Containers that start take the processors from those that answer: requests may wait for that. */
const PATIENT = ["--target-ms", "5000"];

it("loses no request while replicas are restarted one after another, and none without a code while NATS is", async () => {
  await using fleet = await startFleet({});
  const { network, nats, connected } = fleet;
  const spec = parseTrainingSpec(await readFile(NETWORK, "utf8"), { file: NETWORK });
  const clock = systemClock();
  const model = openModel(modelsInStore(connected.fleet.store), MODEL, { clock });
  const weights = layersOfBlocks(spec.model).map((_, block) => randomBlock(spec.model, block, 1));
  const { release } = await model.publish(manifestOf(spec.model, new Date(clock.wallTimeMs()).toISOString()), weights);
  await model.promote(release, { by: "test" });

  const common = [MODEL, "--bus", `nats://${hostOf(nats)}:${NATS_PORT}`, "--http", `0.0.0.0:${HTTP_PORT}`];
  const start = (name: string, args: string[]): Promise<StartedTestContainer> =>
    startKn(network, { name, image: "native", args: [...args.slice(0, 1), ...common, ...args.slice(1)] });
  await using gateway = stopped(await start("gateway", ["serve", "--nodes", "none", ...PATIENT]));
  await using first = stopped(await start("replica-1", ["replica"]));
  await using second = stopped(await start("replica-2", ["replica"]));
  await becomesReady(gateway.container);

  const images = randomImages(spec.model.input, 16, 1);
  const url = `http://${gateway.container.getHost()}:${gateway.container.getMappedPort(HTTP_PORT)}`;
  const load = (seed: number): RunningLoad =>
    startLoad({
      target: { kind: "http", url, model: MODEL },
      images,
      streams: [{ name: "test", ratePerSecond: RATE_PER_SECOND, timeoutMs: TIMEOUT_MS }],
      seed,
      durationMs: LONGEST_MS,
    });
  const underLoad = async (seed: number, work: () => Promise<void>, least = 0): Promise<LoadReport> => {
    await using running = load(seed);
    const startedMs = performance.now();
    await calm();
    await work();
    await calm();
    const wantedMs = (1_050 * least) / RATE_PER_SECOND;
    await waitFor(() => performance.now() - startedMs >= wantedMs, "enough requests", 2 * wantedMs + 1_000);
    running.stop();
    return await reportOf(await running.ended);
  };

  const restarts = await underLoad(
    1,
    async () => {
      for (const { container } of [first, second]) {
        await signal(container, "restart");
        await becomesReady(container);
      }
    },
    LEAST_REQUESTS,
  );
  expect({ texts: restarts.texts, outcomes: restarts.total.outcomes }).toEqual({
    texts: {},
    outcomes: { ok: restarts.total.requests },
  });
  expect(restarts.total.requests).toBeGreaterThanOrEqual(LEAST_REQUESTS);

  const outage = await underLoad(2, async () => {
    await signal(nats, "restart");
    await waitFor(() => isReady(gateway.container), "the gateway is ready", 60_000);
  });
  const { outcomes, failed } = outage.total;
  expect({ failed, outcomes, texts: outage.texts }).toMatchObject({ failed: 0 });
  for (const text of Object.keys(outage.texts)) expect(text).toMatch(/^\w+: (429|503|504) KN_/);
  for (const each of outage.series.slice(-3, -1)) expect(each).toMatchObject({ refused: 0, failed: 0 });
  console.log(
    `${restarts.total.requests} requests over restarts of both replicas: none failed; ${outage.total.requests} over a restart of NATS: ${JSON.stringify(outcomes)}`,
  );
});

function stopped(container: StartedTestContainer): AsyncDisposable & { readonly container: StartedTestContainer } {
  return {
    container,
    async [Symbol.asyncDispose]() {
      await container.stop({ timeout: 0 });
    },
  };
}

/** Load on its own for a while. */
async function calm(): Promise<void> {
  const sinceMs = performance.now();
  await waitFor(() => performance.now() - sinceMs > 3_000, "three seconds", 10_000);
}
