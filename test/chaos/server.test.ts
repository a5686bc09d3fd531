/** A server that goes away in mid-run and comes back. */
import { expect, it } from "vitest";
import { describeWithNats } from "../support/nats-server.ts";
import { expectAccounted, LONG_MS, SMALL, faultyRun } from "../support/faulty-run.ts";

describeWithNats("training in four processes", () => {
  it.each([true, false])(
    "goes on when nats-server is killed and comes back (with its store: %s)",
    async (keepsStore) => {
      const serverRestart = { at: 0.4, keepsStore };
      const result = await faultyRun({ set: SMALL, serverRestart, kills: [{ block: 2, at: 0.8 }] });
      expectAccounted(result);
      expect(result.incarnations).toEqual({ "block-0": 1, "block-1": 1, "block-2": 2, "block-3": 1 });
    },
    LONG_MS,
  );
});
