import { expect, it } from "vitest";
import { awaitReleases } from "../../../../src/apps/follow/await-releases.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { type LiveRecord, NOTHING_LIVE } from "../../../../src/models/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const away = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "read what is live", rule: "the store must answer" });

/** Answers each look with the next of these; with the last one from then on. */
function model(name: string, ...answers: (number | undefined | Error)[]) {
  return {
    name,
    live(): Promise<LiveRecord> {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve(answer === undefined ? NOTHING_LIVE : { ...NOTHING_LIVE, live: answer });
    },
  };
}

it("awaitReleases waits for the store and for each model, and tells each reason once", async () => {
  const clock = simulatedClock();
  const told: string[] = [];
  const models = [model("student", away, away, undefined, 3), model("oracle", undefined, undefined, 1)];
  const waiting = awaitReleases(models, { clock, onObstacle: (reason) => void told.push(reason) }, AbortSignal.any([]));
  for (let second = 0; second < 6; second += 1) await clock.advance(1_000);
  expect(await waiting).toBe(true);
  expect(told).toEqual([
    away.message,
    expect.stringMatching(/no release of student/),
    expect.stringMatching(/no release of oracle/),
  ]);
});

it("awaitReleases ends with the signal, and rejects with an error that stays", async () => {
  const clock = simulatedClock();
  const leaving = new AbortController();
  const deps = { clock, onObstacle: () => undefined };
  const waiting = awaitReleases([model("student", undefined)], deps, leaving.signal);
  await clock.advance(500);
  leaving.abort();
  expect(await waiting).toBe(false);
  const broken = new KnowledgeNetError("KN_DECODE", { attempt: "read what is live", rule: "it must be a record" });
  await expect(awaitReleases([model("student", broken)], deps, AbortSignal.any([]))).rejects.toBe(broken);
});
