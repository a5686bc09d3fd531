/** Time of encoding and decoding at each boundary, per codec, and their share of a step. */
import { decodeFrame, encodeActivation, type TensorCodec } from "../../src/messages/index.ts";
import { median } from "./median.ts";

export interface CodecTime {
  readonly codec: TensorCodec;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly encodeMs: number;
  readonly decodeMs: number;
}

const CODECS = ["raw", "bf16", "int8-channel", "int8-block"] as const satisfies readonly TensorCodec[];
const ROUNDS = 30;

export function measureCodecs(shapes: readonly (readonly number[])[], now: () => number): CodecTime[] {
  return shapes.flatMap((shape) =>
    CODECS.map((codec) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      // Any spread of values does; a fixed one keeps runs comparable.
      const values = Float32Array.from({ length: size }, (_, index) => Math.sin(index) * (1 + (index % 7)));
      const labels = new Int32Array(shape[0] ?? 1);
      const header = { run: "bench", sender: "block-0", sequence: 1, step: 1, version: 1, fence: 0 };
      const encodeTimes: number[] = [];
      const decodeTimes: number[] = [];
      let bytes = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const startMs = now();
        const frame = encodeActivation(
          {
            header,
            phase: "train",
            tensor: { dtype: "f32", shape, values },
            labels: { dtype: "i32", shape: [labels.length], values: labels },
            evaluation: 0,
          },
          codec,
        );
        const encodedMs = now();
        decodeFrame(frame, { maxBytes: 64 * 1024 * 1024 });
        decodeTimes.push(now() - encodedMs);
        encodeTimes.push(encodedMs - startMs);
        bytes = frame.byteLength;
      }
      return { codec, shape, bytes, encodeMs: median(encodeTimes), decodeMs: median(decodeTimes) };
    }),
  );
}
