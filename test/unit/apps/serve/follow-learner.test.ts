import { describe, expect, it } from "vitest";
import { assertSiteKey, followedStore } from "../../../../src/apps/serve/follow-learner.ts";
import { newKeyPair, readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";

const clock = simulatedClock();

describe("followedStore", () => {
  it("is the fleet's store, which stays open, unless an address names another one", async () => {
    const store = await memoryStore({ clock });
    const from = await followedStore(undefined, { fleet: { store }, name: "test" }, clock);
    expect(await from.open()).toBe(store);
    await from[Symbol.asyncDispose]();
    expect(await store.buckets()).toEqual([]);
  });

  it("rejects with KN_CONFIG without a store, and for an address that is none", async () => {
    const alone = { fleet: undefined, name: "test" };
    await expect(followedStore(undefined, alone, clock)).rejects.toThrow(/KN_CONFIG.*--bus.*--follow/);
    await expect(followedStore("http://ann:SECRET@host", alone, clock)).rejects.toThrow(/KN_CONFIG.*http:\/\/host;/);
    await expect(followedStore("nats://host?domain=", alone, clock)).rejects.toThrow(/KN_CONFIG.*\?domain=hub/);
  });

  it("connects when it is opened, again after a failure, and not after its end", async () => {
    const from = await followedStore("nats://127.0.0.1:1", { fleet: undefined, name: "test" }, clock);
    expect(from.description).toBe("nats://127.0.0.1:1");
    const opening = expect(from.open()).rejects.toThrow();
    await from[Symbol.asyncDispose]();
    await opening;
  });
});

describe("assertSiteKey", () => {
  const [learner, site] = [newKeyPair(), newKeyPair()];
  const trusted = [learner, site].map(({ publicPem }) => readTrustedKey(publicPem, "key.pub"));
  const signer = readSigner(site.privatePem, "site");

  it("accepts a site's key that is trusted, and any where no key is", () => {
    assertSiteKey(signer, trusted);
    assertSiteKey(undefined, []);
    assertSiteKey(signer, []);
  });

  it("throws KN_CONFIG where the releases of updates would be refused", () => {
    expect(() => {
      assertSiteKey(undefined, trusted);
    }).toThrow(/KN_CONFIG.*no --key.*--key site/);
    expect(() => {
      assertSiteKey(signer, trusted.slice(0, 1));
    }).toThrow(/KN_CONFIG.*not trusted/);
  });
});
