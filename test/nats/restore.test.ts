/** What `nats account backup` saved of a fleet is enough to go on from. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { fleetScene, LONG_MS, type Status } from "../support/fleet-scene.ts";
import { describeWithNatsCli, natsCliPath, type TestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describeWithNatsCli("a fleet whose server and nodes are lost", () => {
  it(
    "comes back from `nats account backup`: what went on goes on by itself, what had been stopped is resumed",
    async () => {
      await using folder = await temporaryFolder();
      const backup = join(folder.path, "backup");
      const account = async ({ url }: TestNats, ...words: readonly string[]): Promise<void> => {
        await promisify(execFile)(natsCliPath ?? "", ["--server", url, "--no-context", "account", ...words]);
      };
      let stopped = "";
      let running = "";
      let saved = 0;
      {
        await using lost = await fleetScene();
        stopped = await lost.launch();
        await lost.reach(stopped, 5);
        await lost.run("stop", stopped);
        running = await lost.launch();
        await lost.reach(running, 5);
        saved = (await lost.json<Status>("status", running)).checkpoint;
        await account(lost.nats, "backup", backup, "--force");
      }

      await using fleet = await fleetScene((nats) => account(nats, "restore", backup));
      await fleet.reach(running, saved + 10);
      const { blocks } = await fleet.json<Status>("status", running);
      for (const { actor, isBalanced } of blocks) expect([actor, isBalanced]).toEqual([actor, true]);
      expect(await fleet.json("stop", running)).toMatchObject({ outcome: "stopped" });

      const { checkpoint } = await fleet.json<Status>("status", stopped);
      const resumed = await fleet.run("resume", stopped, "--nodes", "fleet", "--detach");
      expect(resumed).toMatchObject({ code: 0, stderr: "" });
      expect(resumed.stdout).toContain(`from step ${checkpoint}`);
      await fleet.reach(stopped, checkpoint + 5);
      await fleet.run("stop", stopped);
    },
    LONG_MS,
  );
});
