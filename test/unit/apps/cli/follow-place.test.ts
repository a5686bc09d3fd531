import { describe, expect, it } from "vitest";
import { followPlace } from "../../../../src/apps/cli/follow-place.ts";

const DEFAULTS = { bus: "memory", backend: "auto", json: false, nodes: "here", detach: false } as const;
const FLEET = "nats://127.0.0.1:4222";

describe("followPlace", () => {
  it("is this process, with the models in a folder, unless a server is named", () => {
    expect(followPlace(DEFAULTS)).toEqual({ bus: undefined, models: "models", spawned: undefined, replicas: "here" });
    expect(followPlace({ ...DEFAULTS, bus: FLEET })).toMatchObject({ bus: FLEET, models: undefined, replicas: "here" });
    expect(followPlace({ ...DEFAULTS, bus: FLEET, models: "m" })).toMatchObject({ bus: FLEET, models: "m" });
  });

  it("starts nodes, which take the models from the folder, or from the store of the server that they join", () => {
    const own = { bus: undefined, models: "m", spawned: 2, replicas: "fleet" };
    expect(followPlace({ ...DEFAULTS, nodes: "spawn:2", models: "m" })).toEqual(own);
    expect(followPlace({ ...DEFAULTS, nodes: "spawn:2", bus: FLEET })).toMatchObject({ bus: FLEET, models: undefined });
  });

  it("has the replicas on the nodes of a fleet", () => {
    const place = { bus: FLEET, models: undefined, spawned: undefined, replicas: "fleet" };
    expect(followPlace({ ...DEFAULTS, nodes: "fleet", bus: FLEET })).toEqual(place);
  });

  it.each([
    [{ nodes: "fleet" }, /a fleet's nodes must come with its --bus.*no address/],
    [{ nodes: "fleet", bus: FLEET, models: "m" }, /in whose store the models are.*models in m/],
    [{ nodes: "spawn:2", bus: FLEET, models: "m" }, /in whose store the models are.*models in m/],
    [{ nodes: "spawn" }, /--nodes must be `here`, `fleet` or `spawn:<number of nodes>`/],
    [{ detach: true, nodes: "fleet", bus: FLEET }, /--detach is for other kinds/],
    [{ json: true }, /--json is for runs that end.*kn replay NAME --json/],
    [{ dryRun: true }, /--dry-run is for other kinds/],
    [{ bus: "ann:SECRET@host:4222" }, /--bus must be a URL.*current value is host:4222/],
  ])("throws KN_CONFIG for %o", (options, message) => {
    expect(() => followPlace({ ...DEFAULTS, ...options })).toThrow(/KN_CONFIG/);
    expect(() => followPlace({ ...DEFAULTS, ...options })).toThrow(message);
  });
});
