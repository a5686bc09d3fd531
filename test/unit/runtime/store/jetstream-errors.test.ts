import { NatsError } from "nats";
import { expect, it } from "vitest";
import { translate } from "../../../../src/runtime/store/jetstream/jetstream-errors.ts";

it.each([
  [10023, "KN_CHECKPOINT", true],
  [10047, "KN_CHECKPOINT", true],
  [10077, "KN_CHECKPOINT", true],
  [10027, "KN_CONFIG", false],
  [10059, "KN_UNAVAILABLE", false],
] as const)("translate: error %i of JetStream is %s, which may pass: %s", (errCode, code, mayPass) => {
  const refused = new NatsError("refused", "503");
  refused.api_error = { code: 503, err_code: errCode, description: "refused" };
  expect(translate("nats://here", "write a record", refused)).toMatchObject({ code, mayPass, cause: refused });
});
