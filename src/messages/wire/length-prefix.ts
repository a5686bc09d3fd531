/** Length-delimited fields of protobuf, for the messages that are laid out by hand around their payload. */

/** Bytes of the field: tag (field numbers up to 15), length, content. */
export function fieldSize(contentBytes: number): number {
  let size = 2;
  for (let rest = contentBytes; rest > 0x7f; rest = Math.floor(rest / 128)) size += 1;
  return size + contentBytes;
}

/** Writes tag and length. @returns the position after them. */
export function writePrefix(target: Uint8Array, position: number, field: number, contentBytes: number): number {
  target[position] = (field << 3) | 2;
  let end = position + 1;
  let rest = contentBytes;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) {
    target[end] = (rest % 128) | 0x80;
    end += 1;
  }
  target[end] = rest;
  return end + 1;
}
