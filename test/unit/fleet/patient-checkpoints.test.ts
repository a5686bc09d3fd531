import { expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { patientCheckpoints } from "../../../src/fleet/patient-checkpoints.ts";
import type { Checkpoints } from "../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";

const failure = (code: KnowledgeNetError["code"]) => new KnowledgeNetError(code, { attempt: "commit", rule: "none" });

/** Checkpoints whose commits fail with these errors, one after the other, and then succeed. */
function scene(...errors: readonly Error[]) {
  const left = [...errors];
  const tries: (readonly [generation: number, fence: number | undefined])[] = [];
  const checkpoints: Pick<Checkpoints, "commit"> = {
    commit({ generation }, fence) {
      tries.push([generation, fence]);
      const error = left.shift();
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
  };
  const clock = simulatedClock();
  const ending = new AbortController();
  const patient = patientCheckpoints(checkpoints as Checkpoints, { clock, log: silentLogger, signal: ending.signal });
  const manifest = { attempt: 1, generation: 7, sequence: 7, step: 7, epoch: 0, phase: "training", actors: {} };
  const commit = patient.commit(manifest, 3);
  commit.catch(() => undefined); // awaited below
  return { clock, ending, tries, commit };
}

it("patientCheckpoints repeats a commit once a second while the store is unavailable, with its fencing token", async () => {
  const { clock, commit, tries } = scene(failure("KN_UNAVAILABLE"), failure("KN_UNAVAILABLE"));
  await clock.advance(999);
  expect(tries).toHaveLength(1);
  await clock.advance(1_001);
  await commit;
  expect(tries).toEqual([1, 2, 3].map(() => [7, 3]));
});

it.each(["KN_CHECKPOINT", "KN_FENCED"] as const)(
  "patientCheckpoints passes %s on: the coordinator decides",
  async (code) => {
    const { commit, tries } = scene(failure(code));
    await expect(commit).rejects.toMatchObject({ code });
    expect(tries).toHaveLength(1);
  },
);

it("patientCheckpoints ends the retries with the last failure when its controller leaves, and sets no timer then", async () => {
  const { clock, commit, ending, tries } = scene(failure("KN_UNAVAILABLE"), failure("KN_UNAVAILABLE"));
  await clock.advance(500);
  ending.abort();
  await expect(commit).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  expect(tries).toHaveLength(2);
  expect(clock.pendingTimers).toBe(0);
});
