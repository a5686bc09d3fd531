/** A fleet as its users have it: nodes and commands as processes, a real server with JetStream. */
import { expect, it } from "vitest";
import { EXAMPLE, fleetScene, LONG_MS, type Status } from "../support/fleet-scene.ts";
import { kn } from "../support/kn.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describeWithNats("a fleet", () => {
  it(
    "lists its nodes, runs a spec, shows it, stops it and goes on with it",
    async () => {
      await using fleet = await fleetScene();
      const nodes = await fleet.json<{ name: string; gflops: number; cores: number; backend: string }[]>("nodes");
      expect(nodes.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
      for (const { gflops, cores } of nodes) expect(Math.min(gflops, cores)).toBeGreaterThan(0);

      const name = await fleet.launch();
      await fleet.reach(name, 5);
      const status = await fleet.json<Status>("status", name);
      expect(status.blocks.map(({ actor }) => actor)).toEqual(["block-0", "block-1", "block-2", "block-3"]);
      expect(new Set(status.blocks.map(({ node }) => node))).toEqual(new Set(["node-1", "node-2"]));
      const watched = await fleet.run("watch", name, "--once");
      expect(watched).toMatchObject({ code: 0, stderr: "" });
      const picture = watched.stdout;
      for (const word of ["node-1", "block-3", "steps/s", "quality of M", "forward/s"]) expect(picture).toContain(word);

      expect(await fleet.json("stop", name)).toMatchObject({ run: name, outcome: "stopped" });
      const stopped = await fleet.json<Status>("status", name);
      expect(stopped.outcome).toBe("stopped");
      for (const { applied, published, isBalanced } of stopped.blocks) {
        expect(isBalanced).toBe(true);
        expect(applied).toBe(published);
      }
      expect(await fleet.json("runs")).toMatchObject([{ run: name, outcome: "stopped" }]);

      const resumed = await fleet.run("resume", name, "--nodes", "fleet", "--detach");
      expect(resumed).toMatchObject({ code: 0 });
      expect(resumed.stdout).toContain(`from step ${stopped.checkpoint}`);
      await fleet.reach(name, stopped.checkpoint + 5);
      await fleet.run("stop", name);
    },
    LONG_MS,
  );

  it(
    "refuses what cannot be, with a clear word, and a run in progress is not disturbed",
    async () => {
      await using fleet = await fleetScene();
      const name = await fleet.launch();
      await fleet.reach(name, 5);

      const absent = await fleet.run("run", EXAMPLE, "--nodes", "fleet", "--set", "placement.block-0=edge-9");
      expect(absent.code).toBe(2);
      expect(absent.stderr).toContain("placement.block-0 must name a node that is present: current value is edge-9");
      const label = await fleet.run("run", EXAMPLE, "--nodes", "fleet", "--set", "placement.block-0=tier=edge");
      expect(label.code).toBe(2);
      expect(label.stderr).toContain("needs a node with the label tier=edge");
      const twin = await fleet.run("node", "--name", "node-1");
      expect(twin.code).toBe(2);
      expect(twin.stderr).toContain("Cannot join the fleet as node-1 as a node's name must be unique in the fleet");
      const again = await fleet.run("resume", name, "--nodes", "fleet");
      expect(again.code).toBe(2);
      expect(again.stderr).toContain("it must have ended");
      const unknown = await fleet.run("status", "nobody");
      expect(unknown.code).toBe(2);
      expect(unknown.stderr).toContain(name);
      const nowhere = await kn(["nodes", "--bus", "tcp://127.0.0.1:1"], fleet.folder.path).ended;
      expect(nowhere.code).toBe(2);

      const { checkpoint, blocks } = await fleet.json<Status>("status", name);
      await fleet.reach(name, checkpoint + 5);
      expect(blocks.every(({ isBalanced }) => isBalanced)).toBe(true);
      await fleet.run("stop", name);
    },
    LONG_MS,
  );

  it(
    "of our own: `--nodes spawn:2` starts everything, ends everything, and leaves a run that can be evaluated",
    async () => {
      await using folder = await temporaryFolder();
      const small = ["data.limit=1280", "training.batchSize=64", "codecs.activation=f32"].flatMap((each) => [
        "--set",
        each,
      ]);
      const ended = await kn(["run", EXAMPLE, ...small, "--nodes", "spawn:2", "--json"], folder.path).ended;
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      const results = JSON.parse(ended.stdout) as { run: string; accuracy: number };
      expect(results).toMatchObject({ outcome: "completed", steps: 20, epochs: 1 });
      const evaluated = await kn(["evaluate", results.run, "--json"], folder.path).ended;
      expect(JSON.parse(evaluated.stdout)).toMatchObject({ accuracy: results.accuracy, step: 20 });
    },
    LONG_MS,
  );
});
