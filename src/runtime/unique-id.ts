/** Names that are unique among all processes and machines: of connections, locks, uploads, nodes. */
import { randomUUID } from "node:crypto";

/** 32 hexadecimal digits, 122 bits of them random. */
export function uniqueId(): string {
  return randomUUID().replaceAll("-", "");
}
