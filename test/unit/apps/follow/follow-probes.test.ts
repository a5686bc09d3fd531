import { expect, it } from "vitest";
import { openFollowProbes } from "../../../../src/apps/follow/follow-probes.ts";

it("openFollowProbes is alive at once, and ready while the learner follows", async () => {
  await using probes = await openFollowProbes("127.0.0.1:0", "digits");
  const get = async (path: string) => {
    const response = await fetch(`http://${probes.address}${path}`);
    return { status: response.status, text: await response.text() };
  };
  for (const path of ["/healthz", "/startupz"]) expect(await get(path)).toMatchObject({ status: 200 });
  expect((await get("/readyz")).status).toBe(503);
  probes.wait("no release of oracle is live yet");
  expect(await get("/readyz")).toEqual({ status: 503, text: "no release of oracle is live yet\n" });

  const learner = { state: "following.judging" };
  probes.follow(learner, () => [{ name: "kn-learner", metadata: {}, data: { window: 3 } }]);
  expect((await get("/readyz")).status).toBe(200);
  expect((await get("/metrics")).text).toContain('kn_learner_window{model="digits"} 3');
  learner.state = "opening";
  expect(await get("/readyz")).toEqual({ status: 503, text: "the learner is opening\n" });
});
