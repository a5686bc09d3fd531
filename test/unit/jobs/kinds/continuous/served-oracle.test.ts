import { describe, expect, it } from "vitest";
import type { InferenceOutcome, InferenceRequest } from "../../../../../src/actors/gateway/index.ts";
import { KnowledgeNetError } from "../../../../../src/errors/index.ts";
import { servedOracle } from "../../../../../src/jobs/kinds/continuous/served-oracle.ts";
import type { TensorView } from "../../../../../src/messages/index.ts";
import type { ModelRelease } from "../../../../../src/models/index.ts";

const OPTIONS = { sampleShape: [2], classes: 2, dtype: "u8" } as const;

interface SceneOptions {
  readonly input?: number[];
  readonly classes?: number;
  readonly boundaries?: number[][];
}

/** A served model whose logits are the release and the first value; `refusals` come first. */
function scene({ input = [2], classes = 2, boundaries }: SceneOptions = {}) {
  const ending = new AbortController();
  const asked: InferenceRequest[] = [];
  const waited: string[] = [];
  const refusals: InferenceOutcome[] = [];
  const served = {
    name: "big",
    maxBatch: 2,
    live: { release: 7, manifest: { network: { input, classes } } } as never as
      | { release: number; manifest: never }
      | undefined,
    infer(request: InferenceRequest): Promise<InferenceOutcome> {
      asked.push(request);
      const refusal = refusals.shift();
      if (refusal !== undefined) return Promise.resolve(refusal);
      const { release } = served.live as { release: number };
      const rows = request.input.shape[0] ?? 0;
      const values = Float32Array.from({ length: 2 * rows }, (_, at) =>
        at % 2 === 0 ? release : (request.input.values[at - 1] as number),
      );
      const logits = { dtype: "f32", shape: [rows, 2], values } as const;
      const activations = [
        { dtype: "f32", shape: [rows, 1], values: Float32Array.from(values.filter((_, at) => at % 2)) },
      ];
      const brought = request.wantsActivations === true ? { activations: activations as TensorView[] } : {};
      return Promise.resolve({ kind: "answer", release, logits, ...brought, batch: rows, queueMs: 0, computeMs: 0 });
    },
  };
  const oracle = servedOracle(
    { ...OPTIONS, boundaries },
    {
      served: served as never,
      model: { release: (release: number) => Promise.resolve({ digests: [`d${release}`] } as unknown as ModelRelease) },
      clock: {
        sleep: () => {
          served.live ??= { release: 8, manifest: { network: { input, classes } } as never };
          return Promise.resolve();
        },
      },
      signal: ending.signal,
      onWaiting: (reason) => void waited.push(reason),
    },
  );
  return { oracle, served, asked, waited, refusals, ending };
}

const refusal = (code: "KN_OVERLOADED" | "KN_NUMERIC"): InferenceOutcome => ({
  kind: "refusal",
  error: new KnowledgeNetError(code, { attempt: "infer", rule: "it must be in time" }),
});

describe("servedOracle", () => {
  it("names its release and weights, and computes in batches of low priority", async () => {
    const { oracle, asked } = scene();
    const version = await oracle.version();
    expect(version).toMatch(/^big-7-[0-9a-f]{16}$/);
    const logits = await oracle.compute([Uint8Array.of(1, 2), Uint8Array.of(3, 4), Uint8Array.of(5, 6)], version);
    expect(logits).toEqual(Float32Array.of(7, 1, 7, 3, 7, 5));
    expect(asked.map(({ input, priority }) => [input.shape, input.dtype, priority])).toEqual([
      [[2, 2], "u8", "bulk"],
      [[1, 2], "u8", "bulk"],
    ]);
  });

  it("teaches with logits and activations, in its batches, until another release is live", async () => {
    const { oracle, served } = scene();
    const version = await oracle.version();
    const inputs = { dtype: "u8", shape: [3, 2], values: Uint8Array.of(1, 2, 3, 4, 5, 6) } as const;
    expect(await oracle.teach?.(inputs, version)).toEqual({
      activations: [{ dtype: "f32", shape: [3, 1], values: Float32Array.of(1, 3, 5) }],
      logits: { dtype: "f32", shape: [3, 2], values: Float32Array.of(7, 1, 7, 3, 7, 5) },
    });
    served.live = { release: 8, manifest: served.live?.manifest as never };
    expect(await oracle.teach?.(inputs, version)).toBeUndefined();
  });

  it.each([
    [[[5]], undefined],
    [[[4]], /KN_CONFIG.*the oracle's are \[5\].*\[4\] of the student/s],
    [[], /none of the student/],
  ])("lets its sections teach a student that is cut as it is: %j", async (boundaries, message) => {
    const { oracle, served } = scene({ boundaries });
    const layers = [
      { name: "one", type: "dense", units: 5 },
      { name: "two", type: "dense", units: 2 },
    ];
    const network = { input: [2], classes: 2, layers, cuts: ["one"] };
    served.live = { release: 7, manifest: { network } as never };
    if (message === undefined) expect(await oracle.version()).toMatch(/^big-7/);
    else await expect(oracle.version()).rejects.toThrow(message);
  });

  it("gives nothing when another release has become live", async () => {
    const { oracle, served } = scene();
    const version = await oracle.version();
    served.live = { release: 8, manifest: served.live?.manifest as never };
    expect(await oracle.compute([Uint8Array.of(1, 2)], version)).toBeUndefined();
    expect(await oracle.version()).not.toBe(version);
  });

  it("waits where it is refused for a while, and says so once", async () => {
    const { oracle, refusals, waited } = scene();
    const version = await oracle.version();
    refusals.push(refusal("KN_OVERLOADED"), refusal("KN_OVERLOADED"));
    expect(await oracle.compute([Uint8Array.of(9, 2)], version)).toEqual(Float32Array.of(7, 9));
    expect(waited).toHaveLength(1);
  });

  it("waits for a first release, until it is told to end", async () => {
    const { oracle, served, waited, ending } = scene();
    served.live = undefined;
    expect(await oracle.version()).toMatch(/^big-8-/);
    expect(waited).toEqual(["no release of big is ready"]);
    ending.abort(new Error("asked to leave"));
    await expect(oracle.version()).rejects.toThrow("asked to leave");
  });

  it("refuses a model of another input or other classes, and answers that are no numbers", async () => {
    await expect(scene({ input: [3] }).oracle.version()).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(scene({ classes: 5 }).oracle.version()).rejects.toMatchObject({ code: "KN_CONFIG" });
    const { oracle, refusals } = scene();
    const version = await oracle.version();
    refusals.push(refusal("KN_NUMERIC"));
    await expect(oracle.compute([Uint8Array.of(1, 2)], version)).rejects.toMatchObject({ code: "KN_NUMERIC" });
  });
});
