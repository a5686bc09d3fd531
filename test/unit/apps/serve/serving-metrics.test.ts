import { expect, it } from "vitest";
import { createServingMetrics } from "../../../../src/apps/serve/serving-metrics.ts";
import type { ServiceReport } from "../../../../src/runtime/bus/index.ts";

const replica = (actor: string, tensors?: number): ServiceReport => ({
  name: "kn-replica",
  metadata: { run: "serve-digits", actor },
  data: { state: "ready", ...(tensors === undefined ? {} : { tensors }) },
});

it("createServingMetrics shows the tensors of the replicas in this process, at each scrape", async () => {
  const metrics = createServingMetrics("digits");
  let services: ServiceReport[] = [replica("replica-0", 12), replica("replica-0.1", 13), replica("replica-0.2")];
  services.push({ name: "kn-gateway", metadata: { actor: "gateway-0" }, data: { tensors: 1 } });
  metrics.showReplicas(() => services);
  const lines = async () => (await metrics.text()).split("\n").filter((line) => line.startsWith("kn_replica_tensors{"));
  expect(await lines()).toEqual([
    'kn_replica_tensors{model="digits",replica="replica-0"} 12',
    'kn_replica_tensors{model="digits",replica="replica-0.1"} 13',
  ]);
  services = [];
  expect(await lines()).toEqual([]);
});

it("createServingMetrics shows the figures of the updater in this process, where there is one", async () => {
  const metrics = createServingMetrics("digits");
  let services: ServiceReport[] = [
    {
      name: "kn-updater",
      metadata: {},
      data: { number: 7, newest: 8, candidate: 9, ageMs: 1_500, appliedBytes: 4_000 },
    },
  ];
  metrics.showUpdater(() => services);
  const lines = async () => (await metrics.text()).split("\n").filter((line) => line.startsWith("kn_update_"));
  expect(await lines()).toEqual([
    'kn_update_number{model="digits"} 7',
    'kn_update_newest_number{model="digits"} 8',
    'kn_update_candidate_number{model="digits"} 9',
    'kn_update_age_seconds{model="digits"} 1.5',
    'kn_update_applied_bytes{model="digits"} 4000',
  ]);
  services = [];
  expect(await lines()).toEqual([]);
});

it("createServingMetrics shows what became of live inputs, at each scrape", async () => {
  const metrics = createServingMetrics("digits");
  let inputs: object = { observed: 3, notChosen: 40 };
  metrics.showObserving(() => [
    { name: "kn-gateway", metadata: { actor: "gateway-0" }, data: { liveInputs: { sent: 43, unsent: 2 } } },
    { name: "kn-gateway", metadata: { actor: "gateway-1" }, data: {} },
    {
      name: "kn-observer",
      metadata: { actor: "observer-0" },
      data: { inputs, observations: { logged: 2, overflowed: 0 }, held: { inputs: 1, bytes: 784 }, epoch: "1" },
    },
  ]);
  const lines = async () => (await metrics.text()).split("\n").filter((line) => /^kn_(obs|live)/.test(line));
  expect(await lines()).toEqual([
    'kn_observer_held_inputs{model="digits",actor="observer-0"} 1',
    'kn_live_inputs_total{model="digits",actor="gateway-0",outcome="sent"} 43',
    'kn_live_inputs_total{model="digits",actor="gateway-0",outcome="unsent"} 2',
    'kn_observer_inputs_total{model="digits",actor="observer-0",outcome="observed"} 3',
    'kn_observer_inputs_total{model="digits",actor="observer-0",outcome="notChosen"} 40',
    'kn_observations_total{model="digits",actor="observer-0",outcome="logged"} 2',
    'kn_observations_total{model="digits",actor="observer-0",outcome="overflowed"} 0',
  ]);
  inputs = { observed: 4 };
  expect(await lines()).toContain('kn_observer_inputs_total{model="digits",actor="observer-0",outcome="observed"} 4');
});

it("createServingMetrics shows the figures of the learner in this process, where there is one", async () => {
  const metrics = createServingMetrics("digits");
  const data = { window: 4, position: 140, live: 7, followed: 130, expired: 2, labels: { computed: 90, cached: 9 } };
  let services: ServiceReport[] = [
    { name: "kn-learner", metadata: {}, data: { ...data, candidates: 3, promotions: 1, refusals: 2, rollbacks: 0 } },
  ];
  metrics.showLearner(() => services);
  const lines = async () => (await metrics.text()).split("\n").filter((line) => line.startsWith("kn_learner_"));
  expect(await lines()).toEqual([
    'kn_learner_window{model="digits"} 4',
    'kn_learner_live_number{model="digits"} 7',
    'kn_learner_observations_total{model="digits",outcome="followed"} 130',
    'kn_learner_observations_total{model="digits",outcome="expired"} 2',
    'kn_learner_labels_total{model="digits",outcome="computed"} 90',
    'kn_learner_labels_total{model="digits",outcome="cached"} 9',
    'kn_learner_decisions_total{model="digits",outcome="candidates"} 3',
    'kn_learner_decisions_total{model="digits",outcome="promotions"} 1',
    'kn_learner_decisions_total{model="digits",outcome="refusals"} 2',
    'kn_learner_decisions_total{model="digits",outcome="rollbacks"} 0',
  ]);
  services = [];
  expect(await lines()).toEqual([]);
});
