/** Names of the metrics that a fleet's processes export. */
import { METRIC_NAMES } from "../../../src/apps/node/node-metrics.ts";
import { createServingMetrics } from "../../../src/apps/serve/serving-metrics.ts";

/** Of nodes, and of what serves. */
export async function exportedMetrics(): Promise<string[]> {
  const serving = createServingMetrics("digits");
  serving.show(
    () => [],
    () => ({}),
  );
  serving.showUpdater(() => []);
  serving.showLearner(() => []);
  const text = await serving.text();
  const types = [...text.matchAll(/^# TYPE (kn_\S+) (\S+)$/gm)];
  const ofServing = types.flatMap(([, name = "", type]) =>
    type === "histogram" ? ["", "_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name],
  );
  return [...METRIC_NAMES, ...ofServing];
}
