/** What an observer promises: its budget, its bound, its counts, and the content of what it logs. */
import { describe, expect, it } from "vitest";
import { observeSubject } from "../../../../src/messages/index.ts";
import { connectNatsBus } from "../../../../src/runtime/bus/index.ts";
import { failAlways, failTimes } from "../../../support/failing-store.ts";
import { describeWithNats, startTestNats } from "../../../support/nats-server.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { BY, FACTS, NETWORK } from "../../models/model-scene.ts";
import {
  bytesInput,
  CLASSES,
  INPUT_BYTES,
  mostInAMinute,
  numberOf,
  OBSERVER,
  observerScene,
} from "./observer-scene.ts";

const { inputsPerMinute } = OBSERVER.budget;
const PER_SLOT = inputsPerMinute / OBSERVER.slotsPerMinute;
const SLOT_MS = 60_000 / OBSERVER.slotsPerMinute;

describe("createObserverActor", () => {
  it("logs of each slot what the budget allows, as it came, in numbers without gaps", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver();
    for (let slot = 0; slot < 3; slot += 1) {
      scene.send(bytesInput(20, 1_000 * slot));
      await scene.clock.advance(SLOT_MS + 1);
    }
    const logged = await scene.logged();
    expect(logged.map(({ number }) => number)).toEqual(Array.from({ length: 3 * PER_SLOT }, (_, index) => index));
    expect(logged.every((each) => numberOf(each) % 1_000 < 20)).toBe(true);
    expect(new Set(logged.map(numberOf)).size).toBe(3 * PER_SLOT);
    expect(logged[0]).toMatchObject({
      ...{ model: "digits", observer: "observer-0", epoch: "epoch-1", release: 1 },
      ...{ input: { dtype: "u8", shape: [2, 2, 1] }, logits: { shape: [CLASSES] } },
    });
    expect(logged.every(({ atMs, expiresAtMs }) => expiresAtMs - atMs === OBSERVER.ttlMs)).toBe(true);
    expect(observer.inputs).toMatchObject({ observed: 3 * PER_SLOT, notChosen: 60 - 3 * PER_SLOT });
    expect(observer.observations).toMatchObject({ logged: 3 * PER_SLOT });
    expect(observer.state).toBe("observing.recording");
  });

  it("takes inputs as weights say: they add up to the inputs of a slot, on average", async () => {
    await using scene = await observerScene();
    await scene.release();
    await scene.startObserver();
    const slots = 200;
    for (let slot = 0; slot < slots; slot += 1) {
      scene.send(bytesInput(20));
      await scene.clock.advance(SLOT_MS + 1);
    }
    const total = (await scene.logged()).reduce((sum, { weight }) => sum + weight, 0);
    expect(total / slots).toBeCloseTo(20, -0.5);
  });

  it("measures the disagreement of the candidate, where one computed the input", async () => {
    await using scene = await observerScene();
    await scene.release();
    await scene.startObserver();
    const values = Float32Array.of(5, 0, 0, 5, 0, 0);
    const logits = { dtype: "f32", shape: [2, CLASSES], values } as const;
    const candidateLogits = { ...logits, values: Float32Array.of(5, 0, 0, 0, 5, 0) };
    scene.send(bytesInput(2), { logits, candidateLogits, candidateRelease: 9 });
    await scene.clock.advance(SLOT_MS + 1);
    expect((await scene.logged()).map(({ interest }) => interest.disagreement)).toEqual([0, 1]);
  });

  it("keeps f32 as it came", async () => {
    await using scene = await observerScene();
    await scene.release();
    await scene.startObserver();
    const values = Float32Array.from({ length: 4 }, (_, index) => index / 3);
    scene.send({ dtype: "f32", shape: [1, 2, 2, 1], values });
    await scene.clock.advance(SLOT_MS + 1);
    expect((await scene.logged()).map(({ input }) => input)).toEqual([{ dtype: "f32", shape: [2, 2, 1], values }]);
  });

  it("stays within its budget in every sliding minute, over restarts at any time", async () => {
    await using scene = await observerScene();
    await scene.release();
    let observer = await scene.startObserver();
    let sent = 0;
    for (let round = 0; round < 60; round += 1) {
      for (let message = 0; message < 5; message += 1) {
        scene.send(bytesInput(8, sent));
        sent += 8;
        await scene.clock.advance(997);
      }
      if (round % 7 !== 6) continue;
      await (round % 2 === 0 ? observer.stop() : observer.kill());
      observer = await scene.startObserver();
    }
    expect(scene.appends.length).toBeGreaterThan(2 * inputsPerMinute);
    expect(mostInAMinute(scene.appends)).toBeLessThanOrEqual(inputsPerMinute);
    const logged = await scene.logged();
    expect(new Set(logged.map(({ epoch, number }) => `${epoch} ${number}`)).size).toBe(logged.length);
  });

  it("shares inputs and budget with other observers of the model", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observers = [await scene.startObserver(), await scene.startObserver({ id: "observer-1" })];
    for (let message = 0; message < 300; message += 1) {
      scene.send(bytesInput(4, 4 * message));
      await scene.clock.advance(503);
    }
    const considered = observers.map(({ inputs }) => Object.values(inputs).reduce((sum, each) => sum + each, 0));
    expect(considered.every((count) => count > 0)).toBe(true);
    expect(mostInAMinute(scene.appends)).toBe(inputsPerMinute);
    const logged = await scene.logged();
    expect(new Set(logged.map(numberOf)).size).toBe(logged.length);
  });

  it("has nothing wait for long where several observers share the budget", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observers = [];
    for (let index = 0; index < 3; index += 1)
      observers.push(await scene.startObserver({ id: `observer-${index}`, seed: index }));
    for (let message = 0; message < 1_200; message += 1) {
      scene.send(bytesInput(4, 4 * message));
      await scene.clock.advance(503);
    }
    for (const observer of observers) {
      expect(observer.observations["overflowed"]).toBe(0);
      expect((observer.stats()["held"] as { inputs: number }).inputs).toBeLessThan(inputsPerMinute);
    }
    const newestMs = Math.max(...(await scene.logged()).map(({ atMs }) => atMs));
    expect(scene.clock.wallTimeMs() - newestMs).toBeLessThan(120_000);
    expect(mostInAMinute(scene.appends)).toBe(inputsPerMinute);
  });

  it("waits for the first release, and counts what comes before", async () => {
    await using scene = await observerScene();
    const observer = await scene.startObserver();
    scene.send(bytesInput(3));
    await scene.clock.advance(SLOT_MS + 1);
    expect([observer.state, observer.inputs["unknownNetwork"]]).toEqual(["waiting", 3]);
    await scene.release();
    scene.send(bytesInput(1));
    await scene.clock.advance(SLOT_MS + 1);
    expect([observer.state, (await scene.logged()).length]).toEqual(["observing.recording", 1]);
  });

  it("counts what is no input of its model, and goes on", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver();
    const subject = observeSubject("digits");
    for (const hostile of ["", "ff", "22ffffff7f", "6b6e2e7631"]) {
      scene.sender.publish(subject, Buffer.from(hostile, "hex"));
    }
    scene.send(bytesInput(2), { model: "letters" });
    scene.send({ dtype: "u8", shape: [2, 4], values: new Uint8Array(8) });
    scene.send(bytesInput(1), { logits: { dtype: "f32", shape: [1, 4], values: new Float32Array(4) } });
    scene.send(bytesInput(1, 77));
    await scene.clock.advance(SLOT_MS + 1);
    expect(observer.stats()["messages"]).toEqual({ received: 8, undecodable: 4 });
    expect(observer.inputs).toMatchObject({ otherModel: 2, otherShape: 3, observed: 1 });
    expect((await scene.logged()).map(numberOf)).toEqual([77]);
  });

  it("follows the live release to another network", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver();
    scene.send(bytesInput(3));
    const network = { ...NETWORK, input: [1, 4, 1] };
    const filled = (shape: number[]) =>
      ({ dtype: "f32", shape, values: new Float32Array(shape.reduce((a, b) => a * b)).fill(1) }) as const;
    const parts = [
      { "weights/d1/kernel": filled([4, 2]), "weights/d1/bias": filled([2]) },
      { "weights/d2/kernel": filled([2, 3]) },
    ];
    const { release } = await scene.model.publish(
      { ...FACTS, network, inputs: [{ ...FACTS.inputs[0], shape: [-1, 1, 4, 1] }] as typeof FACTS.inputs },
      parts,
    );
    await scene.model.promote(release, BY);
    await scene.clock.advance(300);
    scene.send(bytesInput(1));
    scene.send({ ...bytesInput(1, 5), shape: [1, 1, 4, 1] } as ReturnType<typeof bytesInput>, { release });
    await scene.clock.advance(SLOT_MS + 1);
    expect(observer.inputs).toMatchObject({ networkChanged: 3, otherShape: 1, observed: 1 });
    expect(await scene.logged()).toMatchObject([{ release, input: { shape: [1, 4, 1] } }]);
  });

  it("does not start with a budget that holds none of the live release's inputs", async () => {
    await using scene = await observerScene();
    await scene.release();
    const budget = { inputsPerMinute: 48, bytesPerMinute: 100 };
    await expect(scene.startObserver({ budget })).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("logs what the redaction returns, and nothing that it withholds or spoils", async () => {
    await using scene = await observerScene();
    await scene.release();
    const same = new Uint8Array(4);
    const observer = await scene.startObserver(
      {},
      {
        redact(payload) {
          const [first = 0] = payload;
          if (first === 1) return undefined;
          if (first === 2) throw new Error("it broke");
          if (first === 3) return new Uint8Array(3);
          same.set([first, 0xee, 0, 0]);
          return same;
        },
      },
    );
    for (const first of [1, 2, 3, 4, 5]) {
      scene.send({ dtype: "u8", shape: [1, 2, 2, 1], values: Uint8Array.of(first, 9, 9, 9) });
      await scene.clock.advance(SLOT_MS + 1);
    }
    scene.send({ dtype: "u8", shape: [2, 2, 2, 1], values: Uint8Array.of(6, 9, 9, 9, 7, 9, 9, 9) });
    await scene.clock.advance(SLOT_MS + 1);
    const logged = await scene.logged();
    expect(logged.map(({ input }) => [...input.values])).toEqual([4, 5, 6, 7].map((first) => [first, 0xee, 0, 0]));
    expect(observer.inputs).toMatchObject({ withheld: 1, redactionFailed: 2, observed: 4 });
  });

  it("deletes observations within a minute of their end", async () => {
    await using scene = await observerScene();
    await scene.release();
    await scene.startObserver({ ttlMs: 120_000 });
    scene.send(bytesInput(4));
    await scene.clock.advance(SLOT_MS + 60_000);
    scene.send(bytesInput(4, 50));
    await scene.clock.advance(54_000);
    expect((await scene.logged()).map(numberOf)).toEqual([0, 1, 2, 3, 50, 51, 52, 53]);
    await scene.clock.advance(60_000);
    expect((await scene.logged()).map(numberOf)).toEqual([50, 51, 52, 53]);
    await scene.clock.advance(70_000);
    expect(await scene.logged()).toEqual([]);
  });
});

describe("createObserverActor while its store is away", () => {
  it("holds what it chose, up to its bound, and counts what is lost; numbers tell the reader", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver({ maxHeldInputs: 10 });
    scene.fail(failAlways());
    for (let slot = 0; slot < 5; slot += 1) {
      scene.send(bytesInput(20, 100 * slot));
      await scene.clock.advance(4 * SLOT_MS + 1);
    }
    expect(observer.state).toBe("observing.holding");
    expect(observer.stats()["held"]).toEqual({ inputs: 10, bytes: 10 * INPUT_BYTES.u8 });
    expect(observer.observations).toMatchObject({ logged: 0, overflowed: 5 * PER_SLOT - 10 });
    scene.fail();
    await scene.until(() => observer.observations["logged"] === 10, "what is held to be logged", 200_000);
    expect(observer.state).toBe("observing.recording");
    const numbers = (await scene.logged()).map(({ number }) => number);
    const all = Array.from({ length: 5 * PER_SLOT }, (_, index) => index);
    expect(all.filter((number) => !numbers.includes(number))).toHaveLength(5 * PER_SLOT - 10);
    expect(numbers.slice(-6)).toEqual(all.slice(-6));
  });

  it("logs nothing that has expired meanwhile", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver({ ttlMs: 20_000 });
    scene.fail(failAlways());
    scene.send(bytesInput(4));
    await scene.clock.advance(30_000);
    scene.fail();
    await scene.clock.advance(70_000);
    expect(await scene.logged()).toEqual([]);
    expect(observer.observations).toMatchObject({ expiredHeld: PER_SLOT });
  });

  it("repeats an append without an answer under the same number, within its budget", async () => {
    await using scene = await observerScene();
    await scene.release();
    await scene.startObserver();
    scene.fail(failTimes(1, { kind: "log", operation: "append" }, { kind: "unanswered" }));
    scene.send(bytesInput(20));
    await scene.clock.advance(SLOT_MS + 5_000);
    expect((await scene.logged()).map(({ number }) => number)).toEqual([0, 0, 1, 2, 3]);
  });

  it("appends what it holds when it leaves", async () => {
    await using scene = await observerScene();
    await scene.release();
    const observer = await scene.startObserver();
    scene.fail(failAlways());
    scene.send(bytesInput(4));
    await scene.clock.advance(SLOT_MS + 1);
    scene.fail();
    await observer.stop();
    expect(await scene.logged()).toHaveLength(PER_SLOT);
  });
});

describeWithNats("createObserverActor on NATS", () => {
  it("logs what gateways send, and counts what is none", async () => {
    await using server = await startTestNats();
    await using scene = await observerScene(() => connectNatsBus({ servers: server.url, name: "test" }));
    await scene.release();
    const observer = await scene.startObserver();
    scene.sender.publish(observeSubject("digits"), Uint8Array.of(0xff));
    for (let message = 0; message < 10; message += 1) scene.send(bytesInput(20, 20 * message));
    const received = (): unknown => (observer.stats()["messages"] as Record<string, number>)["received"];
    await waitFor(() => received() === 11, "the messages");
    await scene.clock.advance(SLOT_MS + 1);
    expect(await scene.logged()).toHaveLength(PER_SLOT);
    expect(observer.stats()["messages"]).toMatchObject({ undecodable: 1 });
    const { data } = await scene.sender.request("$SRV.INFO.kn-observer", new Uint8Array(0));
    expect(new TextDecoder().decode(data)).toContain(observeSubject("digits"));
  });
});
