/** Requests for a scene, seeded: every answer is checked against the release that it names. */
import type { Gateway, InferenceRequest } from "../../../../src/actors/gateway/index.ts";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import { samples, type ServingScene } from "./serving-scene.ts";

export interface ServingLoadOptions {
  readonly scene: ServingScene;
  /** In [0, 1), as from `randomFrom(seed)`. */
  readonly draw: () => number;
  /** Chance of a request in each millisecond. */
  readonly rate: number;
  /** The gateways that are there. */
  readonly gateways: () => readonly Gateway[];
  /** @default 1000 */
  readonly timeoutMs?: number;
  /** What else a request has. */
  readonly extra?: (draw: () => number) => Partial<InferenceRequest>;
}

export interface ServingLoad {
  /** Answers by release, and refusals by code. */
  readonly answers: ReadonlyMap<number, number>;
  readonly refusals: ReadonlyMap<string, number>;
  readonly sent: number;
  readonly open: number;
  /** Answers that are wrong, rejections, and requests that ended too late. */
  readonly faults: readonly string[];
  send(gateway: Gateway, extra?: Partial<InferenceRequest>): void;
  /** Lets `ms` pass, with requests. */
  run(ms: number): Promise<void>;
  /** Waits until every request has ended. */
  finish(): Promise<void>;
}

/** A deadline is kept by a timer; only what happens in the same millisecond may come before it. */
const SLACK_MS = 2;

export function createServingLoad(options: ServingLoadOptions): ServingLoad {
  const { scene, draw, rate, gateways, timeoutMs = 1_000, extra = () => ({}) } = options;
  const { clock } = scene;
  const answers = new Map<number, number>();
  const refusals = new Map<string, number>();
  const faults: string[] = [];
  let sent = 0;
  let open = 0;
  const count = <K>(counts: Map<K, number>, key: K): void => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };

  const load: ServingLoad = {
    answers,
    refusals,
    faults,
    get sent() {
      return sent;
    },
    get open() {
      return open;
    },
    send(gateway, more = {}) {
      sent += 1;
      open += 1;
      const request: InferenceRequest = { input: samples(1 + (sent % 3), sent % 50), timeoutMs, ...more };
      const limitMs = clock.now() + (request.timeoutMs ?? timeoutMs) + SLACK_MS;
      gateway.model
        .infer(request)
        .then(
          (outcome) => {
            const fault = scene.fault(request.input, outcome);
            if (fault !== undefined) faults.push(fault);
            if (outcome.kind === "answer") count(answers, outcome.release);
            else if (isKnowledgeNetError(outcome.error)) count(refusals, outcome.error.code);
            else faults.push(`a refusal without a code: ${String(outcome.error)}`);
          },
          (error: unknown) => {
            if (request.signal?.aborted === true) count(refusals, "aborted");
            else faults.push(`rejected: ${String(error)}`);
          },
        )
        .finally(() => {
          open -= 1;
          if (clock.now() > limitMs) faults.push(`${clock.now() - limitMs} ms after its deadline`);
        });
    },
    async run(ms) {
      for (let passed = 0; passed < ms; passed += 1) {
        const all = gateways();
        const gateway = all[Math.floor(draw() * all.length)];
        if (draw() < rate && gateway !== undefined) load.send(gateway, extra(draw));
        await clock.advance(1);
      }
    },
    finish: () => scene.until(() => open === 0, "every request to end", 120_000),
  };
  return load;
}
