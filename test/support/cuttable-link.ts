/** A TCP link to a port of this machine that a test cuts and mends. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttableLink extends AsyncDisposable {
  readonly port: number;
  /** Bytes that went through, in both directions. */
  readonly bytes: number;
  /** Ends all connections, and refuses new ones. */
  cut(): void;
  mend(): void;
}

export async function openCuttableLink(to: number): Promise<CuttableLink> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let bytes = 0;
  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(to, "127.0.0.1");
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (data) => {
        bytes += data.length;
        other.write(data);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get bytes() {
      return bytes;
    },
    cut,
    mend() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
