/** The history of a run: what is appended, how often, and what of it is read again. */
import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../../src/actors/coordinator/index.ts";
import { createHistoryWriter, readHistory, withHistory } from "../../../src/fleet/run-history.ts";
import { EMPTY_SUMMARY, type RunStatus, type RunSummary } from "../../../src/fleet/run-status.ts";
import { NO_PROGRESS } from "../../../src/messages/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { failingStore, failTimes, switchedFaults } from "../../support/failing-store.ts";

const OF = { run: "small", phase: "training", attempt: 1 } as const;

async function scene() {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const store = failingStore(await memoryStore({ clock }), faults, clock);
  return {
    faults,
    store,
    async entries() {
      const found: unknown[] = [];
      for await (const { data } of (await store.log(`history-${OF.run}`)).read())
        found.push(JSON.parse(new TextDecoder().decode(data)));
      return found;
    },
  };
}

const evaluationOf = (evaluation: number, samples: number, step = evaluation) => ({
  evaluation,
  step,
  samples,
  accuracy: 0.5,
  loss: 1,
  atMs: evaluation,
});
const switchAt = (step: number) => ({ actor: "block-0", step, from: "auxiliary", to: "synthetic", reason: "better" });
const changeAt = (step: number) => ({ actor: "student-0", step, from: step, to: step + 1 });
const progressAt = (step: number): RunSummary["progress"][string] => ({ ...NO_PROGRESS, step });
const recordOf = (changes: Partial<RunRecord>): RunRecord => {
  const { counts: _counts, ...listed } = EMPTY_SUMMARY;
  return { ...listed, ...changes };
};
const summaryOf = (changes: Partial<RunSummary>): RunSummary => ({ ...EMPTY_SUMMARY, ...changes });

describe("createHistoryWriter", () => {
  it("appends an evaluation once its samples have not changed between two calls, and not again", async () => {
    const { entries, store } = await scene();
    const writer = createHistoryWriter(OF, EMPTY_SUMMARY, store);
    await writer.append(recordOf({ evaluations: [evaluationOf(1, 40)] }));
    await writer.append(recordOf({ evaluations: [evaluationOf(1, 80)] }));
    expect(await entries()).toEqual([]);
    for (let times = 0; times < 3; times += 1) await writer.append(recordOf({ evaluations: [evaluationOf(1, 80)] }));
    expect(await entries()).toEqual([{ kind: "evaluation", phase: "training", attempt: 1, ...evaluationOf(1, 80) }]);
  });

  it("appends an evaluation at once at the end, and again when it has grown since", async () => {
    const { entries, store } = await scene();
    const writer = createHistoryWriter(OF, EMPTY_SUMMARY, store);
    await writer.append(recordOf({ evaluations: [evaluationOf(1, 40)] }), true);
    await writer.append(recordOf({ evaluations: [evaluationOf(1, 80)] }), true);
    expect(await entries()).toMatchObject([{ samples: 40 }, { samples: 80 }]);
  });

  it("appends each switch and each change of the teacher once, those with which the record began not at all", async () => {
    const { entries, store } = await scene();
    const base = summaryOf({ evaluations: [evaluationOf(1, 80)], switches: [switchAt(1)], teachers: [changeAt(1)] });
    const writer = createHistoryWriter(OF, base, store);
    const record = recordOf({
      evaluations: [evaluationOf(1, 80)],
      switches: [switchAt(1), switchAt(5)],
      teachers: [changeAt(1), changeAt(6)],
    });
    for (let times = 0; times < 3; times += 1) await writer.append(record, true);
    expect(await entries()).toEqual([
      { kind: "switch", phase: "training", attempt: 1, ...switchAt(5) },
      { kind: "teacher", phase: "training", attempt: 1, ...changeAt(6) },
    ]);
  });

  it("repeats what the store refused, and that alone", async () => {
    const { entries, faults, store } = await scene();
    const writer = createHistoryWriter(OF, EMPTY_SUMMARY, store);
    const record = recordOf({ evaluations: [evaluationOf(1, 80)], switches: [switchAt(1), switchAt(2)] });
    let appended = 0;
    const failing = failTimes(1, { operation: "append" });
    faults.now = (call) => (call.operation === "append" && (appended += 1) >= 2 ? failing(call) : undefined);
    await expect(writer.append(record, true)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await writer.append(record, true);
    expect(await entries()).toMatchObject([{ kind: "evaluation" }, { step: 1, kind: "switch" }, { step: 2 }]);
  });
});

describe("readHistory", () => {
  it("reads one phase: the later of two measurements, each switch once, in order", async () => {
    const { store } = await scene();
    const log = await store.log(`history-${OF.run}`);
    const add = async (entry: object): Promise<void> => {
      await log.append(new TextEncoder().encode(JSON.stringify({ phase: "training", attempt: 1, ...entry })));
    };
    await add({ kind: "evaluation", ...evaluationOf(2, 40) });
    await add({ kind: "evaluation", ...evaluationOf(1, 80) });
    await add({ kind: "evaluation", ...evaluationOf(2, 80) });
    await add({ kind: "evaluation", ...evaluationOf(3, 80), phase: "baseline" });
    for (let times = 0; times < 2; times += 1) await add({ kind: "switch", ...switchAt(3) });
    await add({ kind: "teacher", ...changeAt(4) });
    await add({ kind: "something else" });
    const read = await readHistory(OF.run, "training", summaryOf({ step: 10, epochs: 2, generation: 8 }), store);
    expect(read).toEqual({
      evaluations: [evaluationOf(1, 80), evaluationOf(2, 80)],
      switches: [switchAt(3)],
      teachers: [changeAt(4)],
      progress: {},
      epochs: 2,
      step: 10,
      generation: 8,
    });
  });

  it("has what an actor did beyond the newest summary, up to the step that any of them has reported", async () => {
    const { store } = await scene();
    const writer = createHistoryWriter(OF, EMPTY_SUMMARY, store);
    await writer.append(recordOf({ switches: [switchAt(9), switchAt(10), switchAt(11)] }));
    const progress = { "block-0": progressAt(10), "block-1": progressAt(4) };
    const read = await readHistory(OF.run, "training", summaryOf({ step: 6, progress }), store);
    expect(read.switches).toEqual([switchAt(9), switchAt(10)]);
  });

  it("leaves out what an attempt did beyond the step that the run went back to, and has the summary's own entries", async () => {
    const { store } = await scene();
    const writer = createHistoryWriter(OF, EMPTY_SUMMARY, store);
    const record = recordOf({
      evaluations: [evaluationOf(1, 80, 6), evaluationOf(2, 80, 12)],
      switches: [switchAt(11)],
    });
    await writer.append(record, true);
    const summary = summaryOf({ step: 6, evaluations: [evaluationOf(1, 96, 6)], switches: [switchAt(2)] });
    expect(await readHistory(OF.run, "training", summary, store)).toMatchObject({
      evaluations: [evaluationOf(1, 96, 6)],
      switches: [switchAt(2)],
    });
  });
});

it("withHistory: the present phase and each finished one have their whole history, and the rest of the status is as it was", async () => {
  const { store } = await scene();
  const whole = (phase: "baseline" | "sections") => createHistoryWriter({ ...OF, phase }, EMPTY_SUMMARY, store);
  await whole("baseline").append(recordOf({ evaluations: [evaluationOf(1, 80), evaluationOf(2, 80)] }), true);
  await whole("sections").append(recordOf({ switches: [switchAt(3)], teachers: [changeAt(4)] }), true);
  const status: RunStatus = {
    format: 2,
    run: OF.run,
    attempt: 1,
    fence: 1,
    phase: "sections",
    done: [{ phase: "baseline", seconds: 5, record: summaryOf({ step: 9, evaluations: [evaluationOf(2, 80)] }) }],
    state: "feeding",
    control: "coordinating.running",
    coordinator: "a",
    published: 9,
    record: summaryOf({ step: 9, counts: { evaluations: 0, switches: 1, teachers: 1 } }),
    seconds: 6,
    startedAt: "",
    updatedAt: "",
  };
  expect(await withHistory(status, store)).toEqual({
    ...status,
    done: [
      {
        phase: "baseline",
        seconds: 5,
        record: summaryOf({ step: 9, evaluations: [evaluationOf(1, 80), evaluationOf(2, 80)] }),
      },
    ],
    record: { ...status.record, switches: [switchAt(3)], teachers: [changeAt(4)] },
  });
});
