import { describe, expect, it } from "vitest";
import { startAll } from "../../../src/runtime/start-all.ts";

interface Part extends AsyncDisposable {
  readonly name: string;
}

function starts(ended: string[]) {
  const part = (name: string, endError?: Error): Part => ({
    name,
    async [Symbol.asyncDispose]() {
      ended.push(name);
      if (endError !== undefined) throw endError;
    },
  });
  return {
    now: (name: string, endError?: Error) => async () => part(name, endError),
    when: (waited: Promise<void>, name: string) => async () => {
      await waited;
      return part(name);
    },
    never: (error: Error) => async (): Promise<Part> => {
      throw error;
    },
  };
}

describe("startAll", () => {
  it("gives what has started, in order, and ends none", async () => {
    const ended: string[] = [];
    const { now, when } = starts(ended);
    const parts = await startAll([when(Promise.resolve(), "a"), now("b")]);
    expect(parts.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(ended).toEqual([]);
  });

  it("ends those that started before and after one that does not start, then rejects with its error", async () => {
    const ended: string[] = [];
    let open = (): void => undefined;
    const waited = new Promise<void>((resolve) => (open = resolve));
    const { now, when, never } = starts(ended);
    const starting = startAll([now("before"), never(new Error("no memory")), when(waited, "after")]);
    await Promise.resolve();
    open();
    await expect(starting).rejects.toThrow("no memory");
    expect(ended).toEqual(["before", "after"]);
  });

  it("rejects with the first error, whatever fails after it, the ends included", async () => {
    const ended: string[] = [];
    const { now, never } = starts(ended);
    const faulty = now("faulty", new Error("it does not end"));
    const all = startAll([faulty, never(new Error("first")), never(new Error("second")), now("other")]);
    await expect(all).rejects.toThrow("first");
    expect(ended).toEqual(["faulty", "other"]);
  });
});
