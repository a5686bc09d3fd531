import { describe, expect, it } from "vitest";
import { encodeSignedUpdate } from "../../../../src/messages/index.ts";
import { newKeyPair, readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { buildUpdate, digestOfTensors, openDeviceUpdates, settleUpdate } from "../../../../src/models/updates/index.ts";
import { deviceOf, FIRST, MODEL, MOMENT, trainerOf } from "./device-scene.ts";

describe("receiveUpdate", () => {
  it("applies updates of every kind, one after the other", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    for (const kind of ["masked", "channels", "batch-norm", "full", "masked", "restore"] as const) {
      expect(device.receive(trainer.promote(kind, 1).bytes)).toMatchObject({ kind: "apply" });
      expect(device.work()).toEqual({ kind: "rest" });
      expect(device.state.kept[0]).toEqual({ number: trainer.newest(), digest: trainer.digest });
      expect(device.disk.weights.get(trainer.digest)).toEqual(trainer.weights());
    }
    expect(device.served).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("ignores a repeated update, and an old one", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const [second, third] = [trainer.promote("masked", 1).bytes, trainer.promote("masked", 2).bytes];
    device.receive(second);
    expect(device.receive(second)).toEqual({ kind: "ignore", reason: "duplicate" });
    device.work();
    expect(device.receive(second)).toEqual({ kind: "ignore", reason: "duplicate" });
    device.receive(third);
    device.work();
    expect(device.receive(second)).toEqual({ kind: "ignore", reason: "old" });
  });

  it("asks for a full one where one is missing, and applies what came meanwhile on top of it", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    trainer.promote("masked", 1);
    expect(device.receive(trainer.promote("masked", 2).bytes)).toEqual({ kind: "ask", reason: "gap", dueAtMs: 3500 });
    const anchor = trainer.anchor();
    expect(device.receive(trainer.promote("masked", 3).bytes)).toEqual({ kind: "hold", reason: "requested" });
    expect(device.request()).toBeUndefined();
    device.pass(2500);
    expect(device.request()).toEqual({ model: MODEL, newest: 4, held: { number: 1, digest: digestOfTensors(FIRST) } });
    expect(device.receive(anchor)).toMatchObject({ kind: "apply", plan: { steps: [{}, {}] } });
    expect(device.work()).toEqual({ kind: "rest" });
    expect(device.served).toEqual([1, 4]);
    expect(device.request()).toBeUndefined();
  });

  it("puts updates in another order together, and serves the newest alone", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const [second, third, fourth] = [1, 2, 3].map((seed) => trainer.promote("masked", seed).bytes) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    expect(device.receive(fourth)).toMatchObject({ kind: "ask" });
    expect(device.receive(second)).toMatchObject({ kind: "hold" });
    expect(device.receive(third)).toMatchObject({ kind: "apply", plan: { steps: [{}, {}, {}] } });
    device.work();
    expect(device.served).toEqual([1, 4]);
  });

  it("never serves a bad release once its rollback was seen, whatever is replayed, after a crash too", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const good = trainer.promote("masked", 1).bytes;
    const bad = trainer.promote("masked", 2).bytes;
    const badAnchor = trainer.anchor();
    const rollback = trainer.promote("restore", 3).bytes;
    device.receive(rollback);
    device.crash();
    for (const replayed of [bad, badAnchor, good, bad]) device.receive(replayed);
    device.work();
    expect(device.served).toEqual([1]);
    device.receive(rollback);
    device.receive(trainer.anchor());
    device.work();
    expect(device.served).toEqual([1, 4]);
  });

  it("rolls back without new weights while the earlier ones are kept, also where the bad release was never applied", () => {
    const [trainer, device, other] = [trainerOf(), deviceOf(), deviceOf()];
    const bad = trainer.promote("masked", 1).bytes;
    const rollback = trainer.promote("restore", 2).bytes;
    device.receive(bad);
    device.work();
    for (const each of [device, other]) {
      expect(each.receive(rollback)).toMatchObject({ kind: "apply", plan: { steps: [], start: { number: 1 } } });
      each.work();
      expect(each.state.kept[0]).toEqual({ number: 3, digest: digestOfTensors(FIRST) });
    }
    // The next update is made from number 3, and fits.
    device.receive(trainer.promote("masked", 5).bytes);
    device.work();
    expect(device.served).toEqual([1, 2, 3, 4]);
  });

  it("asks where its own weights are not those that the update was made from", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const foreign = { number: 1, digest: "ef".repeat(32) };
    const { state } = openDeviceUpdates({ model: MODEL, kept: [foreign], newest: 1 }, MOMENT);
    device.disk.durable = state;
    device.crash();
    expect(device.receive(trainer.promote("masked", 1).bytes)).toMatchObject({ kind: "ask", reason: "base-digest" });
    device.receive(trainer.anchor());
    device.work();
    expect(device.state.kept[0]?.digest).toBe(trainer.digest);
  });

  it("asks when what it made has another digest, and keeps serving what it had", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    device.disk.weights.set(digestOfTensors(FIRST), {
      ...FIRST,
      "weights/d1/bias": { dtype: "f32", shape: [3], values: new Float32Array(3) },
    });
    device.receive(trainer.promote("batch-norm", 1).bytes);
    expect(device.work()).toMatchObject({ kind: "ask", reason: "failed" });
    expect(device.number).toBe(1);
    device.receive(trainer.anchor());
    expect(device.work()).toEqual({ kind: "rest" });
    expect(device.number).toBe(2);
  });

  it("asks when the weights to roll back to are gone", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    device.receive(trainer.promote("masked", 1).bytes);
    device.work();
    device.disk.weights.delete(digestOfTensors(FIRST));
    device.receive(trainer.promote("restore", 2).bytes);
    expect(device.work()).toMatchObject({ kind: "ask" });
    device.receive(trainer.anchor());
    device.work();
    expect(device.state.kept[0]).toEqual({ number: 3, digest: digestOfTensors(FIRST) });
  });

  it("continues after a crash while applying from what is durable", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const { bytes } = trainer.promote("masked", 1);
    expect(device.receive(bytes)).toMatchObject({ kind: "apply" });
    expect(device.crash()).toMatchObject({ kind: "ask", reason: "gap" });
    expect(device.number).toBe(1);
    expect(device.receive(bytes)).toMatchObject({ kind: "apply" });
    device.work();
    expect(device.number).toBe(2);
  });

  it("holds what comes while another one is applied", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    device.receive(trainer.promote("masked", 1).bytes);
    expect(device.receive(trainer.promote("masked", 2).bytes)).toEqual({ kind: "hold", reason: "applying" });
    device.work();
    expect(device.served).toEqual([1, 2, 3]);
  });

  it("does not put an update on other weights of the base's number", () => {
    const [trainer, fork, device] = [trainerOf(), trainerOf(), deviceOf()];
    for (const seed of [1, 2]) {
      trainer.promote("masked", seed);
      fork.promote("masked", seed + 10);
    }
    device.receive(trainer.promote("masked", 3).bytes);
    expect(device.receive(fork.anchor())).toEqual({ kind: "hold", reason: "requested" });
    expect(device.receive(trainer.anchor())).toMatchObject({ kind: "apply", plan: { steps: [{ kind: "full" }] } });
    device.work();
    expect(device.state.kept[0]?.digest).toBe(trainer.digest);
  });

  it("keeps no more than its bounds, the newest first", () => {
    const trainer = trainerOf();
    trainer.promote("masked", 0);
    const late = Array.from({ length: 10 }, (_, seed) => trainer.promote("masked", seed).bytes);
    const few = deviceOf({ maxPending: 4 });
    const small = deviceOf({ maxPendingBytes: 2.5 * (late[0]?.length ?? 0) });
    const none = deviceOf({ maxPendingBytes: 10 });
    for (const bytes of late) {
      few.receive(bytes);
      small.receive(bytes);
      expect(none.receive(bytes)).toEqual({ kind: "ignore", reason: "too-large" });
    }
    const numbers = (device: typeof few): number[] => device.state.pending.map(({ update }) => update.result.number);
    expect(numbers(few)).toEqual([12, 11, 10, 9]);
    expect(numbers(small)).toEqual([12, 11]);
  });
});

describe("receiveUpdate, with trusted keys", () => {
  const [own, foreign] = [newKeyPair(), newKeyPair()];
  const signer = readSigner(own.privatePem, "own");
  const options = { trusted: [readTrustedKey(own.publicPem, "own.pub")] };

  it("applies what a trusted key has signed", () => {
    const [trainer, device] = [trainerOf(signer), deviceOf(options)];
    expect(device.receive(trainer.promote("masked", 1).bytes)).toMatchObject({ kind: "apply" });
  });

  it("ignores what is unsigned, by another key, by a signature of other bytes, or of another model", () => {
    const device = deviceOf(options);
    const trainer = trainerOf(signer);
    const other = trainerOf(readSigner(foreign.privatePem, "foreign"));
    const first = { number: 1, tensors: FIRST };
    const content = { kind: "batch-norm" } as const;
    const { bytes: elsewhere } = buildUpdate({ model: "m", number: 2, base: first, trained: FIRST, content, signer });
    const update = new Uint8Array([1, 2, 3]);
    const forged = encodeSignedUpdate({ update, signature: signer.signUpdate(new Uint8Array([1, 2])) });
    const noKey = encodeSignedUpdate({ update, signature: { key: new Uint8Array(44), signature: new Uint8Array(64) } });
    expect(device.receive(trainerOf().promote("masked", 1).bytes)).toEqual({ kind: "ignore", reason: "unsigned" });
    expect(device.receive(other.promote("masked", 1).bytes)).toEqual({ kind: "ignore", reason: "unknown-signer" });
    expect(device.receive(forged)).toEqual({ kind: "ignore", reason: "forged" });
    expect(device.receive(noKey)).toEqual({ kind: "ignore", reason: "forged" });
    expect(device.receive(elsewhere)).toEqual({ kind: "ignore", reason: "other-model" });
    expect(device.state.newest).toBe(1);
    expect(device.receive(trainer.promote("masked", 1).bytes)).toMatchObject({ kind: "apply" });
  });
});

describe("openDeviceUpdates", () => {
  it("asks for a full one without weights, and applies it", () => {
    const opened = openDeviceUpdates({ model: MODEL, kept: [], newest: 0 }, MOMENT);
    expect(opened.decision).toEqual({ kind: "ask", reason: "gap", dueAtMs: 3500 });
    const trainer = trainerOf();
    const device = deviceOf();
    device.disk.durable = { model: MODEL, kept: [], newest: 0 };
    device.crash();
    expect(device.receive(trainer.anchor())).toMatchObject({ kind: "apply", plan: { steps: [{ kind: "full" }] } });
  });
});

describe("dueRequest", () => {
  it("is repeated after twice the time, each time, until it is answered, and at once when the link is back", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    trainer.promote("masked", 1);
    device.receive(trainer.promote("masked", 2).bytes);
    const times: number[] = [];
    for (let second = 0; second < 1200; second += 1) {
      if (device.request() !== undefined) times.push(second);
      device.pass(1000);
    }
    // 2.5 s of spread, then 15 s x 1.5 of jitter, doubled five times.
    expect(times).toEqual([3, 26, 71, 161, 341, 701]);
    device.linkReturns();
    device.pass(2500);
    expect(device.request()).toBeDefined();
    device.receive(trainer.anchor());
    device.work();
    device.pass(1e6);
    expect(device.request()).toBeUndefined();
  });
});

describe("dueRequest, while an update is applied", () => {
  it("waits for its end", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    trainer.promote("masked", 1);
    device.receive(trainer.promote("masked", 2).bytes);
    device.receive(trainer.anchor());
    device.pass(1e6);
    expect(device.request()).toBeUndefined();
    device.receive(trainer.promote("masked", 3).bytes);
    device.crash();
    device.pass(1e6);
    expect(device.request()).toMatchObject({ newest: 4 });
  });
});

describe("settleUpdate", () => {
  it("is a mistake of the program while nothing is applied", () => {
    expect(() => settleUpdate(deviceOf().state, "applied", MOMENT)).toThrow(RangeError);
  });
});
