/**
 * For adapters: a `Bus` from anything that carries bytes between subjects.
 *
 * @example
 * const bus = createLinkedBus(createMyLink(socket), { onHandlerError: (error) => log.error({ err: error }, "handler failed") });
 */
export type { BusLink, LinkListener, LinkMessage, LinkSubscription } from "./bus-link.ts";
export { type BusDeps, createLinkedBus } from "./linked-bus.ts";
