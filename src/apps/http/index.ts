/** Models over HTTP. */
export {
  type CloseOptions,
  DEFAULT_HTTP_LIMITS,
  type HttpLimits,
  type InferenceHttp,
  serveInference,
  type ServeInferenceDeps,
  type ServeInferenceOptions,
} from "./serve-inference.ts";
