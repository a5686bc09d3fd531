import { describe, expect, it } from "vitest";
import { createRecorder, type LoadResult } from "../../../../tools/serving/load/load-records.ts";
import { percentilesOf, reportOf } from "../../../../tools/serving/load/report.ts";

describe("percentilesOf", () => {
  it("takes the nearest rank, in any order", () => {
    const values = Array.from({ length: 1_000 }, (_, index) => ((index * 7) % 1_000) + 1);
    expect(percentilesOf(values)).toEqual({
      count: 1_000,
      mean: 500.5,
      p50: 500,
      p90: 900,
      p99: 990,
      p999: 999,
      max: 1_000,
    });
    expect(percentilesOf([]).p99).toBeNaN();
  });
});

describe("reportOf", () => {
  it("tells latencies near a mark from the others", async () => {
    const recorder = createRecorder(1);
    for (let second = 0; second < 10; second += 1) {
      for (const offsetMs of [0, 90, 110, 500]) {
        const latencyMs = offsetMs < 100 ? 20 : 5;
        recorder.add({
          intendedMs: second * 1_000 + offsetMs,
          latencyMs,
          lagMs: 0,
          outcome: "ok",
          stream: 0,
          release: 1,
        });
      }
    }
    const result: LoadResult = {
      records: recorder.finish(),
      startedMs: 0,
      seconds: 10,
      cpuSeconds: 1,
      texts: {},
      marks: [3, 1, 2].map((second) => ({ name: "swap", atMs: second * 1_000 })),
      streams: ["interactive"],
      warmUpMs: 0,
    };
    const { nearMarks, awayFromMarks, series } = await reportOf(result);
    expect(nearMarks).toMatchObject({ count: 6, p50: 20 });
    expect(awayFromMarks).toMatchObject({ count: 34, p50: 5 });
    expect(series).toHaveLength(10);
    expect(series[0]).toMatchObject({ second: 0, requests: 4, ok: 4, failed: 0 });
  });
});
