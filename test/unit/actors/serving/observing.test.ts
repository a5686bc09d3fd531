/** Which inputs a gateway gives to observers, and that requests are answered the same whatever becomes of these. */
import { describe, expect, it } from "vitest";
import type { ObservedRequests } from "../../../../src/actors/gateway/gateway-options.ts";
import {
  decodeInferReply,
  decodeLiveInputs,
  encodeInferRequest,
  inferSubject,
  type LiveInputs,
  observeSubject,
} from "../../../../src/messages/index.ts";
import type { BusMessage } from "../../../../src/runtime/bus/index.ts";
import { BY, expected, samples, type ServingScene, servingScene, type ServingSceneOptions } from "./serving-scene.ts";

interface Observed {
  readonly scene: ServingScene;
  readonly messages: readonly LiveInputs[];
  /** First value of each sample that was sent. */
  samples(): number[];
}

async function observed(
  observe: ObservedRequests,
  options: ServingSceneOptions = {},
): Promise<Observed & AsyncDisposable> {
  const scene = await servingScene({ ...options, gateway: { observe } });
  const messages: LiveInputs[] = [];
  const bus = scene.broker.connect({ clock: scene.clock });
  bus.subscribe(observeSubject("digits"), ({ data }) => {
    messages.push(decodeLiveInputs(data.slice(), { maxBytes: bus.maxPayloadBytes }));
  });
  await scene.release(1, scene.gateway);
  await scene.clock.advance(50);
  return {
    scene,
    messages,
    samples: () => messages.flatMap(({ input }) => [...input.values].filter((_, index) => index % 4 === 0)),
    async [Symbol.asyncDispose]() {
      await bus.close();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/** The answer, with the clock running. */
async function reply(scene: ServingScene, pending: Promise<BusMessage>): Promise<BusMessage> {
  let isThere = false;
  void pending.finally(() => {
    isThere = true;
  });
  await scene.until(() => isThere, "an answer");
  return pending;
}

describe("a gateway that observes all requests", () => {
  it("sends each input that the live release answered, with release and logits, in messages of a batch", async () => {
    await using run = await observed("all");
    const { scene, messages } = run;
    const { model } = scene.gateway;
    await scene.outcome(model.infer({ input: samples(1, 9) }));
    await scene.clock.advance(50);
    expect(messages).toEqual([
      {
        model: "digits",
        release: 1,
        input: samples(1, 9),
        logits: expect.objectContaining({ shape: [1, 3] }) as unknown,
      },
    ]);
    expect([...(messages[0]?.logits.values ?? [])]).toEqual(expected(1, samples(1, 9)));
    const inputs = [1, 2, 3, 4, 5].map((from) => samples(1, from));
    const outcomes = inputs.map((input) => model.infer({ input }));
    for (const [index, outcome] of outcomes.entries())
      expect(scene.fault(inputs[index] ?? samples(1), await scene.outcome(outcome))).toBeUndefined();
    await scene.clock.advance(50);
    expect(run.samples().sort()).toEqual([1, 2, 3, 4, 5, 9]);
    expect(messages.length).toBeLessThan(6);
  });

  it("leaves out what asks for it, and what another release answered", async () => {
    await using run = await observed("all");
    const { scene } = run;
    const { model } = scene.gateway;
    const second = await scene.publishValue(2);
    await scene.model.startCandidate({ release: second, mode: "canary", percent: 100 }, BY);
    await scene.until(() => model.releases.length === 2, "the candidate");
    for (const request of [
      { input: samples(1, 1), observe: false, release: 1 },
      { input: samples(1, 2), release: second },
      { input: samples(1, 3) }, // the candidate answers
      { input: samples(1, 4), release: 1 },
      { input: samples(1, 5), observe: true },
    ])
      await scene.outcome(model.infer(request));
    await scene.clock.advance(50);
    expect(run.samples()).toEqual([4, 5]);
  });

  it("sends the logits of a candidate that computes a copy, and the inputs all the same when it does not", async () => {
    let isBroken = false;
    await using run = await observed("all", {
      before(_replica, call, release) {
        if (isBroken && call === "infer" && release === 2) throw new Error("it broke");
      },
    });
    const { scene, messages } = run;
    const { model } = scene.gateway;
    const second = await scene.publishValue(2);
    await scene.model.startCandidate({ release: second, mode: "shadow", percent: 100 }, BY);
    await scene.until(() => model.releases.length === 2, "the candidate");
    const input = samples(2, 3);
    expect((await scene.outcome(model.infer({ input }))).kind).toBe("answer");
    input.values.fill(0); // the client's again
    await scene.clock.advance(50);
    isBroken = true;
    await scene.outcome(model.infer({ input: samples(1, 8) }));
    await scene.clock.advance(50);
    expect(run.samples()).toEqual([3, 4, 8]);
    expect(messages.map(({ release }) => release)).toEqual([1, 1]);
    expect(messages.map(({ candidateLogits }) => candidateLogits && [...candidateLogits.values])).toEqual([
      expected(2, samples(2, 3)),
      undefined,
    ]);
    expect(messages.map(({ candidateRelease }) => candidateRelease)).toEqual([second, undefined]);
  });

  it("answers the same when nothing can be sent", async () => {
    await using run = await observed("all", {
      onPublish(subject) {
        if (subject === observeSubject("digits")) throw new Error("it broke");
      },
    });
    const { scene } = run;
    const outcome = await scene.outcome(scene.gateway.model.infer({ input: samples(2) }));
    expect(scene.fault(samples(2), outcome)).toBeUndefined();
    expect(outcome.kind).toBe("answer");
    expect(run.messages).toEqual([]);
  });
});

describe("a gateway that observes requests that ask for it", () => {
  it("sends the inputs of these alone, also of requests on the bus", async () => {
    await using run = await observed("asked");
    const { scene } = run;
    await using bus = scene.broker.connect({ clock: scene.clock });
    const { model } = scene.gateway;
    await scene.outcome(model.infer({ input: samples(1, 1) }));
    await scene.outcome(model.infer({ input: samples(1, 2), observe: true }));
    for (const observe of [true, false]) {
      const input = samples(1, observe ? 3 : 4);
      const request = {
        id: "",
        release: 0,
        remainingMs: 0,
        priority: "interactive",
        client: "",
        input,
        observe,
      } as const;
      await reply(scene, bus.request(inferSubject("digits"), encodeInferRequest(request)));
    }
    await scene.clock.advance(50);
    expect(run.samples()).toEqual([2, 3]);
  });
});

describe("a gateway that does not observe", () => {
  it("sends nothing, and refuses what asks for it with KN_CONFIG", async () => {
    await using run = await observed("none");
    const { scene } = run;
    await using bus = scene.broker.connect({ clock: scene.clock });
    const input = samples(1, 1);
    expect((await scene.outcome(scene.gateway.model.infer({ input }))).kind).toBe("answer");
    const refused = await scene.outcome(scene.gateway.model.infer({ input, observe: true }));
    expect(refused).toMatchObject({ kind: "refusal", error: { code: "KN_CONFIG" } });
    const request = { id: "a", release: 0, remainingMs: 0, priority: "interactive", client: "", input } as const;
    const asked = encodeInferRequest({ ...request, observe: true });
    const { data } = await reply(scene, bus.request(inferSubject("digits"), asked));
    expect(decodeInferReply(data, { maxBytes: 1 << 20 })).toMatchObject({
      outcome: { failure: { code: "KN_CONFIG" } },
    });
    await scene.clock.advance(50);
    expect(run.messages).toEqual([]);
  });
});
