/**
 * HTTP of a served model from the first moment of its process: probes answer, and tell why it is not ready, before the
 * fleet's server and the model are there.
 */
import type { InferenceRefusal, ServedModel } from "../../actors/gateway/index.ts";
import { refusalOf } from "../../actors/gateway/refusals.ts";
import { type InferenceHttp, serveInference, type ServeInferenceDeps } from "../http/index.ts";

export interface ServingFrontOptions {
  /** host:port */
  readonly address: string;
  /** Name of the model. */
  readonly model: string;
  readonly maxBatch: number;
  /** Latency that admission keeps, ms. */
  readonly targetMs: number;
}

export interface ServingFront extends InferenceHttp {
  /** What is waited for, until `serve`. */
  wait(reason: string): void;
  /** Requests go to this model from now on. */
  serve(model: ServedModel): void;
}

/** Rejects with KN_CONFIG for a malformed address or one that is taken. */
export async function openServingFront(
  { address, model: name, maxBatch, targetMs }: ServingFrontOptions,
  deps: Omit<ServeInferenceDeps, "models" | "unready">,
): Promise<ServingFront> {
  let reason = "the fleet is not joined yet";
  const refuse = (): InferenceRefusal => ({
    kind: "refusal",
    error: refusalOf("unavailable", { model: name, timeoutMs: 0, detail: reason }),
  });
  let model: ServedModel = {
    name,
    maxBatch,
    live: undefined,
    releases: [],
    get unready() {
      return [reason];
    },
    infer: () => Promise.resolve(refuse()),
    refuseUnread: refuse,
  };
  const http = await serveInference(
    { address, limits: { goalMs: targetMs } },
    { ...deps, models: () => [model], unready: () => [] },
  );
  return {
    address: http.address,
    get underWay() {
      return http.underWay;
    },
    close: (options) => http.close(options),
    wait(obstacle) {
      reason = obstacle;
    },
    serve(served) {
      model = served;
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}
