/**
 * The store on a NATS server.
 *
 * @example
 * await using store = await connectJetStreamStore({ servers: "nats://127.0.0.1:4222", name: "demo" });
 * const leases = await store.kv("leases", { ttlMs: 10_000 });
 * const fence = await leases.create("block-0", new TextEncoder().encode("edge-1"));
 */
export { connectJetStreamStore, type JetStreamStoreOptions } from "./jetstream-store.ts";
