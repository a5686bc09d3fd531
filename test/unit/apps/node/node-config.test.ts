import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readNodeConfig } from "../../../../src/apps/node/node-config.ts";
import { readBusAddress } from "../../../../src/apps/connect/bus-address.ts";
import { connectNats } from "../../../../src/runtime/nats/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

async function written(text: string) {
  const folder = await temporaryFolder();
  const file = join(folder.path, "node.yaml");
  await writeFile(file, text);
  return { file, folder, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

it("reads a node's configuration; paths are relative to the file", async () => {
  await using scene = await written(
    "name: edge-1\nlabels: {tier: edge, zone: b}\nstate: state\nbus: {servers: [nats://a, nats://b], user: kn, passwordFile: password}\n",
  );
  expect(await readNodeConfig(scene.file)).toEqual({
    name: "edge-1",
    labels: "tier=edge,zone=b",
    state: join(scene.folder.path, "state"),
    bus: { servers: ["nats://a", "nats://b"], user: "kn", passwordFile: join(scene.folder.path, "password") },
  });
});

it.each([
  ["nmae: edge-1\n", "did you mean 'name'?"],
  ["name: edge-1\nbus: {servers: [nats://a], pasword: x}\n", "passwordFile"],
  ["bus: {servers: []}\n", "node.yaml:1:7"],
  ["backend: gpu\n", '"gpu"'],
])("refuses %j and names the place and the way out", async (text, part) => {
  await using scene = await written(text);
  await expect(readNodeConfig(scene.file)).rejects.toMatchObject({
    code: "KN_CONFIG",
    message: expect.stringContaining(part) as string,
  });
});

it("names a configuration and a secret that are not there", async () => {
  await using scene = await written("bus: {servers: [nats://127.0.0.1:1], user: kn, passwordFile: password}\n");
  const absent = join(scene.folder.path, "absent.yaml");
  await expect(readNodeConfig(absent)).rejects.toMatchObject({
    code: "KN_CONFIG",
    attempt: `read the node's configuration ${absent}`,
  });
  const access = await readBusAddress(scene.file);
  await expect(connectNats({ ...access, name: "test" })).rejects.toMatchObject({
    code: "KN_CONFIG",
    attempt: `read ${join(scene.folder.path, "password")} to connect to the NATS server`,
  });
});
