import { describe, expect, it } from "vitest";
import { mutateHttp } from "../../tools/faults/mutate-http.ts";
import { printedSeed } from "../support/random.ts";

/** A million by hand: node dist/tools/faults/mutate-http.js. */
const MUTATIONS = 100_000;
/** V8 keeps what it once had; a leak of a kilobyte for each mutation is twice that. */
const GROWTH_BYTES = 64 * 1024 * 1024;

describe("mutated requests for inference", () => {
  it("are answered by a client's fault, or closed, in flat memory", { timeout: 300_000 }, async () => {
    const { mutations, outcomes, failures, memory } = await mutateHttp({ count: MUTATIONS, seed: printedSeed() });
    expect(failures).toEqual([]);
    expect(mutations).toBe(MUTATIONS);
    expect(outcomes["400"]).toBeGreaterThan(MUTATIONS / 2);
    expect(outcomes["200"]).toBeGreaterThan(MUTATIONS / 100);
    expect(memory.end - memory.warm).toBeLessThan(GROWTH_BYTES);
  });
});
