/** Random faults of both stores, restarts, offers, and promotions by hand: what is live is always the learner's, or somebody's choice. */
import { expect, it } from "vitest";
import type { BuiltUpdate } from "../../../../src/models/updates/index.ts";
import { randomFrom } from "../../../support/random.ts";
import { randomFaults } from "../../../support/failing-store.ts";
import { updaterScene } from "./updater-scene.ts";

const SEEDS = 10;
const UPDATES = 8;

it(`an updater ends at the learner's digest after any faults (${SEEDS} seeds)`, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const draw = randomFrom(seed);
    const { learner, site, shelf, truth, faults, until, clock, caughtUp, shadowed } = await updaterScene();
    const rate = 0.02 + 0.1 * draw();
    faults.cloud.now = randomFaults({ draw, rate });
    faults.site.now = randomFaults({ draw, rate });
    const digests = new Set<string | undefined>([await site.digest()]);
    await learner.put(learner.anchor());
    digests.add(learner.digest);
    await site.start();
    let offered: BuiltUpdate | undefined;
    for (let update = 0; update < UPDATES; update += 1) {
      const kind = draw();
      if (offered !== undefined && kind > 0.6) {
        digests.add(offered.result.digest);
        await learner.promote(offered);
      } else {
        const built = kind < 0.15 ? learner.anchor() : learner.next(draw());
        digests.add(learner.digest);
        if (kind > 0.1) await learner.put(built).catch(() => undefined); // an anchor of a number that has another one
      }
      offered = draw() < 0.6 ? await learner.offer(draw()) : undefined;
      if (offered === undefined) await shelf.withdraw(learner.number + 1);
      if (draw() < 0.2) await truth.promote(1, { by: "kn promote" });
      if (draw() < 0.3) await site.stop().then(() => site.start());
      const restsUntilMs = clock.now() + draw() * 20_000;
      await until(async () => {
        expect(digests, `seed ${seed}`).toContain(await site.digest());
        return clock.now() >= restsUntilMs;
      }, "some time");
    }
    faults.cloud.now = undefined;
    faults.site.now = undefined;
    await learner.put(learner.anchor()).catch(() => undefined);
    await learner.put(learner.next(9));
    await caughtUp();
    await until(() => site.actor.state === "following.current", `it is current (seed ${seed})`);
    expect(await site.shadow(), `seed ${seed}`).toBeUndefined();
    const last = await learner.offer(10);
    await shadowed(last);
    await site.stop();
  }
});
