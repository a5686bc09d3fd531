/** A node's membership in the fleet: one node per name, present for as long as it renews its record. */
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import { nodeSubject } from "../messages/index.ts";
import { acquireLease, type Lease } from "../runtime/lease/index.ts";
import type { Bus, Service, ServiceDefinition } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { Fleet } from "./fleet.ts";
import { type NodeRecord, PRESENCE_TTL_MS } from "./records.ts";

export interface PresenceDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Current figures of the node: written into its record at each renewal, and shown by `nats service stats`. */
  readonly facts: () => Readonly<Record<string, unknown>>;
}

export interface Presence {
  /** Resolves when this node no longer holds the name: with KN_FENCED when another node has taken it. Never rejects. */
  readonly ended: Promise<void | Error>;
  leave(): Promise<void>;
}

/** Time limit for the answer of a node of the same name before it counts as gone, ms. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Pause between two tries to register on the bus, ms. */
const REGISTER_AGAIN_MS = 1_000;

/** Rejects with KN_CONFIG when the instance that holds the name answers. */
export async function announceNode(record: NodeRecord, deps: PresenceDeps, signal: AbortSignal): Promise<Presence> {
  const { fleet, bus, clock, log, facts } = deps;
  const { name, instance } = record;
  const lease: Lease = await acquireLease(
    {
      key: name,
      holder: name,
      instance,
      assertGone: (other) => assertGone(name, other, bus),
      ttlMs: PRESENCE_TTL_MS,
      facts: () => ({ ...record, ...facts() }),
    },
    { leases: fleet.nodes.kv, clock, log },
    signal,
  );
  const definition: ServiceDefinition = {
    name: "kn-node",
    version: record.softwareVersion,
    description: `node ${name}`,
    metadata: { node: name, instance, backend: record.backend, host: record.host, ...record.labels },
    endpoints: [
      {
        name: "presence",
        subject: nodeSubject(name, "presence"),
        // A former holder, cut off from the store while it was replaced, must not answer for the one that is asked.
        handler: (message) => {
          if (["", instance].includes(new TextDecoder().decode(message.data)))
            message.respond(new TextEncoder().encode(instance));
        },
      },
    ],
    stats: facts,
  };
  /** A connection that is interrupted while the node joins comes back. */
  const register = async (): Promise<Service> => {
    for (;;) {
      try {
        return await bus.service(definition);
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
        log.warn({ node: name, err: error }, "node not registered on the bus; another try follows");
        await clock.sleep(REGISTER_AGAIN_MS, signal);
      }
    }
  };
  let service: Service;
  try {
    service = await register();
  } catch (error) {
    await lease.release(); // renewed, it would show a node that is gone
    throw error;
  }
  return {
    ended: lease.ended,
    async leave() {
      await service.stop();
      await lease.release();
    },
  };
}

/** Asks the instance that holds the name. Rejects with KN_CONFIG when it answers, KN_UNAVAILABLE while nobody can be asked. */
async function assertGone(name: string, holder: string, bus: Bus): Promise<void> {
  const subject = nodeSubject(name, "presence");
  const question = new TextEncoder().encode(holder);
  for (;;) {
    const { reconnects } = bus.stats;
    try {
      await bus.request(subject, question, { timeoutMs: ANSWER_TIMEOUT_MS });
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      // Silence proves nothing unless this connection held.
      await bus.flush();
      if (bus.stats.reconnects === reconnects) return;
      continue;
    }
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `join the fleet as ${name}`,
      rule: "a node's name must be unique in the fleet",
      value: `taken by instance ${holder}`,
      remedy: "choose another name: --name",
    });
  }
}
