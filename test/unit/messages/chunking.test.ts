import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeChunk } from "../../../src/messages/frame/chunk.ts";
import {
  type Chunk,
  createChunkAssembler,
  decodeFrame,
  largestFrameBytes,
  splitFrame,
} from "../../../src/messages/index.ts";

const decodeError = expect.objectContaining({ code: "KN_DECODE" });

/** Bytes that differ from piece to piece, and from seed to seed. */
function frame(bytes: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (seed + index * 31) % 251);
}

function chunksOf(whole: Uint8Array, maxPayloadBytes: number): Chunk[] {
  return splitFrame(whole, maxPayloadBytes).map((part) => {
    const decoded = decodeFrame(part);
    if (decoded.kind !== "chunk") throw new Error(`a frame of ${decoded.kind}`);
    return decoded.chunk;
  });
}

describe("splitFrame", () => {
  it("gives the frame itself when it fits", () => {
    const whole = frame(300);
    expect(splitFrame(whole, 300)).toEqual([whole]);
    expect(splitFrame(whole, 300)[0]).toBe(whole);
  });

  it("gives pieces of which none is larger than a message may be", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 140, max: 4000 }),
        fc.integer({ min: 0, max: 40_000 }),
        (maxPayloadBytes, bytes) => {
          for (const part of splitFrame(frame(bytes), maxPayloadBytes))
            expect(part.length).toBeLessThanOrEqual(maxPayloadBytes);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("names a transfer by its content and the size of its pieces", () => {
    const idOf = (whole: Uint8Array, maxPayloadBytes: number) => chunksOf(whole, maxPayloadBytes)[0]?.transferId;
    expect(idOf(frame(1000), 500)).toEqual(idOf(frame(1000), 500));
    expect(idOf(frame(1000), 500)).not.toEqual(idOf(frame(1001), 500));
    // Both cut it into three; a piece of one would damage the other.
    expect(idOf(frame(1000), 500)).not.toEqual(idOf(frame(1000), 490));
  });

  it.each([1, 128])("refuses messages of %i bytes, which have no room for a piece", (maxPayloadBytes) => {
    expect(() => splitFrame(frame(1000), maxPayloadBytes)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });

  it("sends up to largestFrameBytes and refuses one byte more", () => {
    const largest = largestFrameBytes(130);
    expect(splitFrame(frame(largest), 130)).toHaveLength(4096);
    expect(() => splitFrame(frame(largest + 1), 130)).toThrow(
      expect.objectContaining({ code: "KN_CONFIG", value: `${largest + 1} bytes` }),
    );
    expect(largestFrameBytes(100)).toBe(100); // whole messages only
  });
});

describe("createChunkAssembler", () => {
  it("joins the pieces in whatever order and however often they come", () => {
    fc.assert(
      fc.property(fc.integer({ min: 600, max: 5000 }), fc.infiniteStream(fc.nat()), (bytes, draws) => {
        const whole = frame(bytes);
        const left = chunksOf(whole, 500);
        const assembler = createChunkAssembler();
        let joined: Uint8Array | undefined;
        while (left.length > 0) {
          expect(joined).toBeUndefined();
          const at = (draws.next().value as number) % left.length;
          const [chunk] = left.splice(at, 1) as [Chunk];
          joined = assembler.accept(chunk);
          if (joined === undefined) expect(assembler.accept(chunk)).toBeUndefined();
        }
        expect(joined).toEqual(whole);
        expect(assembler).toMatchObject({ dropped: 0, heldBytes: 0 });
      }),
      { numRuns: 50 },
    );
  });

  it("keeps copies: the message may be used again", () => {
    const whole = frame(1000);
    const assembler = createChunkAssembler();
    const joined = chunksOf(whole, 500).map((chunk) => {
      const result = assembler.accept(chunk);
      chunk.payload.fill(0);
      return result;
    });
    expect(joined.at(-1)).toEqual(whole);
  });

  it("joins a frame that is retransmitted in full", () => {
    const chunks = chunksOf(frame(1000), 500);
    const assembler = createChunkAssembler();
    const joined = [...chunks, ...chunks].map((chunk) => assembler.accept(chunk));
    expect(joined.filter((result) => result !== undefined)).toHaveLength(2);
  });

  it("completes a frame with pieces of two transmissions", () => {
    const [first, second, third] = chunksOf(frame(1000), 500) as [Chunk, Chunk, Chunk];
    const assembler = createChunkAssembler();
    for (const chunk of [first, third]) expect(assembler.accept(chunk)).toBeUndefined(); // the second is lost
    const retransmitted = [first, second].map((chunk) => assembler.accept(chunk));
    expect(retransmitted).toEqual([undefined, frame(1000)]);
    expect(assembler.heldBytes).toBe(0);
  });

  it("evicts the oldest incomplete frame for a newer one, and counts it", () => {
    const assembler = createChunkAssembler({ maxTransfers: 2 });
    const [first, second, third] = [1, 2, 3].map((seed) => chunksOf(frame(700, seed), 500)) as [
      Chunk[],
      Chunk[],
      Chunk[],
    ];
    for (const chunks of [first, second, third]) assembler.accept(chunks[0] as Chunk);
    expect(assembler.dropped).toBe(1);
    expect(assembler.accept(second[1] as Chunk)).toEqual(frame(700, 2));
    expect(assembler.accept(first[1] as Chunk)).toBeUndefined();
  });

  it("never holds more than maxBytes", () => {
    const assembler = createChunkAssembler({ maxTransfers: 100, maxBytes: 2000 });
    for (let transfer = 0; transfer < 20; transfer += 1) {
      for (const chunk of chunksOf(frame(1500, transfer), 500).slice(1)) {
        assembler.accept(chunk);
        expect(assembler.heldBytes).toBeLessThanOrEqual(2000);
      }
    }
    expect(assembler.dropped).toBeGreaterThan(0);
  });

  it("refuses a whole above maxBytes", () => {
    const [chunk] = chunksOf(frame(1001), 500) as [Chunk];
    expect(() => createChunkAssembler({ maxBytes: 1000 }).accept(chunk)).toThrow(decodeError);
  });

  it("refuses a whole whose bytes are not those of its digest, and forgets it", () => {
    const assembler = createChunkAssembler();
    const [first, ...rest] = chunksOf(frame(800), 500) as [Chunk, ...Chunk[]];
    assembler.accept({ ...first, payload: first.payload.map((byte) => byte ^ 1) });
    expect(() => rest.map((chunk) => assembler.accept(chunk))).toThrow(decodeError);
    expect(assembler).toMatchObject({ dropped: 1, heldBytes: 0 });
  });

  it.each([
    ["count", { count: 5 }],
    ["size", { totalBytes: 801 }],
    ["digest", { digest: new Uint8Array(32) }],
  ])("refuses a piece that announces another %s than the one before, and forgets the whole", (_, changes) => {
    const assembler = createChunkAssembler();
    const [first, second] = chunksOf(frame(800), 500) as [Chunk, Chunk];
    assembler.accept(first);
    expect(() => assembler.accept({ ...second, ...changes })).toThrow(decodeError);
    expect(assembler).toMatchObject({ dropped: 1, heldBytes: 0 });
  });

  it("refuses pieces that are more than their whole", () => {
    const assembler = createChunkAssembler();
    const [first, second] = chunksOf(frame(800), 500) as [Chunk, Chunk];
    assembler.accept(first);
    expect(() => assembler.accept({ ...second, payload: new Uint8Array(700) })).toThrow(decodeError);
  });
});

describe("decodeFrame of a chunk", () => {
  const [whole] = chunksOf(frame(800), 500) as [Chunk];

  it.each<[string, Partial<Chunk>]>([
    ["an id of 15 bytes", { transferId: new Uint8Array(15) }],
    ["a digest of 31 bytes", { digest: new Uint8Array(31) }],
    ["no payload", { payload: new Uint8Array(0) }],
    ["a single piece", { count: 1 }],
    ["an index that is not below the count", { index: whole.count }],
    ["more pieces than an assembler takes", { count: 4097 }],
    ["more payload than the whole", { totalBytes: 100 }],
  ])("refuses %s", (_, changes) => {
    expect(decodeFrame(encodeChunk(whole))).toEqual({ kind: "chunk", chunk: whole });
    expect(() => decodeFrame(encodeChunk({ ...whole, ...changes }))).toThrow(decodeError);
  });
});
