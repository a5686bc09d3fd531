/**
 * A typed client of a served model, over HTTP by the Open Inference Protocol v2 with binary tensors. It needs Node only.
 *
 * @example
 * import { connectClient } from "knowledgenet/client";
 *
 * await using client = await connectClient({ url: "http://127.0.0.1:8080", model: "digits" });
 * const { classes, release } = await client.infer({ image: await readFile("digit.png") });
 * console.log(`${classes[0]} by release ${release}`);
 */
export { type Client, type ClientOptions, connectClient, type InferOptions } from "./connect-client.ts";
export type { InferenceInput } from "./encode-request.ts";
export type { Inference, OutputName } from "./decode-answer.ts";
export type { ModelMetadata, TensorDescription } from "./metadata.ts";
