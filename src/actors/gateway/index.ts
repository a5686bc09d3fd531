/**
 * The actor that admits, batches and routes requests for inference with one model.
 *
 * @example
 * const gateway = createGatewayActor(options, { bus, clock, log, model });
 * await gateway.start();
 * const outcome = await gateway.model.infer({ input: { dtype: "f32", shape: [1, 28, 28, 1], values } });
 * if (outcome.kind === "answer") console.log(outcome.release, outcome.logits.values);
 */
export {
  answerInference,
  type AnswerInferenceOptions,
  DEFAULT_IMAGE_PIXELS,
  DEFAULT_JSON_BYTES,
  findRelease,
  type InferenceBody,
  refusalBody,
} from "./answer-inference.ts";
export { joinInputs } from "./join-inputs.ts";
export { createGatewayActor, type Gateway } from "./gateway-actor.ts";
export type {
  BatchSample,
  GatewayActorDeps,
  GatewayActorOptions,
  GatewayObserver,
  RequestSample,
} from "./gateway-options.ts";
export {
  type InferenceAnswer,
  type InferenceOutcome,
  type InferenceRefusal,
  type InferenceRequest,
  type Priority,
  type ServedModel,
  type ServedRelease,
} from "./inference.ts";
