/** What every `Bus` does: the same tests on the memory bus and on a NATS server. */
import { describe } from "vitest";
import type { BusFactory } from "./bus-harness.ts";
import { describeConnection } from "./connection-contract.ts";
import { describeMessaging } from "./messaging-contract.ts";
import { describeRequests } from "./request-contract.ts";
import { describeServices } from "./service-contract.ts";

/** @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeBusContract(
  name: string,
  factory: BusFactory,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  describeAdapter(name, () => {
    describeMessaging(factory);
    describeRequests(factory);
    describeConnection(factory);
    describeServices(factory);
  });
}
