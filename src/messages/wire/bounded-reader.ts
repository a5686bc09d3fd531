/**
 * Protobuf decoding that a hostile message cannot make expensive. pbjs's static code reads through a `Reader`; this one
 * counts what it returns, so that memory and time are bounded by the largest valid message and not by the input:
 * - each message has a budget of fields, unknown ones and packed elements included;
 * - a text has at most `MAX_TEXT_BYTES`;
 * - uint64 is decoded to a number and refused above 2^53 - 1, so that no `Long` ever appears;
 * - bytes are decoded to views on the input, never to copies.
 */
import protobuf from "protobufjs/minimal.js";
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { WireCodec } from "../generated/knowledgenet.ts";
import { refusal } from "./refusal.ts";

/**
 * Fields of one message, nested ones and elements of repeated fields together. The largest real one, a Progress with a
 * counter for each reason of a drop, has about a hundred; the rest is room for fields that later versions add.
 */
const MAX_FIELDS = 512;

/** The longest text, the message of a Failure, has 2,048 characters. */
const MAX_TEXT_BYTES = 8192;

class BoundedReader extends protobuf.Reader {
  readonly #maxFields: number;
  #budget: number;

  constructor(data: Uint8Array, maxFields: number) {
    super(data);
    this.#maxFields = maxFields;
    this.#budget = maxFields;
  }

  #spend(): void {
    this.#budget -= 1;
    if (this.#budget < 0) throw new RangeError(`more than ${this.#maxFields} fields`);
  }

  override tag(): number {
    this.#spend();
    return super.tag();
  }

  /** Packed elements, which the base class would push without limit. */
  override uint32s(array: number[] = []): number[] {
    const end = this.uint32() + this.pos;
    if (end > this.len) throw new RangeError("a packed field ends beyond its message");
    while (this.pos < end) {
      this.#spend();
      array.push(this.uint32());
    }
    if (this.pos !== end) throw new RangeError("a packed element ends beyond its field");
    return array;
  }

  override stringVerify(): string {
    const start = this.pos;
    const bytes = this.uint32();
    if (bytes > MAX_TEXT_BYTES) throw new RangeError(`a text of ${bytes} bytes, above ${MAX_TEXT_BYTES}`);
    this.pos = start;
    return super.stringVerify();
  }

  /** Typed `Long` by the base class, which this code never loads. */
  override uint64(): never {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 10; index += 1) {
      if (this.pos >= this.len) throw new RangeError("a varint ends beyond its message");
      const byte = this.buf[this.pos] ?? 0;
      this.pos += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new RangeError("a uint64 above 2^53 - 1");
        return value as never;
      }
      scale *= 128;
    }
    throw new RangeError("a varint of more than 10 bytes");
  }
}

interface DecodeBounds {
  /** The action named in an error: "decode a frame". */
  readonly attempt: string;
  readonly maxBytes: number;
  /** @default 512 */
  readonly maxFields?: number;
}

/**
 * Decodes `data` and passes the fields to `read`, which returns the domain value.
 * @throws KnowledgeNetError KN_DECODE on malformed input or more than `maxBytes`; any KnowledgeNetError of `read`.
 */
export function decodeWire<Fields, Value>(
  codec: WireCodec<Fields>,
  data: Uint8Array,
  { attempt, maxBytes, maxFields = MAX_FIELDS }: DecodeBounds,
  read: (fields: Fields) => Value,
): Value {
  if (data.byteLength > maxBytes) throw refusal(attempt, `it must have at most ${maxBytes} bytes`, data.byteLength);
  // A Buffer's subarrays would be Buffers, whose `slice` is a view: callers get plain arrays for either.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let fields: Fields;
  try {
    fields = codec.decode(new BoundedReader(bytes, maxFields));
  } catch (error) {
    throw refusal(attempt, "it must be well-formed protobuf", error instanceof Error ? error.message : "", error);
  }
  try {
    return read(fields);
  } catch (error) {
    if (isKnowledgeNetError(error)) throw error;
    throw refusal(attempt, "its fields must be readable", error instanceof Error ? error.message : "", error);
  }
}
