/**
 * The one door to the NATS client library, for `bus/nats` and `store/jetstream` only.
 *
 * @example
 * const { connection, description } = await connectNats({ servers: "nats://127.0.0.1:4222", name: "demo" });
 * console.log(description, connection.info?.version);
 * await connection.close();
 */
export {
  DiscardPolicy,
  ErrorCode,
  Events,
  headers,
  type JetStreamClient,
  type JetStreamManager,
  type KV,
  type NatsConnection,
  NatsError,
  StorageType,
  type StoredMsg,
  type StreamConfig,
} from "nats";
export { connectNats, type NatsDeps, type NatsLink, type NatsOptions } from "./connection.ts";
export { messageOf } from "./nats-errors.ts";
