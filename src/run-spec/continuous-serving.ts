/** The two served models of a continuous run, as specs of serving jobs. Pure. */
import type { ContinuousSpec } from "./continuous-spec.ts";
import { type ServingSpec, servingSpecSchema } from "./serving-spec.ts";

/** An oracle can wait: labels are needed by the end of a window, not at once, ms. */
const ORACLE_WAIT_MS = 30_000;

export function oracleServing({ oracle, placement }: ContinuousSpec): ServingSpec {
  const { model, mode, replicas } = oracle;
  return servingSpecSchema.parse({
    ...{ kind: "serving", name: model, model, mode, replicas },
    latency: { targetMs: ORACLE_WAIT_MS, timeoutMs: ORACLE_WAIT_MS },
    placement: replicasIn(placement, "oracle"),
  });
}

export function studentServing({ student: { model }, observe, placement }: ContinuousSpec): ServingSpec {
  return servingSpecSchema.parse({
    ...{ kind: "serving", name: model, model, observe },
    placement: replicasIn(placement, "student"),
  });
}

/** `oracle-1` of a continuous run is `replica-1` of the oracle's serving job. */
function replicasIn(placement: ContinuousSpec["placement"], served: "oracle" | "student"): ServingSpec["placement"] {
  return Object.fromEntries(
    Object.entries(placement)
      .filter(([name]) => name.split("-")[0] === served)
      .map(([name, node]) => [name.replace(served, "replica"), node]),
  );
}
