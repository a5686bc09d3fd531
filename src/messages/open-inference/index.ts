/**
 * The Open Inference Protocol, version 2, as values: requests and answers of inference, descriptions of server and models.
 * Pure: no I/O. For any bytes the parser returns a valid request or throws KN_DECODE.
 *
 * @example
 * const request = parseOpenInferenceRequest(body, { headerLength: headers["inference-header-content-length"] });
 * if (!("raw" in request)) infer(request.inputs[0].elements);
 */
export type { InputDatatype } from "./datatypes.ts";
export {
  type DescribedModel,
  type DescribedTensor,
  type DurationCount,
  type IndexEntry,
  modelConfiguration,
  modelMetadata,
  type ModelStatistics,
  modelStatistics,
  repositoryIndex,
  serverMetadata,
} from "./descriptions.ts";
export {
  type AnswerOutput,
  type EncodedAnswer,
  encodeOpenInferenceAnswer,
  encodeOpenInferenceError,
  type OpenInferenceAnswer,
} from "./infer-answer.ts";
export {
  type InferInput,
  isImageFile,
  jsonBytesOf,
  type OpenInferenceRequest,
  parseOpenInferenceRequest,
  type RawBody,
  type RequestedOutput,
} from "./infer-request.ts";
export { MAX_JSON_DEPTH } from "./json-text.ts";
