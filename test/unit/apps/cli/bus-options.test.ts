import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { isFleetGiven, withFleetBus } from "../../../../src/apps/cli/bus-options.ts";
import { fleetOnMemory, kn, nodeRecord } from "./cli-scene.ts";

const SECRET = "nats://ann:SECRET@server.invalid:4333";

/** Every command that takes --bus and connects to a fleet. */
const FLEET_COMMANDS = [
  ["nodes"],
  ["status", "demo"],
  ["stop", "demo"],
  ["watch", "demo", "--once"],
  ["teach", "demo", "--teacher", "t.json"],
  ["runs", "--bus"],
  ["resume", "demo", "--nodes", "fleet"],
];

describe("--bus", () => {
  it.each(FLEET_COMMANDS)("kn %s reads KN_BUS", async (...argv) => {
    await using scene = await fleetOnMemory();
    await scene.kn(argv, { env: { KN_BUS: SECRET } });
    expect(scene.addresses).toEqual([JSON.stringify(SECRET)]);
  });

  it.each(FLEET_COMMANDS)("kn %s prefers --bus to KN_BUS", async (...argv) => {
    await using scene = await fleetOnMemory();
    const words = argv.filter((word) => word !== "--bus");
    await scene.kn([...words, "--bus", "nats://named.invalid"], { env: { KN_BUS: SECRET } });
    expect(scene.addresses).toEqual(['"nats://named.invalid"']);
  });

  it("of kn nodes defaults to the server of this machine", async () => {
    await using scene = await fleetOnMemory();
    await scene.kn(["nodes"]);
    expect(scene.addresses).toEqual(['"nats://127.0.0.1:4222"']);
  });

  it("of kn runs does not replace the folder while only KN_BUS is set", async () => {
    await using scene = await fleetOnMemory();
    const { stdout } = await scene.kn(["runs", "--runs", "/nowhere"], { env: { KN_BUS: SECRET } });
    expect(scene.addresses).toEqual([]);
    expect(stdout).toContain("no runs in /nowhere");
  });

  it.each([["run"], ["resume"], ["demo"], ["node"], ["nodes"], ["runs"], ["status"], ["stop"], ["teach"], ["watch"]])(
    "kn %s --help names KN_BUS and not its value",
    async (command) => {
      const { code, stdout } = await kn([command, "--help"], { env: { KN_BUS: SECRET } });
      expect(code).toBe(0);
      expect(stdout).toContain("KN_BUS");
      expect(stdout).not.toContain("SECRET");
      expect(stdout).not.toContain("server.invalid");
    },
  );
});

describe("credentials of an address", () => {
  it.each([["nodes"], ["runs"]])("are not printed by kn %s where there is nothing to list", async (command) => {
    await using scene = await fleetOnMemory();
    const { stdout } = await scene.kn([command, "--bus", SECRET]);
    expect(stdout).toContain("nats://server.invalid:4333");
    expect(stdout).not.toContain("SECRET");
  });

  it("are not printed by a refusal", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.nodes.put("a", nodeRecord("a"));
    const { stderr, code } = await scene.kn(["status", "absent", "--bus", SECRET]);
    expect(code).toBe(2);
    expect(stderr).not.toContain("SECRET");
  });
});

describe("isFleetGiven", () => {
  it.each([
    [["status", "run"], false],
    [["status", "run", "--bus", "nats://host:4222"], true],
  ])("%j: %s, though KN_BUS names a fleet in both", (argv, isGiven) => {
    const seen: boolean[] = [];
    const program = new Command();
    withFleetBus(program.command("status").argument("<run>"), { env: { KN_BUS: "nats://other:4222" } }).action(
      (_run: string, _options: object, command: Command) => void seen.push(isFleetGiven(command)),
    );
    program.parse(argv, { from: "user" });
    expect(seen).toEqual([isGiven]);
  });
});
