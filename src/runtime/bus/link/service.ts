/**
 * A service as NATS defines it (ADR-32, "NATS Services"): subscriptions on `$SRV.<verb>[.<name>[.<id>]]` that answer in
 * JSON with the instance's identity and its endpoints' figures, so that `nats service list/info/stats` show it.
 *
 * Not nats.js's own `services.add`: it puts every endpoint without a queue group into the group "q" (2.29.3 cannot turn
 * that off), where a message reaches one instance instead of all, and it neither counts nor times async handlers.
 */
import { KnowledgeNetError } from "../../../errors/index.ts";
import { uniqueId } from "../../unique-id.ts";
import type { Clock } from "../../clock/index.ts";
import type { Bus, BusHandler, Service, ServiceDefinition, ServiceEndpoint, Subscription } from "../bus.ts";
import { assertSubjectPattern } from "../subject-pattern.ts";

const NAME = /^[A-Za-z0-9_-]+$/;
// The recommended expression of semver.org, which nats-server's schema uses.
const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;
const NANOSECONDS_PER_MS = 1e6;

export interface ServiceDeps {
  readonly bus: Pick<Bus, "subscribe" | "flush">;
  readonly clock: Clock;
}

interface Measured {
  readonly endpoint: ServiceEndpoint;
  requests: number;
  errors: number;
  lastError: string;
  processingMs: number;
}

/** Resolves when the broker has every subscription: from then on discovery finds the service. */
export async function startService(definition: ServiceDefinition, deps: ServiceDeps): Promise<Service> {
  const { bus, clock } = deps;
  checkDefinition(definition);
  const { name, version, description, metadata, stats } = definition;
  const id = uniqueId().slice(0, 22).toUpperCase();
  const started = new Date(clock.wallTimeMs()).toISOString();
  const measured = definition.endpoints.map((endpoint): Measured => {
    return { endpoint, requests: 0, errors: 0, lastError: "", processingMs: 0 };
  });
  const identity = { name, id, version, metadata };

  const info = () => ({
    type: "io.nats.micro.v1.info_response",
    ...identity,
    description,
    endpoints: measured.map(({ endpoint }) => ({
      name: endpoint.name,
      subject: endpoint.subject,
      queue_group: endpoint.queue ?? "",
      metadata: endpoint.metadata ?? {},
    })),
  });

  const figures = () => {
    const data = stats();
    return {
      type: "io.nats.micro.v1.stats_response",
      ...identity,
      started,
      endpoints: measured.map(({ endpoint, requests, errors, lastError, processingMs }) => ({
        name: endpoint.name,
        subject: endpoint.subject,
        queue_group: endpoint.queue ?? "",
        num_requests: requests,
        num_errors: errors,
        last_error: lastError,
        processing_time: Math.round(processingMs * NANOSECONDS_PER_MS),
        average_processing_time: requests === 0 ? 0 : Math.round((processingMs * NANOSECONDS_PER_MS) / requests),
        data,
      })),
    };
  };

  const verbs: Readonly<Record<string, () => object>> = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identity }),
    INFO: info,
    STATS: figures,
  };

  const subscriptions: Subscription[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(subscriptions.map((subscription) => subscription.drain()));
  };

  try {
    for (const [verb, answer] of Object.entries(verbs)) {
      for (const scope of ["", `.${name}`, `.${name}.${id}`]) {
        const respond: BusHandler = (message) => {
          message.respond(new TextEncoder().encode(JSON.stringify(answer())));
        };
        subscriptions.push(bus.subscribe(`$SRV.${verb}${scope}`, respond));
      }
    }
    for (const counters of measured) {
      const { subject, queue } = counters.endpoint;
      subscriptions.push(bus.subscribe(subject, measuring(counters, clock), queue === undefined ? {} : { queue }));
    }
    await bus.flush();
  } catch (error) {
    for (const subscription of subscriptions) subscription.unsubscribe();
    throw error;
  }
  return { id, name, stop, [Symbol.asyncDispose]: stop };
}

/** A request is counted when its handler has finished, an async one when its promise has settled. */
function measuring(counters: Measured, clock: Clock): BusHandler {
  const { handler } = counters.endpoint;
  return (message) => {
    const startMs = clock.now();
    const finish = (): void => {
      counters.requests += 1;
      counters.processingMs += clock.now() - startMs;
    };
    const fail = (error: unknown): never => {
      counters.errors += 1;
      counters.lastError = error instanceof Error ? error.message : String(error);
      finish();
      throw error;
    };
    let outcome: void | Promise<void>;
    try {
      outcome = handler(message);
    } catch (error) {
      return fail(error);
    }
    if (outcome instanceof Promise) return outcome.then(finish, fail);
    finish();
  };
}

function checkDefinition({ name, version, endpoints }: ServiceDefinition): void {
  const attempt = `register the service "${name}"`;
  const refuse = (rule: string, value: string): never => {
    throw new KnowledgeNetError("KN_CONFIG", { attempt, rule, value: JSON.stringify(value) });
  };
  if (!NAME.test(name)) refuse("its name must consist of [A-Za-z0-9_-]", name);
  if (!SEMANTIC_VERSION.test(version)) refuse("its version must be a semantic version like 1.2.3", version);
  const names = new Set<string>();
  for (const endpoint of endpoints) {
    if (!NAME.test(endpoint.name)) refuse("an endpoint's name must consist of [A-Za-z0-9_-]", endpoint.name);
    if (names.has(endpoint.name)) refuse("its endpoints must have different names", endpoint.name);
    names.add(endpoint.name);
    assertSubjectPattern(endpoint.subject, attempt);
  }
}
