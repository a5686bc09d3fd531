/** Probes and metrics of a learner's process, as those of a node: for Kubernetes and Prometheus. */
import type { ServiceReport } from "../../runtime/bus/index.ts";
import { serveNodeHttp } from "../node/node-http.ts";
import { createServingMetrics } from "../serve/serving-metrics.ts";

export interface FollowProbes extends AsyncDisposable {
  /** The bound host:port. */
  readonly address: string;
  /** It is not ready, for this reason. */
  wait(reason: string): void;
  /** It is ready while its learner follows. Shows the statistics of learner and oracle among these services. */
  follow(learner: { readonly state: string }, services: () => readonly ServiceReport[]): void;
}

/**
 * @param model that follows
 *
 * Rejects with KN_CONFIG for a malformed address or one that is taken.
 */
export async function openFollowProbes(address: string, model: string): Promise<FollowProbes> {
  let unready = (): readonly string[] => ["the fleet is not joined yet"];
  const metrics = createServingMetrics(model);
  const http = await serveNodeHttp(
    { address },
    { starting: () => [], unready: () => Promise.resolve(unready()), metrics },
  );
  return {
    address: http.address,
    wait(reason) {
      unready = () => [reason];
    },
    follow(learner, services) {
      metrics.showReplicas(services);
      metrics.showLearner(services);
      unready = () => (learner.state.startsWith("following") ? [] : [`the learner is ${learner.state}`]);
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}
