import { describe, expect, it } from "vitest";
import { createProgress } from "../../../setup/progress.ts";

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 40, written, write: (text: string) => written.push(text) };
}

describe("createProgress", () => {
  it("writes a line at the start and one at the end of a step where there is no terminal", () => {
    const output = stream(false);
    createProgress(output).step("fetching").end("ok");
    expect(output.written).toHaveLength(2);
    expect(output.written[0]).toBe("  fetching ...\n");
    expect(output.written[1]).toMatch(/^ {2}fetching: ok \(\d+ s\)\n$/);
    expect(output.written.join("")).not.toContain("\u001b");
  });

  it("takes the first end of a step", () => {
    const output = stream(false);
    const step = createProgress(output).step("fetching");
    step.end("ok");
    step.end("failed");
    expect(output.written.join("")).not.toContain("failed");
  });

  it("clears its line on a terminal before it writes one that stays", () => {
    const output = stream(true);
    createProgress(output).step("fetching").end("ok");
    expect(output.written[0]).toBe("\r\u001b[2K");
    expect(output.written[1]).toContain("fetching: ok");
  });
});
