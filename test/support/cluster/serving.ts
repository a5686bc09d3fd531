/** The served model of overlays/dev as its clients have it: digits to ask about, curl, and load on the Service. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encode } from "fast-png";
import { inject } from "vitest";
import { openDataset } from "../../../src/apps/open-dataset.ts";
import { type LoadOptions, type RunningLoad, startLoad } from "../../../tools/serving/load/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { kn, NAMESPACE } from "./dev-fleet.ts";
import { besideCluster, enter, forward } from "./kubectl.ts";

/** Of the pool that load goes round in. */
const DIGITS = 64;
const SIDE = 28;
const CURL_MS = 60_000;

/** Load comes from beside the cluster's machine: the addresses of another one may be out of reach. */
export const isReachable = (): boolean => inject("machinePid") !== undefined;

export interface Digits {
  /** u8 [DIGITS, 28, 28, 1] */
  readonly values: Uint8Array;
  readonly labels: readonly number[];
}

/** The first digits of the test set. */
export async function testDigits(): Promise<Digits> {
  const { test } = await openDataset({ data: { dataset: "mnist", holdout: 0 }, env: process.env });
  const { samples, labels } = test.batch(Array.from({ length: DIGITS }, (_, index) => index));
  return { values: Uint8Array.from(samples.values), labels: [...labels.values] };
}

/** Asks for the classes of the first `count` digits with `curl --data-binary @digit.png`, through the Service. @returns the answers */
export async function curlDigits({ values }: Digits, count: number): Promise<string[]> {
  await using folder = await temporaryFolder();
  await using tunnel = await forward(NAMESPACE, "service/serving", 80);
  const answers: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const data = values.subarray(index * SIDE * SIDE, (index + 1) * SIDE * SIDE);
    const file = join(folder.path, "digit.png");
    await writeFile(file, encode({ width: SIDE, height: SIDE, channels: 1, depth: 8, data }));
    const url = `http://127.0.0.1:${tunnel.port}/v2/models/digits/infer`;
    answers.push(await besideCluster("curl", ["-sS", "--data-binary", `@${file}`, url], CURL_MS));
  }
  return answers;
}

/** Load on the Service's own address, open-loop, from where the cluster's addresses are reached. */
export async function loadService(
  { values }: Digits,
  options: Pick<LoadOptions, "streams" | "seed" | "durationMs">,
): Promise<RunningLoad> {
  const address = await kn("get", "service", "serving", "-o", "jsonpath={.spec.clusterIP}");
  const target = { kind: "http", url: `http://${address}:80`, model: "digits" } as const;
  return startLoad({ ...options, target, images: { shape: [SIDE, SIDE, 1], values } }, { enter: enter() });
}
