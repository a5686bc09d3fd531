/** `kn serve`, `kn replica`, `kn follow` and a learner before their fleet is there; `kn publish --promote`. */
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { modelsInStore, type NamedTensors, openModel } from "../../../../src/models/index.ts";
import { buildUpdate, openUpdateShelf } from "../../../../src/models/updates/index.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { BY, FACTS, weights } from "../../models/model-scene.ts";
import { type CliOptions, fleetOnMemory, kn, startKn, TINY } from "./cli-scene.ts";

const away: CliOptions = {
  connectFleet: () =>
    Promise.reject(
      new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "connect to nats://away:4222", rule: "it must answer" }),
    ),
};

describe.each([["serve", "--nodes", "none"], ["replica", "--copy", "0"], ["follow"]])("kn %s", (command, ...more) => {
  const args = [command, "digits", ...more, "--bus", "nats://away:4222", "--http", "127.0.0.1:0"];

  it("waits for its fleet's server, tells so, and ends well at a signal", async () => {
    const running = startKn(args, away);
    await waitFor(() => running.stdout().includes("waiting: KN_UNAVAILABLE: Cannot connect to nats://away:4222"), "it");
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("writes one JSON document in each line with --log json", async () => {
    const running = startKn([...args, "--log", "json"], away);
    await waitFor(() => running.stdout().includes("waiting"), "its log");
    running.signal("SIGTERM");
    const { stdout } = await running.ended;
    const lines = stdout.trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries[0]).toMatchObject({
      level: 30,
      run: "serve-digits",
      msg: expect.stringContaining("waiting") as string,
    });
  });
});

it("kn run of a learner with probes waits for its fleet's server, and ends well at a signal", async () => {
  await using folder = await temporaryFolder();
  const spec = join(folder.path, "follow.yaml");
  await writeFile(spec, "kind: continuous\nname: follow\noracle: { model: oracle }\nstudent: { model: digits }\n");
  const place = ["--bus", "nats://away:4222", "--http", "none", "--runs", join(folder.path, "runs")];
  const running = startKn(["run", spec, ...place, "--probes", "127.0.0.1:0", "--log", "json"], away);
  await waitFor(() => running.stdout().includes("waiting: KN_UNAVAILABLE: Cannot connect to nats://away:4222"), "it");
  running.signal("SIGTERM");
  const { code, stdout, stderr } = await running.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout.trim().split("\n")[0] ?? "")).toMatchObject({ level: 30, run: "follow" });
});

it("kn serve --follow needs a store to follow", async () => {
  await using folder = await temporaryFolder();
  const args = ["serve", "digits", "--models", folder.path, "--http", "127.0.0.1:0", "--follow"];
  const refused = await kn(args);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/KN_CONFIG: Cannot follow updates.*--follow ADDRESS/);
});

it("kn follow --shadow makes what is offered compute that share of the requests", async () => {
  await using scene = await fleetOnMemory();
  const { store } = scene.fleet;
  const model = openModel(modelsInStore(store), "digits", { clock: systemClock() });
  const { release } = await model.publish(FACTS, weights(1));
  await model.promote(release, BY);
  const [first, second] = [1, 2].map((value) => Object.assign({}, ...weights(value)) as NamedTensors);
  const shelf = await openUpdateShelf(store, "digits");
  const base = { number: 1, tensors: first ?? {} };
  await shelf.put(buildUpdate({ model: "digits", number: 1, trained: base.tensors, content: { kind: "full" } }));
  const indices = { "weights/d2/kernel": Uint32Array.of(0, 3) };
  const content = { kind: "masked", coding: { codec: "f32" }, indices } as const;
  await shelf.offer(buildUpdate({ model: "digits", number: 2, base, trained: second ?? {}, content }));
  const running = scene.start(["follow", "digits", "--bus", "memory", "--shadow", "25"]);
  const candidate = await waitFor(async () => (await model.live()).candidate, "a shadow");
  expect(candidate).toMatchObject({ mode: "shadow", percent: 25 });
  running.signal("SIGTERM");
  expect(await running.ended).toMatchObject({ code: 0, stderr: "" });
});

it.each([["serve"], ["follow"]])("kn %s refuses a --shadow that is no percentage", async (command) => {
  const { code, stderr } = await kn([command, "digits", "--shadow", "0"]);
  expect(code).not.toBe(0);
  expect(stderr).toContain("percentage");
});

it("kn serve refuses --shadow where it follows nothing", async () => {
  await using folder = await temporaryFolder();
  const { code, stderr } = await kn([
    "serve",
    "digits",
    "--models",
    folder.path,
    "--http",
    "127.0.0.1:0",
    "--shadow",
    "9",
  ]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/KN_CONFIG.*--follow/);
});

it("kn publish --promote makes the release live", async () => {
  await using folder = await temporaryFolder();
  const spec = join(folder.path, "tiny.yaml");
  const models = join(folder.path, "models");
  const runs = join(folder.path, "runs");
  await writeFile(spec, TINY);
  expect(
    await kn(["run", spec, "--name", "tiny", "--runs", runs, "--backend", "cpu", "--set", "evaluation.samples=100"]),
  ).toMatchObject({ code: 0, stderr: "" });
  const place = ["--runs", runs, "--models", models];
  const first = await kn(["publish", "tiny", "--model", "digits", ...place]);
  expect(first.stdout).toContain("nothing is live yet; make this one live: kn promote digits 1");
  const second = await kn(["publish", "tiny", "--model", "digits", "--promote", ...place]);
  expect(second.stdout).toMatch(/release 2 is live$/m);
  const live = await kn(["live", "digits", "--models", models, "--json"]);
  expect(JSON.parse(live.stdout)).toMatchObject({ live: 2 });
});
