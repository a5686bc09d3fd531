/** What a gateway owes to each request: its time, its order, its share, and its neighbours' faults kept from it. */
import { describe, expect, it } from "vitest";
import type {
  Gateway,
  InferenceAnswer,
  InferenceOutcome,
  InferenceRequest,
} from "../../../../src/actors/gateway/index.ts";
import {
  decodeInferReply,
  encodeInferRequest,
  inferSubject,
  type InferRequest,
  type TensorView,
} from "../../../../src/messages/index.ts";
import { createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import type { NamedTensorData } from "../../../../src/compute/index.ts";
import { fakeOutput } from "../../../support/fake-inference.ts";
import { NETWORK, weights } from "../../models/model-scene.ts";
import {
  BY,
  expected,
  FACTS,
  samples,
  type ServingScene,
  servingScene,
  type ServingSceneOptions,
} from "./serving-scene.ts";

async function live(options: ServingSceneOptions = {}): Promise<ServingScene> {
  const scene = await servingScene(options);
  await scene.release(1, scene.gateway);
  await scene.clock.advance(50);
  return scene;
}

/** Outcomes as they come, with the time at which they came. */
function watch(scene: ServingScene, request: Partial<InferenceRequest> = {}, gateway: Gateway = scene.gateway) {
  const watched: { outcome?: InferenceOutcome; error?: unknown; atMs: number } = { atMs: -1 };
  gateway.model.infer({ input: samples(1), ...request }).then(
    (outcome) => Object.assign(watched, { outcome, atMs: scene.clock.now() }),
    (error: unknown) => Object.assign(watched, { error, atMs: scene.clock.now() }),
  );
  return watched;
}
const codeOf = ({ outcome }: { outcome?: InferenceOutcome }): string | undefined =>
  outcome?.kind === "refusal" ? outcome.error.code : outcome?.kind;
const outcomesOf = (scene: ServingScene): string[] => scene.reports.map(({ outcome }) => outcome);

describe("deadlines", () => {
  it("end a request in the queue before it is computed, and count it", async () => {
    const computed: number[] = [];
    await using scene = await live({
      batchMs: 50,
      before(_, call, release) {
        if (call === "infer") computed.push(release);
      },
    });
    const before = computed.length;
    const first = [watch(scene), watch(scene)]; // both credits
    await scene.clock.advance(1);
    const late = watch(scene, { timeoutMs: 20 });
    await scene.clock.advance(30);
    expect([codeOf(late), late.atMs - scene.clock.now()]).toEqual(["KN_STALE", -10]);
    await scene.clock.advance(300);
    expect(first.map(codeOf)).toEqual(["answer", "answer"]);
    expect(computed.length - before).toBe(2);
    expect(outcomesOf(scene)).toContain("expired");
  });

  it("end a request that is computed too long, and its result is left", async () => {
    await using scene = await live({ batchMs: 50 });
    const late = watch(scene, { timeoutMs: 20 });
    const patient = watch(scene);
    await scene.clock.advance(200);
    expect([codeOf(late), codeOf(patient)]).toEqual(["KN_STALE", "answer"]);
  });

  it("keep a release in use that a replica has got no time for", async () => {
    // Two batches in the worker, and one that waits for its turn.
    await using scene = await live({ slices: 2 });
    const thaw = scene.freeze("replica-0");
    for (let index = 0; index < 4; index += 1) {
      watch(scene, { timeoutMs: 20 });
      await scene.clock.advance(1);
    }
    await scene.clock.advance(200);
    thaw();
    await scene.clock.advance(5);
    expect(scene.gateway.model.unready).toEqual([]);
    const outcome = watch(scene);
    await scene.clock.advance(20);
    expect(codeOf(outcome)).toBe("answer");
  });

  it("are at most the longest that the gateway allows", async () => {
    await using scene = await live({ gateway: { maxTimeoutMs: 100 } });
    scene.freeze("replica-0");
    const outcome = watch(scene, { timeoutMs: 1e9 });
    await scene.clock.advance(101);
    expect(codeOf(outcome)).toBe("KN_STALE");
  });
});

describe("cancellation", () => {
  it("takes a request out of the queue, and rejects with the reason", async () => {
    await using scene = await live({ batchMs: 30 });
    watch(scene);
    watch(scene);
    const controller = new AbortController();
    const cancelled = watch(scene, { signal: controller.signal });
    await scene.clock.advance(5);
    controller.abort(new Error("gone"));
    await scene.clock.advance(0);
    expect(cancelled.error).toMatchObject({ message: "gone" });
    expect(outcomesOf(scene).at(-1)).toBe("cancelled");
    await scene.clock.advance(200);
    expect(outcomesOf(scene).filter((each) => each === "answer")).toHaveLength(2);
  });

  it("before it begins computes nothing", async () => {
    await using scene = await live();
    const cancelled = watch(scene, { signal: AbortSignal.abort(new Error("gone")) });
    await scene.clock.advance(0);
    expect(cancelled.error).toMatchObject({ message: "gone" });
  });
});

describe("overload", () => {
  it("refuses at once, with the time to come back, what the queue has no room for", async () => {
    await using scene = await live({ batchMs: 20, gateway: { maxWaitingSamples: 16, targetMs: 60_000 } });
    const all = Array.from({ length: 60 }, () => watch(scene, { timeoutMs: 5_000 }));
    await scene.clock.advance(0);
    const refused = all.filter((each) => codeOf(each) === "KN_OVERLOADED");
    expect(refused).toHaveLength(60 - 2 - 16);
    for (const { outcome } of refused)
      expect(outcome?.kind === "refusal" ? outcome.retryAfterMs : 0).toBeGreaterThanOrEqual(1);
    await scene.clock.advance(500);
    expect(all.filter((each) => codeOf(each) === "answer")).toHaveLength(18);
  });

  it("refuses what could not be in time, and admits it when the queue is shorter", async () => {
    await using scene = await live({ batchMs: 20, gateway: { targetMs: 60, maxWaitingSamples: 10_000 } });
    for (let index = 0; index < 10; index += 1) {
      watch(scene, { input: samples(8) });
      await scene.clock.advance(25);
    }
    const storm = Array.from({ length: 100 }, () => watch(scene, { input: samples(8) }));
    await scene.clock.advance(0);
    const refused = storm.filter((each) => codeOf(each) === "KN_OVERLOADED");
    expect(refused.length).toBeGreaterThan(80);
    await scene.clock.advance(2_000);
    expect(storm.filter((each) => codeOf(each) === "answer").length).toBe(100 - refused.length);
    expect(codeOf(watch(scene))).toBeUndefined();
  });
});

describe("a busy gateway", () => {
  it("counts what its front end could not read", async () => {
    await using scene = await live();
    const refusal = scene.gateway.model.refuseUnread();
    expect(refusal).toMatchObject({ kind: "refusal", error: { code: "KN_OVERLOADED" }, retryAfterMs: 1_000 });
    expect(scene.reports.at(-1)).toMatchObject({ outcome: "overloaded", samples: 0, priority: "interactive" });
  });

  it.each([
    { ahead: "a long queue", targetMs: 60_000 },
    { ahead: "admission by time", targetMs: 100 },
  ])("answers nine tenths of its capacity in time at twice the load, with $ahead", async ({ targetMs }) => {
    // A batch of 8 takes 20 ms: 400 samples per second; one by one they would be 105.
    const batchMs = (n: number): number => 8 + 1.5 * n;
    await using scene = await live({ batchMs, gateway: { targetMs, maxWaitingSamples: 10_000 } });
    const all: ReturnType<typeof watch>[] = [];
    const seconds = 4;
    for (let ms = 0; ms < seconds * 1_000; ms += 5) {
      for (let each = 0; each < 4; each += 1) all.push(watch(scene, { timeoutMs: 100 }));
      await scene.clock.advance(5);
    }
    await scene.clock.advance(200);
    const answered = all.filter((each) => codeOf(each) === "answer");
    expect(all.every((each) => codeOf(each) !== undefined)).toBe(true);
    expect(answered.length / seconds).toBeGreaterThanOrEqual(0.9 * 400);
  });

  it("answers in time after one batch that was slow on its way", async () => {
    let slow = 0;
    await using scene = await live({
      batchMs: (n) => 8 + 1.5 * n,
      gateway: { maxWaitingSamples: 10_000 },
      // On its way, not in the computation: nothing else is under way.
      before: (_, call) => (call === "infer" && slow-- > 0 ? scene.clock.sleep(90) : undefined),
    });
    slow = 1;
    watch(scene);
    await scene.clock.advance(500);
    const all: ReturnType<typeof watch>[] = [];
    for (let ms = 0; ms < 2_000; ms += 10) {
      for (let each = 0; each < 3; each += 1) all.push(watch(scene, { timeoutMs: 100 }));
      await scene.clock.advance(10);
    }
    await scene.clock.advance(200);
    // Until the next two batches have shown that it was an exception.
    expect(all.filter((each) => codeOf(each) !== "answer").length).toBeLessThan(30);
  });

  it("refuses what is too much on arrival, seldom after its time", async () => {
    const batchMs = (n: number): number => 8 + 1.5 * n;
    await using scene = await live({ batchMs, gateway: { maxWaitingSamples: 10_000 } });
    for (let ms = 0; ms < 4_000; ms += 5) {
      for (let each = 0; each < 4; each += 1) watch(scene, { timeoutMs: 100 });
      await scene.clock.advance(5);
    }
    await scene.clock.advance(200);
    const count = (outcome: string): number => outcomesOf(scene).filter((each) => each === outcome).length;
    expect(count("expired")).toBeLessThan(0.1 * count("overloaded"));
  });

  it("refuses bulk work on arrival too, beside interactive requests", async () => {
    await using scene = await live({ batchMs: (n) => 8 + 1.5 * n, gateway: { maxWaitingSamples: 10_000 } });
    for (let ms = 0; ms < 6_000; ms += 5) {
      if (ms % 25 === 0) watch(scene); // a third of the time
      for (let each = 0; each < 2; each += 1) watch(scene, { client: "bulk", priority: "bulk", timeoutMs: 1_000 });
      await scene.clock.advance(5);
    }
    await scene.clock.advance(1_000);
    const bulk = scene.reports.filter(({ priority }) => priority === "bulk").map(({ outcome }) => outcome);
    const count = (wanted: string): number => bulk.filter((each) => each === wanted).length;
    expect(count("answer")).toBeGreaterThan(300);
    expect(count("expired")).toBeLessThan(0.1 * count("overloaded"));
  });
});

describe("priorities and shares", () => {
  it("bulk work delays an interactive request by one bulk batch at most", async () => {
    await using scene = await live({ batchMs: 10, gateway: { maxWaitingSamples: 10_000 } });
    const bulk = Array.from({ length: 200 }, () => watch(scene, { priority: "bulk", timeoutMs: 60_000 }));
    const waits: number[] = [];
    for (let index = 0; index < 20; index += 1) {
      await scene.clock.advance(17);
      const sentMs = scene.clock.now();
      const interactive = watch(scene);
      await scene.until(() => interactive.atMs >= 0, "the interactive one");
      waits.push(interactive.atMs - sentMs);
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(20 + 2);
    await scene.until(() => bulk.every((each) => codeOf(each) === "answer"), "the bulk", 60_000);
  });

  it("bulk work uses every replica", async () => {
    await using scene = await live({ copies: 3, batchMs: 10, gateway: { maxWaitingSamples: 10_000 } });
    await scene.clock.advance(1_100);
    const startMs = scene.clock.now();
    const bulk = Array.from({ length: 120 }, () => watch(scene, { priority: "bulk", timeoutMs: 60_000 }));
    await scene.until(() => bulk.every((each) => codeOf(each) === "answer"), "the bulk", 60_000);
    // 30 batches of 4 on three replicas.
    expect(scene.clock.now() - startMs).toBeLessThan(30 * 10 * 0.6);
  });

  it("a client that sends 5 times as much leaves the other its share", async () => {
    await using scene = await live({ batchMs: 10, gateway: { maxWaitingSamples: 200, targetMs: 60_000 } });
    const light: ReturnType<typeof watch>[] = [];
    for (let index = 0; index < 300; index += 1) {
      for (let each = 0; each < 5; each += 1) watch(scene, { client: "heavy", timeoutMs: 60_000 });
      if (index % 5 === 0) light.push(watch(scene, { client: "light" }));
      await scene.clock.advance(3);
    }
    await scene.clock.advance(100);
    expect(light.every((each) => codeOf(each) === "answer")).toBe(true);
    const slowest = Math.max(
      ...light.map(({ outcome }) => (outcome?.kind === "answer" ? outcome.queueMs + outcome.computeMs : Infinity)),
    );
    expect(slowest).toBeLessThanOrEqual(40); // two batches before it, itself, and a fraction
  });

  it("an idle gateway computes a request at once and alone", async () => {
    await using scene = await live({ batchMs: 10 });
    const first = watch(scene);
    await scene.clock.advance(11);
    expect(first.outcome).toMatchObject({ kind: "answer", batch: 1, queueMs: 0 });
  });
});

describe("bad inputs", () => {
  const bad = (value: number): TensorView => ({
    dtype: "f32",
    shape: [1, 2, 2, 1],
    values: new Float32Array(4).fill(value),
  });

  it("whose answer is not finite do not harm their neighbours", async () => {
    for (const slices of [1, 2] as const) {
      await using scene = await live({ slices, batchMs: 10 });
      for (let index = 0; index < 3; index += 1) watch(scene); // what comes now waits, and is one batch
      const good = watch(scene, { input: samples(2, 7) });
      const overflowing = watch(scene, { input: bad(3e38) });
      const other = watch(scene, { input: samples(1, 9) });
      await scene.clock.advance(200);
      expect(codeOf(overflowing)).toBe("KN_NUMERIC");
      for (const [{ outcome }, input] of [
        [good, samples(2, 7)],
        [other, samples(1, 9)],
      ] as const) {
        expect(outcome).toMatchObject({ kind: "answer" });
        if (outcome?.kind === "answer") expect(Array.from(outcome.logits.values)).toEqual(expected(1, input, slices));
      }
    }
  });

  it("that are not finite themselves are refused, and their neighbours answered", async () => {
    await using scene = await live({ batchMs: 10 });
    for (let index = 0; index < 2; index += 1) watch(scene);
    const [good, nan, other] = [watch(scene), watch(scene, { input: bad(NaN) }), watch(scene)];
    await scene.clock.advance(100);
    expect([good, nan, other].map(codeOf)).toEqual(["answer", "KN_NUMERIC", "answer"]);
    expect(codeOf(watch(scene, { input: bad(NaN) }))).toBeUndefined();
    await scene.clock.advance(20);
  });

  it("of the shape before, when a release of another input became live meanwhile, are refused with both shapes", async () => {
    await using scene = await live({ batchMs: 20 });
    const network = { ...NETWORK, input: [2, 1, 1] };
    const filled = (shape: number[]) =>
      ({ dtype: "f32", shape, values: new Float32Array(shape.reduce((a, b) => a * b)).fill(1) }) as const;
    const { release } = await scene.model.publish(
      { ...FACTS, network, inputs: FACTS.inputs.map((each) => ({ ...each, shape: [-1, 2, 1, 1] })) },
      [
        { "weights/d1/kernel": filled([2, 2]), "weights/d1/bias": filled([2]) },
        { "weights/d2/kernel": filled([2, 3]) },
      ],
    );
    const pending: ReturnType<typeof watch>[] = [];
    await scene.model.promote(release, BY);
    await scene.until(() => {
      pending.push(watch(scene));
      return scene.gateway.model.live?.release === release;
    }, "the swap");
    await scene.clock.advance(500);
    const codes = new Set(pending.map(codeOf));
    for (const code of codes) expect(["answer", "KN_SHAPE", "KN_OVERLOADED"]).toContain(code);
    expect(codes).toContain("answer");
    const flat = watch(scene, { input: { dtype: "f32", shape: [1, 2, 1, 1], values: new Float32Array(2) } });
    await scene.clock.advance(50);
    expect(codeOf(flat)).toBe("answer");
  });
});

describe("kn.v1.infer.<model>", () => {
  const encode = (parts: Partial<InferRequest> = {}): Uint8Array =>
    encodeInferRequest({
      id: "q",
      release: 0,
      remainingMs: 0,
      priority: "interactive",
      client: "",
      input: samples(2),
      ...parts,
    });
  const ask = async (scene: ServingScene, data: Uint8Array) => {
    const bus = scene.broker.connect({ clock: scene.clock });
    let reply: Uint8Array | undefined;
    void bus.request(inferSubject("digits"), data).then((message) => {
      reply = message.data.slice();
    });
    await scene.until(() => reply !== undefined, "a reply");
    await bus.close();
    return reply ?? new Uint8Array();
  };
  const LIMITS = { maxBytes: 1e6 };

  it("answers a request in protobuf with its id, release and logits", async () => {
    await using scene = await live();
    const { id, outcome } = decodeInferReply(await ask(scene, encode()), LIMITS);
    expect([id, outcome]).toMatchObject(["q", { kind: "logits", release: 1, batch: 2 }]);
    if (outcome.kind === "logits") expect(Array.from(outcome.logits.values)).toEqual(expected(1, samples(2)));
  });

  it("refuses with the code, and the request's id", async () => {
    await using scene = await live();
    const refused = decodeInferReply(await ask(scene, encode({ release: 7 })), LIMITS);
    expect(refused).toMatchObject({ id: "q", outcome: { kind: "refused", failure: { code: "KN_CONFIG" } } });
    const large = decodeInferReply(await ask(scene, encode({ input: samples(9) })), LIMITS);
    expect(large).toMatchObject({ id: "q", outcome: { kind: "refused", failure: { code: "KN_SHAPE" } } });
  });

  it("refuses bytes that are no request with KN_DECODE", async () => {
    await using scene = await live();
    for (const bytes of [Uint8Array.of(10), Uint8Array.of(0, 1, 2), encode().subarray(0, 30)])
      expect(decodeInferReply(await ask(scene, bytes), LIMITS).outcome).toMatchObject({
        kind: "refused",
        failure: { code: "KN_DECODE" },
      });
    expect(decodeInferReply(await ask(scene, encode()), LIMITS).outcome.kind).toBe("logits");
  });

  it("answers text in JSON by the Open Inference Protocol", async () => {
    await using scene = await live();
    const body = { inputs: [{ name: "input", shape: [1, 2, 2, 1], datatype: "FP32", data: [1, 1, 1, 1] }] };
    const reply = JSON.parse(
      new TextDecoder().decode(await ask(scene, new TextEncoder().encode(JSON.stringify(body)))),
    );
    expect(reply).toMatchObject({ model_name: "digits", model_version: "1" });
    const refused = JSON.parse(new TextDecoder().decode(await ask(scene, new TextEncoder().encode("{"))));
    expect(refused).toEqual({ error: expect.any(String) as string });
  });

  it("says in the form of the request when no message can hold the answer", async () => {
    const broker = createMemoryBroker({ maxPayloadBytes: 450 });
    await using scene = await live({ broker });
    const reply = decodeInferReply(await ask(scene, encode({ input: samples(8) })), LIMITS);
    expect(reply).toMatchObject({ id: "q", outcome: { kind: "logits" } });
    const inputs = [{ name: "input", shape: [8, 2, 2, 1], datatype: "FP32", data: new Array(32).fill(1) }];
    const text = new TextEncoder().encode(JSON.stringify({ inputs }));
    expect(text.byteLength).toBeLessThan(450);
    const refused = JSON.parse(new TextDecoder().decode(await ask(scene, text)));
    expect((refused as { error: string }).error).toContain("KN_OVERLOADED");
  });

  it("is left before the gateway ends: what came is answered, and nobody answers afterwards", async () => {
    await using scene = await live({ batchMs: 50 });
    const bus = scene.broker.connect({ clock: scene.clock });
    const replies: string[] = [];
    const request = (): void => {
      bus.request(inferSubject("digits"), encode()).then(
        ({ data }) => replies.push(decodeInferReply(data, LIMITS).outcome.kind),
        (error: unknown) => replies.push((error as { code: string }).code),
      );
    };
    request();
    await scene.clock.advance(1);
    const stopping = scene.gateway.stop();
    await scene.clock.advance(1);
    request();
    await scene.clock.advance(300);
    await stopping;
    expect(replies).toEqual(["KN_UNAVAILABLE", "logits"]);
    await bus.close();
  });
});

describe("activations", () => {
  it("come with the answer of a pipeline to those who want them, of their own samples", async () => {
    await using scene = await live({ slices: 2, batchMs: 20 });
    const busy = Array.from({ length: 4 }, () => watch(scene)); // every credit
    await scene.clock.advance(1);
    const wanted = [samples(2, 5), samples(1, 9)].map((input) => watch(scene, { input, wantsActivations: true }));
    const plain = watch(scene, { input: samples(1, 7) });
    await scene.clock.advance(300);
    for (const [watched, n, from] of [
      [wanted[0], 2, 5],
      [wanted[1], 1, 9],
    ] as const) {
      const answer = watched?.outcome as InferenceAnswer;
      const input = samples(n, from);
      const between = fakeOutput(weights(1)[0] as NamedTensorData, input, [2]);
      expect(answer.activations).toEqual([{ dtype: "f32", shape: [n, 2], values: between }]);
      expect(Array.from(answer.logits.values)).toEqual(expected(1, input, 2));
      expect(answer.batch).toBe(3); // computed together, but not with those who do not want them
    }
    expect((plain.outcome as InferenceAnswer).activations).toBeUndefined();
    expect(busy.map(codeOf)).toEqual(busy.map(() => "answer"));
  });

  it("are none where one replica computes the whole", async () => {
    await using scene = await live();
    const watched = watch(scene, { wantsActivations: true });
    await scene.clock.advance(100);
    expect((watched.outcome as InferenceAnswer).activations).toEqual([]);
  });
});
