/** A SHA-256 digest: 64 lower-case hex digits here, 32 bytes on the wire. */
import { refusal } from "../wire/refusal.ts";

const HEX = /^[0-9a-f]{64}$/;

/** @throws RangeError when it is none */
export function bytesOfDigest(hex: string): Uint8Array {
  if (!HEX.test(hex)) throw new RangeError(`Cannot send the digest ${hex}: it must be 64 lower-case hex digits`);
  return Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16));
}

/** @throws KnowledgeNetError KN_DECODE */
export function hexOfDigest(attempt: string, name: string, bytes: Uint8Array | null | undefined): string {
  if (bytes?.length !== 32) throw refusal(attempt, `${name} must have 32 bytes`, bytes?.length ?? 0);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
