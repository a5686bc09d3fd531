import { createServer } from "node:net";
import { writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connectNatsBus } from "../../src/runtime/bus/index.ts";
import {
  describeWithNats,
  freePort,
  natsServerPath,
  startConfiguredNats,
  startTestNats,
} from "../support/nats-server.ts";
import { SELF_SIGNED_CERTIFICATE, SELF_SIGNED_KEY } from "../support/self-signed.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const NOTHING = new Uint8Array(0);
const FAST = { reconnectWaitMs: 20, reconnectJitterMs: 0 };

describeWithNats("connectNatsBus", () => {
  it("rejects with KN_UNAVAILABLE that names the URL, without credentials, when no server answers", async () => {
    const port = await freePort();
    const connecting = connectNatsBus({
      servers: `nats://ann:secret@127.0.0.1:${port}`,
      name: "test",
      connectTimeoutMs: 300,
    });
    await expect(connecting).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      attempt: `connect to nats://127.0.0.1:${port}`,
      remedy: expect.stringContaining("start the server") as string,
      message: expect.not.stringContaining("secret") as string,
    });
  });

  it("rejects with KN_UNAVAILABLE in time when the server takes the connection and says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const connecting = connectNatsBus({ servers: `nats://127.0.0.1:${port}`, name: "test", connectTimeoutMs: 300 });
    await expect(connecting).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    silent.close();
  });

  it("rejects with the signal's reason on abort", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const connecting = connectNatsBus({
      servers: `nats://127.0.0.1:${await freePort()}`,
      name: "test",
      signal: controller.signal,
    });
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });

  it("waits for a server that starts meanwhile", async () => {
    await using server = await startTestNats();
    await server.crash();
    const connecting = connectNatsBus({ servers: server.url, name: "test" });
    await server.restart();
    await using bus = await connecting;
    await bus.flush();
    expect(bus.description).toBe(server.url);
  });

  it("uses the credentials of the URL and does not print them; wrong ones reject with KN_CONFIG at once", async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    const config = join(folder.path, "server.conf");
    await writeFile(config, `host: 127.0.0.1\nport: ${port}\nauthorization { user: ann, password: "12345" }\n`);
    const server = spawn(natsServerPath ?? "", ["--config", config], { stdio: "ignore" });
    try {
      await using bus = await connectNatsBus({ servers: `nats://ann:12345@127.0.0.1:${port}`, name: "test" });
      await bus.flush();
      expect(bus.description).toBe(`nats://127.0.0.1:${port}`);
      const refused = connectNatsBus({
        servers: `nats://ann:54321@127.0.0.1:${port}`,
        name: "test",
        connectTimeoutMs: 60_000,
      });
      await expect(refused).rejects.toMatchObject({
        code: "KN_CONFIG",
        message: expect.not.stringContaining("54321") as string,
      });
    } finally {
      server.kill("SIGKILL");
    }
  });
});

describeWithNats("TLS", () => {
  const serverWithTls = async () => {
    const folder = await temporaryFolder();
    const [certFile, keyFile] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
    await writeFile(certFile, SELF_SIGNED_CERTIFICATE);
    await writeFile(keyFile, SELF_SIGNED_KEY);
    const server = await startConfiguredNats([`tls { cert_file: "${certFile}", key_file: "${keyFile}" }`]);
    return {
      port: server.port,
      certFile,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  };
  /** Beyond what the test would wait for. */
  const connectTimeoutMs = 120_000;

  it.each(["nats", "tls"])(
    "of a %s:// server with a certificate of its own rejects with KN_CONFIG at once, and names tls.caFile",
    async (scheme) => {
      await using server = await serverWithTls();
      const servers = `${scheme}://127.0.0.1:${server.port}`;
      await expect(connectNatsBus({ servers, name: "test", connectTimeoutMs })).rejects.toMatchObject({
        code: "KN_CONFIG",
        value: expect.stringContaining("self-signed certificate") as string,
        remedy: expect.stringContaining("tls.caFile") as string,
      });
      await using bus = await connectNatsBus({ servers, name: "test", tls: { caFile: server.certFile } });
      await bus.flush();
    },
  );

  it("asked of a plain server rejects with KN_CONFIG at once, and says so", async () => {
    await using server = await startTestNats();
    const servers = server.url.replace("nats://", "tls://");
    await expect(connectNatsBus({ servers, name: "test", connectTimeoutMs })).rejects.toMatchObject({
      code: "KN_CONFIG",
      rule: expect.stringContaining("must offer TLS") as string,
    });
  });
});

describeWithNats("credentials in files", () => {
  it("are used, and read anew when the connection comes back", async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    const config = join(folder.path, "server.conf");
    const passwordFile = join(folder.path, "password");
    const start = async (password: string) => {
      await writeFile(config, `host: 127.0.0.1\nport: ${port}\nauthorization { user: ann, password: "${password}" }\n`);
      return spawn(natsServerPath ?? "", ["--config", config], { stdio: "ignore" });
    };
    await writeFile(passwordFile, "first\n");
    let server = await start("first");
    try {
      await using bus = await connectNatsBus({
        servers: `nats://127.0.0.1:${port}`,
        name: "test",
        user: "ann",
        passwordFile,
        ...FAST,
      });
      let isBack = false;
      bus.on("reconnected", () => {
        isBack = true;
      });
      await writeFile(passwordFile, "second\n");
      server.kill("SIGKILL");
      await new Promise((resolve) => server.once("exit", resolve));
      server = await start("second");
      await waitFor(() => isBack, "the connection with the new password");
      await bus.flush();
    } finally {
      server.kill("SIGKILL");
    }
  });
});

describeWithNats("NatsBus", () => {
  it("goes on after its server was killed and started again on the same port", async () => {
    await using server = await startTestNats();
    await using bus = await connectNatsBus({ servers: server.url, name: "test", ...FAST });
    await using other = await connectNatsBus({ servers: server.url, name: "other", ...FAST });
    const events: string[] = [];
    for (const event of ["disconnected", "reconnected"] as const) bus.on(event, () => void events.push(event));
    let others = 0;
    other.on("reconnected", () => {
      others += 1;
    });
    const seen: string[] = [];
    bus.subscribe("a.*", ({ subject }) => void seen.push(subject), { queue: "group" });
    await bus.service({
      name: "kn-block",
      version: "1.0.0",
      description: "",
      metadata: {},
      endpoints: [],
      stats: () => ({}),
    });
    for (let round = 1; round <= 2; round += 1) {
      await server.crash();
      await waitFor(() => events.length === 2 * round - 1, "disconnected");
      bus.publish("a.lost", NOTHING);
      await server.restart();
      await waitFor(() => events.length === 2 * round && others === round, "reconnected");
      await bus.flush();
      other.publish(`a.${round}`, NOTHING);
      await waitFor(() => seen.includes(`a.${round}`), "the message");
      await other.request("$SRV.PING.kn-block", NOTHING);
    }
    expect(events).toEqual(["disconnected", "reconnected", "disconnected", "reconnected"]);
    expect(bus.stats.reconnects).toBe(2);
  });

  it("keeps to the server's last limit while the server is away", async () => {
    await using server = await startTestNats({ maxPayloadBytes: 1_000 });
    await using bus = await connectNatsBus({ servers: server.url, name: "test", ...FAST });
    expect(bus.maxPayloadBytes).toBe(1_000);
    await server.crash();
    expect(bus.maxPayloadBytes).toBe(1_000);
  });

  it("carries messages of 8 MiB whole and in order", async () => {
    await using server = await startTestNats();
    await using bus = await connectNatsBus({ servers: server.url, name: "test" });
    const size = bus.maxPayloadBytes;
    expect(size).toBe(8 * 1024 * 1024);
    const seen: string[] = [];
    bus.subscribe("big", ({ data }) => void seen.push(`${data.byteLength} ${data[0]} ${data[size - 1]}`));
    await bus.flush();
    for (let i = 1; i <= 4; i += 1) bus.publish("big", new Uint8Array(size).fill(i));
    await waitFor(() => seen.length === 4, "the messages");
    expect(seen).toEqual([1, 2, 3, 4].map((i) => `${size} ${i} ${i}`));
  });

  it("tells onHandlerError of a subscription that the server does not permit", async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    const config = join(folder.path, "server.conf");
    const permissions = `{ publish: ">", subscribe: { deny: "secret.>" } }`;
    await writeFile(
      config,
      `host: 127.0.0.1\nport: ${port}\nauthorization { users: [{ user: ann, password: pw, permissions: ${permissions} }] }\n`,
    );
    const server = spawn(natsServerPath ?? "", ["--config", config], { stdio: "ignore" });
    try {
      const errors: unknown[] = [];
      await using bus = await connectNatsBus(
        { servers: `nats://ann:pw@127.0.0.1:${port}`, name: "test" },
        { onHandlerError: (error, subject) => void errors.push([subject, error]) },
      );
      bus.subscribe("secret.a", () => undefined);
      await waitFor(() => errors.length === 1, "the refusal");
      expect(errors).toMatchObject([["secret.a", { code: "KN_CONFIG" }]]);
      await bus.flush(); // the connection goes on
    } finally {
      server.kill("SIGKILL");
    }
  });
});
