import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { type NodeHttpDeps, serveNodeHttp } from "../../../../src/apps/node/node-http.ts";

const HAS_IPV6 = Object.values(networkInterfaces()).some((each) => each?.some(({ family }) => family === "IPv6"));

function deps(changes: Partial<NodeHttpDeps> = {}): NodeHttpDeps {
  return {
    starting: () => [],
    unready: () => Promise.resolve([]),
    metrics: { contentType: "text/plain", text: () => Promise.resolve("kn_node_info 1\n") },
    ...changes,
  };
}

async function answer(address: string, path: string, method = "GET"): Promise<[status: number, body: string]> {
  const response = await fetch(`http://${address}${path}`, { method });
  return [response.status, await response.text()];
}

const portOf = (address: string): string => address.split(":").at(-1) ?? "";

describe("serveNodeHttp", () => {
  it("answers probes and metrics, and refuses other paths and methods", async () => {
    await using http = await serveNodeHttp({ address: "127.0.0.1:0" }, deps());
    for (const path of ["/healthz", "/startupz", "/readyz"])
      expect(await answer(http.address, path)).toEqual([200, "ok\n"]);
    expect(await answer(http.address, "/metrics")).toEqual([200, "kn_node_info 1\n"]);
    expect(await answer(http.address, "/other")).toMatchObject([404, expect.stringContaining("/readyz")]);
    expect((await answer(http.address, "/healthz", "POST"))[0]).toBe(405);
  });

  it("says why a node is not ready, and stays alive meanwhile", async () => {
    const unready = () => Promise.resolve(["the store does not answer"]);
    await using http = await serveNodeHttp({ address: "127.0.0.1:0" }, deps({ starting: () => ["loading"], unready }));
    expect(await answer(http.address, "/healthz")).toEqual([200, "ok\n"]);
    expect(await answer(http.address, "/startupz")).toEqual([503, "loading\n"]);
    expect(await answer(http.address, "/readyz")).toEqual([503, "loading\nthe store does not answer\n"]);
  });

  it("answers 500 where a probe fails", async () => {
    const unready = () => Promise.reject(new Error("broken"));
    await using http = await serveNodeHttp({ address: "127.0.0.1:0" }, deps({ unready }));
    expect(await answer(http.address, "/readyz")).toMatchObject([500, expect.stringContaining("broken")]);
  });

  it.each(["0.0.0.0:0", "[::]:0", "*:0"])(
    "%s is reached over IPv4, and over IPv6 where the machine has it",
    async (address) => {
      await using http = await serveNodeHttp({ address }, deps());
      const port = portOf(http.address);
      expect(await answer(`127.0.0.1:${port}`, "/healthz")).toEqual([200, "ok\n"]);
      if (HAS_IPV6) expect(await answer(`[::1]:${port}`, "/healthz")).toEqual([200, "ok\n"]);
    },
  );

  it.each(["nowhere", "127.0.0.1:70000", ":8080", "192.0.2.1:0"])("refuses %s with KN_CONFIG", async (address) => {
    await expect(serveNodeHttp({ address }, deps())).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("refuses a port that is taken", async () => {
    await using http = await serveNodeHttp({ address: "0.0.0.0:0" }, deps());
    const again = serveNodeHttp({ address: `0.0.0.0:${portOf(http.address)}` }, deps());
    await expect(again).rejects.toMatchObject({ code: "KN_CONFIG" });
  });
});
