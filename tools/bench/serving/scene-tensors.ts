/** Tensors in the compute workers of a served model: by the metrics of its process, or the statistics of its replicas. */
import type { Bus } from "../../../src/runtime/bus/index.ts";
import { pause } from "./scene-load.ts";

/** While a release is loaded or dropped there are more: the least of some looks counts. */
const LOOKS = 6;
const LOOK_EVERY_MS = 20;
/** Services that run answer sooner, ms. */
const ANSWERS_MS = 500;

/** Sum of `kn_replica_tensors`. @returns undefined while there is none */
export async function tensorsByMetrics(httpUrl: string): Promise<number | undefined> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  return sumOf([...text.matchAll(/^kn_replica_tensors\{.*\} (\d+)$/gm)].map(([, count]) => Number(count)));
}

/** Sum over the answers of all replicas. @returns undefined unless there are `replicas` of them */
export async function tensorsByStatistics(bus: Bus, replicas: number): Promise<number | undefined> {
  const counts: number[] = [];
  const inbox = `_INBOX.bench.${crypto.randomUUID()}`;
  const answers = bus.subscribe(inbox, ({ data }) => {
    const { endpoints } = JSON.parse(new TextDecoder().decode(data)) as {
      endpoints: { data?: { tensors?: number } }[];
    };
    counts.push(endpoints[0]?.data?.tensors ?? 0);
  });
  await bus.flush();
  bus.publish("$SRV.STATS.kn-replica", new Uint8Array(0), { reply: inbox });
  for (let waited = 0; waited < ANSWERS_MS && counts.length < replicas; waited += LOOK_EVERY_MS) {
    await pause(LOOK_EVERY_MS);
  }
  answers.unsubscribe();
  return counts.length === replicas ? sumOf(counts) : undefined;
}

/** The least figure of some looks. @returns undefined when there is none */
export async function leastOf(count: () => Promise<number | undefined>): Promise<number | undefined> {
  const counts: number[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    const next = await count();
    if (next !== undefined) counts.push(next);
    await pause(LOOK_EVERY_MS);
  }
  return counts.length === 0 ? undefined : Math.min(...counts);
}

function sumOf(counts: readonly number[]): number | undefined {
  return counts.length === 0 ? undefined : counts.reduce((sum, each) => sum + each, 0);
}
