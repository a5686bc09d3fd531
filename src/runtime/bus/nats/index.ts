/**
 * The bus on a NATS server.
 *
 * @example
 * await using bus = await connectNatsBus({ servers: "nats://127.0.0.1:4222", name: "demo" });
 * bus.on("reconnected", () => console.log("reconnected: retransmit"));
 */
export { connectNatsBus } from "./nats-bus.ts";
