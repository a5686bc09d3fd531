/** Models over HTTP. */
export {
  type CloseOptions,
  type HttpLimits,
  type InferenceHttp,
  serveInference,
  type ServeInferenceDeps,
  type ServeInferenceOptions,
} from "./serve-inference.ts";
