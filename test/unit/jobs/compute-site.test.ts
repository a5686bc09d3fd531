import { describe, expect, it } from "vitest";
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { createComputeSite } from "../../../src/jobs/compute-site.ts";
import { createFakeWorker } from "./fake-worker.ts";

const outOfThreads = new Error("EAGAIN");

describe("createComputeSite", () => {
  it("worker starts one worker for all callers", async () => {
    const started: ComputeWorker[] = [];
    await using site = createComputeSite("cpu", async () => {
      const { worker } = createFakeWorker();
      started.push(worker);
      return worker;
    });
    const [first, second] = await Promise.all([site.worker(), site.worker()]);
    expect(second).toBe(first);
    expect(started).toEqual([first]);
  });

  it("worker tries again after a failed start", async () => {
    let attempts = 0;
    await using site = createComputeSite("cpu", async () => {
      attempts += 1;
      if (attempts === 1) throw outOfThreads;
      return createFakeWorker().worker;
    });
    await expect(site.worker()).rejects.toBe(outOfThreads);
    expect(await site.countTensors()).toBe(0);
    await expect(site.worker()).resolves.toMatchObject({ backend: { name: "cpu" } });
    expect(attempts).toBe(2);
  });

  it("the death of a worker is an event for every listener, and the next call starts another", async () => {
    const fakes = [createFakeWorker(), createFakeWorker()];
    let started = 0;
    await using site = createComputeSite("cpu", async () => (fakes[started++] as (typeof fakes)[number]).worker);
    const errors: unknown[] = [];
    site.onWorkerLost((error) => errors.push(error));
    site.onWorkerLost((error) => errors.push(error));
    const unsubscribe = site.onWorkerLost(() => errors.push("unsubscribed"));
    unsubscribe();
    await site.worker();
    fakes[0]?.die(new Error("out of memory"));
    await fakes[0]?.worker.closed;
    expect(errors).toEqual([
      expect.objectContaining({ code: "KN_UNAVAILABLE", value: "ended by out of memory" }),
      expect.objectContaining({ code: "KN_UNAVAILABLE" }),
    ]);
    expect(await site.worker()).toBe(fakes[1]?.worker);
  });

  it("close is no loss", async () => {
    const errors: unknown[] = [];
    const site = createComputeSite("cpu", async () => createFakeWorker().worker);
    site.onWorkerLost((error) => errors.push(error));
    const worker = await site.worker();
    await site.close();
    await worker.closed;
    expect(errors).toEqual([]);
  });
});
