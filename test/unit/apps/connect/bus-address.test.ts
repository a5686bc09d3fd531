import { describe, expect, it } from "vitest";
import { connectFleet } from "../../../../src/apps/connect/connect-fleet.ts";
import { describeAddress, readBusAddress, redactCredentials } from "../../../../src/apps/connect/bus-address.ts";
import { openBus } from "../../../../src/apps/connect/open-bus.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

describe("describeAddress", () => {
  it.each([
    ["nats://ann:pw@host:4222", "nats://host:4222"],
    ["tls://token@host", "tls://host"],
    ["nats://a:p@h1:1,nats://b:q@h2:2", "nats://h1:1,nats://h2:2"],
    ["nats://ann:p@ss@host", "nats://host"],
    ["nats://ann:p/w,x@host", "nats://host"],
    ["nats://ann:p w@host", "nats://host"],
    ["http://ann:pw@host", "http://host"],
    ["ann:pw@host", "host"],
    ["nats://host:4222", "nats://host:4222"],
    ["memory", "memory"],
    ["conf@home/node.yaml", "conf@home/node.yaml"],
  ])("shows %j as %j", (address, shown) => {
    expect(describeAddress(address)).toBe(shown);
  });
});

describe("redactCredentials", () => {
  it.each([
    ["no server at nats://ann:pw@host:1; start it", "no server at nats://host:1; start it"],
    ["nats://a:p@h1,nats://b:q@h2", "nats://h1,nats://h2"],
    ['{"bus":"nats://a:p@h","mail":"x@y"}', '{"bus":"nats://h","mail":"x@y"}'],
    ["nats://host and mail to x@y", "nats://host and mail to x@y"],
    ["https://registry.invalid/@types/node", "https://registry.invalid/@types/node"],
  ])("turns %j into %j", (text, redacted) => {
    expect(redactCredentials(text)).toBe(redacted);
  });
});

describe("readBusAddress", () => {
  it.each([
    ["nats://host:4222", { servers: "nats://host:4222" }],
    ["nats://host?domain=hub", { servers: "nats://host", domain: "hub" }],
    ["nats://a:p@h1:1,nats://b:q@h2:2?domain=hub", { servers: "nats://a:p@h1:1,nats://b:q@h2:2", domain: "hub" }],
    ["nats://ann:p?domain=x@host", { servers: "nats://ann:p?domain=x@host" }],
  ])("reads %j", async (address, access) => {
    expect(await readBusAddress(address)).toEqual(access);
  });

  it.each([
    "nats://host?",
    "nats://host?domain=",
    "nats://host?domain=a.b",
    "nats://host?domain=a&domain=b",
    "nats://h?x=1",
  ])("rejects %j with KN_CONFIG", async (address) => {
    await expect(readBusAddress(address)).rejects.toThrow(/KN_CONFIG.*nats:\/\/127.0.0.1:4222\?domain=hub/);
  });
});

describe("an address that is no server's", () => {
  it("is refused without its credentials", async () => {
    const address = "http://ann:SECRET@host";
    const refusals = [
      connectFleet({ address, name: "test" }, { log: silentLogger }),
      openBus({ bus: address, name: "test", env: {}, log: silentLogger }),
    ];
    for (const refusal of refusals) {
      await expect(refusal).rejects.toMatchObject({ code: "KN_CONFIG", value: "http://host" });
    }
  });
});
