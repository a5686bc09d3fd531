import { expect, it } from "vitest";
import { ERROR_CODES, KnowledgeNetError } from "../../../src/errors/index.ts";
import { isRetryable } from "../../../src/fleet/retryable.ts";

const parts = { attempt: "write", rule: "none" };

it("isRetryable: a store that is away, a concurrent write and a full disk may pass; all else stays", () => {
  const retried = ERROR_CODES.filter((code) => isRetryable(new KnowledgeNetError(code, parts)));
  expect(retried).toEqual(["KN_UNAVAILABLE", "KN_FENCED"]);
  expect(isRetryable(new KnowledgeNetError("KN_CHECKPOINT", { ...parts, mayPass: true }))).toBe(true);
  for (const bug of [new TypeError("oops"), "oops", undefined]) expect(isRetryable(bug)).toBe(false);
});
