/**
 * The bus between actors: one port, two adapters with the same behaviour.
 *
 * @example
 * await using bus = memoryBus(); // or: await connectNatsBus({ servers: "nats://127.0.0.1:4222", name: "demo" })
 * bus.subscribe("kn.v1.demo.evt.*", ({ subject, data }) => console.log(subject, data.byteLength));
 * bus.publish("kn.v1.demo.evt.block-0", new Uint8Array([1]));
 * await bus.flush();
 */
export type {
  Bus,
  BusEvent,
  BusHandler,
  BusMessage,
  BusStats,
  HandlerErrorListener,
  RequestOptions,
  Service,
  ServiceDefinition,
  ServiceEndpoint,
  ServiceReport,
  SubscribeOptions,
  Subscription,
} from "./bus.ts";
export type { BusDeps } from "./link/index.ts";
export { createMemoryBroker, type MemoryBroker, type MemoryBrokerOptions, memoryBus } from "./memory/index.ts";
export { connectNatsBus } from "./nats/index.ts";
export {
  compileSubjectPattern,
  isLiteralSubject,
  isSubjectPattern,
  MAX_SUBJECT_LENGTH,
  matchesSubject,
} from "./subject-pattern.ts";
