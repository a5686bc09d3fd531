/** Downtime of a killed block, from SIGKILL to its next step, and its effect on the others. */
import process from "node:process";
import { parseTrainingSpec } from "../../src/run-spec/index.ts";
import { openFleetScene } from "./fleet-scene.ts";

export interface Recovery {
  readonly kills: number;
  /** From SIGKILL to the first step that the new incarnation finished, s. */
  readonly p50Seconds: number;
  readonly p95Seconds: number;
  /** Of the previous block: its rate during the downtime, over its rate before. */
  readonly othersRate: number;
  readonly seconds: readonly number[];
}

export interface RecoveryOptions {
  readonly spec: string;
  readonly set: readonly string[];
  readonly kills: number;
  readonly write: (line: string) => void;
}

const STEPS_BETWEEN = 30;
const VICTIM = "block-1";
const OBSERVED = "block-0";

export async function measureRecovery({ spec: text, set, kills, write }: RecoveryOptions): Promise<Recovery> {
  await using scene = await openFleetScene({
    nodes: 4,
    parse: (settings) => parseTrainingSpec(text, { file: "spec", set: settings }),
  });
  const { clock } = scene;
  let fence = 0;
  let victimStep = 0;
  let observed: { readonly atMs: number; readonly step: number }[] = [];
  let revived: ((atMs: number) => void) | undefined;
  const run = await scene.run(scene.parse(set), ({ header, fact }) => {
    if (fact.kind !== "Progress") return;
    if (header.sender === OBSERVED) observed.push({ atMs: clock.now(), step: header.step });
    if (header.sender !== VICTIM) return;
    if (header.fence > fence && fence > 0 && header.step > victimStep) {
      revived?.(clock.now());
      revived = undefined;
    }
    if (header.fence >= fence && revived === undefined) {
      fence = header.fence;
      victimStep = header.step;
    }
  });
  const node = run.record.actors[VICTIM] ?? "";
  const seconds: number[] = [];
  const ratios: number[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    await run.reach(kill * STEPS_BETWEEN);
    const killedMs = clock.now();
    const before = rateOf(observed, killedMs - 3_000, killedMs);
    const back = new Promise<number>((resolve) => {
      revived = resolve;
    });
    const pid = scene.pidOf(node);
    if (pid === 0) throw new Error(`${node} is not there`); // to kill 0 would be to kill ourselves
    process.kill(pid, "SIGKILL");
    const backMs = await back;
    const meanwhile = rateOf(observed, killedMs, backMs);
    seconds.push((backMs - killedMs) / 1000);
    ratios.push(before === 0 ? 0 : meanwhile / before);
    write(
      `kill ${kill}: ${((backMs - killedMs) / 1000).toFixed(1)} s down, ${OBSERVED} at ${(100 * (ratios.at(-1) ?? 0)).toFixed(0)} % of its rate`,
    );
    observed = observed.filter(({ atMs }) => atMs > backMs - 5_000);
  }
  await run.end();
  const sorted = [...seconds].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    kills,
    p50Seconds: at(0.5),
    p95Seconds: at(0.95),
    othersRate: ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.max(1, ratios.length),
    seconds,
  };
}

/** Steps per second between two times. */
function rateOf(
  history: readonly { readonly atMs: number; readonly step: number }[],
  fromMs: number,
  toMs: number,
): number {
  const within = history.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const [first, last] = [within[0], within.at(-1)];
  if (first === undefined || last === undefined || toMs <= fromMs) return 0;
  return (last.step - first.step) / ((toMs - fromMs) / 1000);
}
