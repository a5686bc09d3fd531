/** What is in the images, and that it runs under the rules of a strict cluster. */
import { getContainerRuntimeClient } from "testcontainers";
import { describe, expect, inject, it } from "vitest";
import { createNetwork, hostOf, JETSTREAM, startNats, startNode } from "../support/containers/fleet.ts";

describe.each(["native", "wasm"] as const)("the %s image", (kind) => {
  it("says what it is, runs as nobody in particular, starts tini, and exposes nothing", async () => {
    const client = await getContainerRuntimeClient();
    const { Config } = await client.container.dockerode.getImage(inject("images")[kind]).inspect();
    expect(Config.User).toBe("10001:10001");
    expect(Config.Entrypoint).toEqual(["/usr/local/bin/tini", "--", "node", "/app/bin/kn.js"]);
    expect(Config.ExposedPorts ?? {}).toEqual({});
    expect(Config.Labels).toMatchObject({
      "org.opencontainers.image.title": "KnowledgeNet",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    });
  });

  it("computes with its backend on a read-only root, lists its packages, and ends at once when it is told", async () => {
    await using network = await createNetwork();
    await using nats = await startNats(network, JETSTREAM);
    await using node = await startNode(network, { name: "node-1", image: kind, server: hostOf(nats) });
    // There need be no shell.
    const inside = async (script: string): Promise<string> => (await node.exec(["node", "-e", script])).output;
    const metrics = await (await fetch(`http://${node.getHost()}:${node.getMappedPort(8080)}/metrics`)).text();
    expect(metrics).toContain(`kn_node_info{node="node-1",backend="${kind}"`);
    const bom = JSON.parse(await inside("process.stdout.write(fs.readFileSync('/app/sbom.cdx.json'))")) as {
      components: { name: string }[];
    };
    const names = bom.components.map(({ name }) => name);
    expect(names).toContain("nats");
    expect(names.includes("@tensorflow/tfjs-node")).toBe(kind === "native");
    expect(await inside("process.stdout.write(fs.readFileSync('/proc/1/comm'))")).toBe("tini\n");
    expect(await inside("fs.writeFileSync('/app/x', '')")).toContain("EROFS");
    const client = await getContainerRuntimeClient();
    const container = client.container.getById(node.getId());
    await container.stop({ t: 30 });
    expect((await container.inspect()).State.ExitCode).toBe(0);
  });
});
