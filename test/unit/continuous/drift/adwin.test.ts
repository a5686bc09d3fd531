import { describe, expect, it } from "vitest";
import { openAdwin } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";

describe("openAdwin", () => {
  it("reports a change once, and keeps what came after it", () => {
    const random = randomFrom(4);
    const adwin = openAdwin();
    const detections = Array.from({ length: 4000 }, (_, i) => i).filter((i) =>
      adwin.update(Number(random() < (i < 2000 ? 0.9 : 0.6))),
    );
    expect(detections).toHaveLength(1);
    expect(detections[0]).toBeGreaterThan(2000);
    expect(adwin.mean()).toBeCloseTo(0.6, 1);
  });

  it("stays silent on a stationary stream, in memory of the logarithm of its length", () => {
    const random = randomFrom(9);
    const adwin = openAdwin();
    const detections = Array.from({ length: 20_000 }, () => adwin.update(Number(random() < 0.85))).filter(Boolean);
    expect(detections).toHaveLength(0);
    expect(adwin.width()).toBe(20_000);
    expect(adwin.state().rows.flat().length).toBeLessThan(80);
  });
});
