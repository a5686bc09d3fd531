/**
 * Messages per second through `NatsBus` against the same payload on the bare client, side by side in one run: both
 * publish through one server to a subscriber on a second connection, in turns. Above the server's max_payload the bare
 * client sends pieces of that size and forgets them; ours are cut with a digest, and joined and verified at the other
 * end.
 */
import { createChunkAssembler, decodeFrame, encodeGradient, splitFrame } from "../../src/messages/index.ts";
import { connectNatsBus } from "../../src/runtime/bus/index.ts";
import { connectNats } from "../../src/runtime/nats/index.ts";
import { median } from "./median.ts";

export interface BusRate {
  readonly payloadBytes: number;
  readonly chunks: number;
  readonly busPerSecond: number;
  readonly barePerSecond: number;
  /** Median over rounds of bus / bare of the same round. */
  readonly ratio: number;
}

const PAYLOADS = [4 * 1024, 256 * 1024, 4 * 1024 * 1024];
const ROUNDS = 7;
/** Bytes per round: enough for a steady state. */
const ROUND_BYTES = 64 * 1024 * 1024;
const MAX_MESSAGES = 4_000;

interface Path {
  /** Sends one tensor. */
  readonly publish: () => void;
  /** Resolves when all tensors of the round have been received. */
  readonly received: () => Promise<void>;
}

const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** A frame of about `bytes`. */
function frameOf(bytes: number): Uint8Array {
  const values = new Float32Array(bytes / 4);
  const header = { run: "bench", sender: "bench", sequence: 1, step: 1, version: 1, fence: 0 };
  return encodeGradient({ header, origin: "true", tensor: { dtype: "f32", shape: [1, values.length], values } }, "raw");
}

export async function measureBusRates(url: string, now: () => number): Promise<BusRate[]> {
  const sender = await connectNatsBus({ servers: url, name: "bench sender" });
  const receiver = await connectNatsBus({ servers: url, name: "bench receiver" });
  const bareSender = (await connectNats({ servers: url, name: "bench bare sender" })).connection;
  const bareReceiver = (await connectNats({ servers: url, name: "bench bare receiver" })).connection;
  const busCount = counter();
  const bareCount = counter();
  let isChunked = false;
  const assembler = createChunkAssembler({});
  receiver.subscribe("bench.bus", ({ data }) => {
    if (!isChunked) {
      busCount.add();
      return;
    }
    const frame = decodeFrame(data, { maxBytes: MAX_FRAME_BYTES });
    // Joined and its digest verified: the whole tensor counts, as its pieces do on the bare client.
    if (frame.kind === "chunk" && assembler.accept(frame.chunk) !== undefined) busCount.add();
  });
  bareReceiver.subscribe("bench.bare", { callback: bareCount.add });
  await receiver.flush();
  await bareReceiver.flush();
  const chunkBytes = sender.maxPayloadBytes;
  try {
    const rates: BusRate[] = [];
    for (const payloadBytes of PAYLOADS) {
      const chunks = Math.ceil(payloadBytes / chunkBytes);
      const piece = new Uint8Array(Math.min(payloadBytes, chunkBytes));
      const messages = Math.min(MAX_MESSAGES, Math.ceil(ROUND_BYTES / payloadBytes));
      isChunked = chunks > 1;
      const frame = isChunked ? frameOf(payloadBytes) : piece;
      const bus: Path = {
        publish() {
          for (const part of isChunked ? splitFrame(frame, chunkBytes) : [frame]) sender.publish("bench.bus", part);
        },
        received: () => busCount.reach(messages),
      };
      const bare: Path = {
        publish() {
          for (let chunk = 0; chunk < chunks; chunk += 1) bareSender.publish("bench.bare", piece);
        },
        received: () => bareCount.reach(messages * chunks),
      };
      const rate = async (path: Path): Promise<number> => {
        const startMs = now();
        for (let message = 0; message < messages; message += 1) path.publish();
        await path.received();
        return messages / ((now() - startMs) / 1000);
      };
      const rounds: { readonly bus: number; readonly bare: number }[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        // The order alternates from round to round.
        if (round % 2 === 0) rounds.push({ bus: await rate(bus), bare: await rate(bare) });
        else {
          const first = await rate(bare);
          rounds.push({ bus: await rate(bus), bare: first });
        }
      }
      rates.push({
        payloadBytes,
        chunks,
        busPerSecond: median(rounds.map((round) => round.bus)),
        barePerSecond: median(rounds.map((round) => round.bare)),
        ratio: median(rounds.map((round) => round.bus / round.bare)),
      });
    }
    return rates;
  } finally {
    await Promise.all([sender.close(), receiver.close(), bareSender.close(), bareReceiver.close()]);
  }
}

function counter(): { readonly add: () => void; readonly reach: (messages: number) => Promise<void> } {
  let count = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let onReached: () => void = () => undefined;
  const check = (): void => {
    if (count < wanted) return;
    count -= wanted;
    wanted = Number.POSITIVE_INFINITY;
    onReached();
  };
  return {
    add() {
      count += 1;
      check();
    },
    reach: (messages) =>
      new Promise((resolve) => {
        wanted = messages;
        onReached = resolve;
        check();
      }),
  };
}
