import { describe, expect, it } from "vitest";
import { readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { newKeyPair, updaterScene, type UpdaterSceneOptions } from "./updater-scene.ts";

/** A site that serves update 1. */
async function currentScene(options: UpdaterSceneOptions = {}) {
  const scene = await updaterScene(options);
  await scene.learner.put(scene.learner.anchor());
  await scene.site.start();
  await scene.caughtUp();
  return scene;
}

describe("createUpdaterActor, of a candidate on the shelf", () => {
  it("makes it a shadow; its promotion takes no bytes, no weights and no release", async () => {
    const { learner, site, truth, faults, until, caughtUp, shadowed, published } = await currentScene();
    const built = await learner.offer(2);
    await shadowed(built);
    const { live, candidate } = await truth.live();
    expect(candidate).toMatchObject({ mode: "shadow", percent: 100 });
    const { manifest } = await truth.release(candidate?.release ?? 0);
    expect(manifest.origin).toMatchObject({ kind: "continuous", generation: 2 });
    await until(() => site.figures["candidate"] === 2, "its figures");
    expect(site.figures).toMatchObject({ state: "following.current", number: 1, newest: 1, applied: 2 });
    const bytes = site.figures["appliedBytes"];

    let gets = 0;
    faults.cloud.now = ({ kind, operation }) => {
      if (kind === "blobs" && operation === "get") gets += 1;
      return undefined;
    };
    const before = await published();
    await learner.promote(built);
    await caughtUp();
    expect(gets).toBe(0);
    expect(await published()).toEqual(before);
    expect(await truth.live()).toMatchObject({ live: candidate?.release, previous: live });
    expect((await truth.live()).candidate).toBeUndefined();
    await until(() => site.figures["candidate"] === 0, "no candidate");
    expect(site.figures).toMatchObject({ number: 2, newest: 2, applied: 2, appliedBytes: bytes, refused: {} });
    await site.stop();
  });

  it("promotes it without its bytes after a restart too", async () => {
    const { learner, site, faults, caughtUp, shadowed } = await currentScene();
    const built = await learner.offer(2);
    await shadowed(built);
    await site.stop();
    await learner.promote(built);
    let gets = 0;
    faults.cloud.now = ({ kind, operation }) => {
      if (kind === "blobs" && operation === "get") gets += 1;
      return undefined;
    };
    await site.start();
    await caughtUp();
    expect(gets).toBe(0);
    await site.stop();
  });

  it("ends the shadow when it is withdrawn, and takes another update of its number", async () => {
    const { learner, site, truth, shelf, caughtUp, shadowed } = await currentScene();
    await shadowed(await learner.offer(2));
    await shelf.withdraw(2);
    await shadowed(undefined);
    expect((await truth.history()).at(-1)).toMatchObject({ kind: "candidate-ended", by: "kn-updater" });
    await learner.put(learner.next(3));
    await caughtUp();
    expect(site.figures).toMatchObject({ number: 2, refused: {}, fullAsked: 0 });
    await site.stop();
  });

  it("replaces the shadow by another offer, and ends it when another update is promoted", async () => {
    const { learner, site, truth, caughtUp, shadowed } = await currentScene();
    await shadowed(await learner.offer(2));
    await shadowed(await learner.offer(3));
    await learner.put(learner.next(4));
    await caughtUp();
    expect((await truth.live()).candidate).toBeUndefined();
    await shadowed(await learner.offer(5)); // made from what is served now
    await site.stop();
  });

  it("keeps no more releases of offers that are over than of its own in all", async () => {
    const { learner, site, shelf, shadowed, published } = await currentScene();
    for (let value = 2; value <= 8; value += 1) {
      await shadowed(await learner.offer(value));
      await shelf.withdraw(2);
      await shadowed(undefined);
    }
    await site.stop();
    expect((await published()).length).toBeLessThanOrEqual(4);
  });

  it("makes it a shadow once it has caught up", async () => {
    const { learner, site, truth, shadowed } = await currentScene();
    await site.stop();
    await learner.put(learner.next(2));
    const built = await learner.offer(3);
    await site.start();
    await shadowed(built);
    const made = (await truth.history()).slice(-2).map(({ kind, reason }) => `${kind}: ${reason}`);
    expect(made).toEqual(["promoted: update 2", "candidate-started: offer 3"]);
    await site.stop();
  });

  it("leaves the candidate of a person alone, and says so once", async () => {
    const lines: string[] = [];
    const log = { ...silentLogger, info: (_fields: object, message: string) => lines.push(message) };
    const { learner, site, truth, clock, until, caughtUp, published } = await currentScene({ log });
    await truth.startCandidate({ release: 1, mode: "canary", percent: 5 }, { by: "kn promote" });
    const before = await published();
    const built = await learner.offer(2);
    const isSaid = (line: string): boolean => line.includes("no shadow of what is offered");
    await until(() => lines.some(isSaid), "it says so");
    const untilMs = clock.now() + 60_000;
    await until(() => clock.now() >= untilMs, "some looks");
    expect(lines.filter(isSaid)).toHaveLength(1);
    expect((await truth.live()).candidate).toEqual({ release: 1, mode: "canary", percent: 5 });
    expect(await published()).toEqual(before);
    await learner.promote(built);
    await caughtUp();
    await site.stop();
  });

  it("starts no shadow again that somebody has ended", async () => {
    const { learner, site, truth, clock, until, caughtUp, shadowed } = await currentScene();
    const built = await learner.offer(2);
    await shadowed(built);
    await truth.endCandidate({ by: "gateway-0", reason: "errors" });
    await until(() => site.figures["candidate"] === 0, "it sees that");
    const untilMs = clock.now() + 60_000;
    await until(() => clock.now() >= untilMs, "some looks");
    expect(await site.shadow()).toBeUndefined();
    await learner.promote(built);
    await caughtUp();
    await site.stop();
  });

  it("starts it again when what it is made from is live again", async () => {
    const { learner, site, truth, until, shadowed } = await currentScene();
    const { live = 0 } = await truth.live();
    const built = await learner.offer(2);
    await shadowed(built);
    await truth.promote(1, { by: "kn promote" });
    await until(() => site.actor.state === "following.paused", "it pauses");
    await truth.promote(live, { by: "kn promote" });
    await shadowed(built);
    await site.stop();
  });

  it("counts one that is not by a trusted key", async () => {
    const [own, other] = [newKeyPair(), newKeyPair()];
    const trusted = [readTrustedKey(own.publicPem, "own.pub")];
    const { learner, site, shelf, until, caughtUp } = await updaterScene({
      signer: readSigner(own.privatePem, "own"),
      trusted,
    });
    const foreign = await updaterScene({ signer: readSigner(other.privatePem, "other") });
    await learner.put(learner.anchor());
    foreign.learner.anchor();
    await site.start();
    await caughtUp();
    await shelf.offer(foreign.learner.next(2));
    await until(() => (site.figures["refused"] as Record<string, number>)["unknown-signer"] === 1, "it refuses it");
    expect(await site.shadow()).toBeUndefined();
    await site.stop();
  });

  it("is followed by two updaters of one site as by one", async () => {
    const scene = await currentScene();
    const { learner, site, truth, shelf, until, caughtUp, shadowed } = scene;
    const second = scene.another();
    await second.start();
    await shadowed(await learner.offer(2));
    await until(() => [site, second].every(({ figures }) => figures["candidate"] === 2), "both know it");
    await site.stop();
    await shelf.withdraw(2);
    await shadowed(undefined);
    const built = await learner.offer(3);
    await shadowed(built);
    await learner.promote(built);
    await caughtUp();
    expect((await truth.history()).at(-1)).toMatchObject({ reason: "update 2" });
    await second.stop();
  });
});

describe("createUpdaterActor, of a candidate, when it crashes at any write", () => {
  const steps = ["offer", "withdrawal", "replacement", "promotion"] as const;
  it.each(steps)("%s: after the restart it is as if it had not, with one release of each digest", async (step) => {
    for (const kind of ["refused", "unanswered"] as const) {
      for (let writes = 0, isOver = false; !isOver; writes += 1) {
        const { learner, site, shelf, truth, faults, plain, until, shadowed, published } = await currentScene();
        const first = step === "offer" ? undefined : await learner.offer(2);
        await shadowed(first);
        let left = writes;
        let isDown = false;
        faults.site.now = ({ isChange }) => {
          if (isDown) return { kind: "refused" };
          if (!isChange || left-- > 0) return undefined;
          isDown = true;
          return { kind };
        };
        let expected: string | undefined;
        if (step === "withdrawal") await shelf.withdraw(2);
        else if (step === "promotion" && first !== undefined) await learner.promote(first);
        else expected = (await learner.offer(3)).result.digest;
        const record = async (): Promise<{ readonly offered?: { readonly digest: string } }> => {
          const entry = await (await plain.site.kv("kn-updaters")).get("digits");
          return JSON.parse(new TextDecoder().decode(entry?.value)) as {
            readonly offered?: { readonly digest: string };
          };
        };
        const isDone = async (): Promise<boolean> =>
          (await site.digest()) === learner.digest &&
          (await site.shadow()) === expected &&
          (await record()).offered?.digest === expected;
        await until(async () => isDown || (await isDone()), "a crash, or the end");
        isOver = !isDown;
        await site.stop();
        faults.site.now = undefined;
        await site.start();
        await until(isDone, `${step}, cut off at write ${writes}`);
        await until(() => site.actor.state === "following.current", "it is current");
        const digests = await published();
        expect(digests).toHaveLength(new Set(digests).size);
        const changes = (await truth.history()).map((each) => `${each.kind} ${each.candidate?.release ?? each.to}`);
        expect(changes).toHaveLength(new Set(changes).size);
        await site.stop();
      }
    }
  });
});
