import { expect, it } from "vitest";
import { openServingFront } from "../../../../src/apps/serve/serving-front.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { fakeServedModel } from "../../../support/fake-served-model.ts";
import { REQUEST } from "../http/http-scene.ts";

it("openServingFront answers probes and refuses requests with the reason until there is a model, and serves it then", async () => {
  const model = fakeServedModel();
  let endNotice = (): void => undefined;
  const notice = new Promise<void>((resolve) => (endNotice = resolve));
  await using front = await openServingFront(
    { address: "127.0.0.1:0", model: model.name, maxBatch: 8, targetMs: 100 },
    { clock: { ...systemClock(), sleep: () => notice }, log: silentLogger, version: "0.1.0" },
  );
  const at = `http://${front.address}`;
  const status = async (path: string): Promise<number> => (await fetch(at + path)).status;
  const infer = (): Promise<Response> =>
    fetch(`${at}/v2/models/${model.name}/infer`, { method: "POST", body: JSON.stringify(REQUEST) });

  front.wait("the server nats://nats:4222 does not answer");
  expect(await status("/healthz")).toBe(200);
  expect(await status("/startupz")).toBe(200);
  expect(await (await fetch(`${at}/readyz`)).text()).toContain("nats://nats:4222 does not answer");
  expect(await status("/v2/health/ready")).toBe(503);
  expect(await status(`/v2/models/${model.name}/ready`)).toBe(503);
  const refused = await infer();
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { error: expect.stringContaining("does not answer") as string },
  ]);

  front.serve(model);
  expect(await status("/readyz")).toBe(200);
  expect((await infer()).status).toBe(200);

  const kept = await infer();
  const closing = front.close({ noticeMs: 1, graceMs: 10_000 });
  expect(kept.headers.get("connection")).not.toBe("close");
  expect(await status("/readyz")).toBe(503);
  const late = await infer();
  expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
  endNotice();
  await closing;
  await expect(infer()).rejects.toThrow();
});
