import { describe, expect, it } from "vitest";
import { parseServers } from "../../../../src/runtime/nats/servers.ts";

describe("parseServers", () => {
  it.each([
    ["nats://127.0.0.1:4222", ["127.0.0.1:4222"], "nats://127.0.0.1:4222", {}],
    ["localhost", ["localhost:4222"], "nats://localhost:4222", {}],
    ["nats://ann:s%40crt@host", ["host:4222"], "nats://host:4222", { user: "ann", pass: "s@crt" }],
    ["nats://12345:67890@host:80", ["host:80"], "nats://host:80", { user: "12345", pass: "67890" }],
    ["nats://token@host:5222", ["host:5222"], "nats://host:5222", { token: "token" }],
    ["nats://[::1]:4222", ["[::1]:4222"], "nats://[::1]:4222", {}],
    ["nats://a:4222, nats://b", ["a:4222", "b:4222"], "nats://a:4222,nats://b:4222", {}],
  ])(
    "separates %s into hosts, credentials and a description without them",
    (servers, hosts, description, credentials) => {
      expect(parseServers(servers)).toEqual({ hosts, description, credentials, isTls: false });
    },
  );

  it("asks for TLS when a URL begins with tls://", () => {
    expect(parseServers(["tls://host"])).toMatchObject({ isTls: true, description: "tls://host:4222" });
  });

  it.each(["http://host", "ws://host", "nats://", "nats://ann:secret@", "nats://ann:secret@a b"])(
    "rejects %s with KN_CONFIG, without its password",
    (servers) => {
      expect(() => parseServers(servers)).toThrow(
        expect.objectContaining({ code: "KN_CONFIG", message: expect.not.stringContaining("secret") as string }),
      );
    },
  );

  it.each(["nats://ann:s%ecret@host", "nats://s%ecret@host", "nats://ann%:secret@host"])(
    "rejects %s, which is not percent-encoded, with KN_CONFIG and without its password",
    (servers) => {
      expect(() => parseServers(servers)).toThrow(
        expect.objectContaining({
          code: "KN_CONFIG",
          rule: expect.stringContaining("%25") as string,
          message: expect.not.stringMatching(/s%?ecret/) as string,
        }),
      );
    },
  );
});
