/** Messages between the main thread and a compute worker. */
import { type ErrorCode, KnowledgeNetError } from "../../errors/index.ts";
import type { BackendInfo } from "../backend/index.ts";
import type { TensorData } from "../tensor-data.ts";
import type { ComputeCalls } from "./compute-host.ts";

export type CallName = keyof ComputeCalls;

export interface WorkerRequest {
  readonly id: number;
  readonly name: CallName;
  readonly call: unknown;
}

export type WorkerReply =
  | { readonly kind: "ready"; readonly backend: BackendInfo }
  | { readonly kind: "unusable"; readonly error: PlainError }
  | { readonly kind: "emit"; readonly id: number; readonly activation: TensorData; readonly version: number }
  | { readonly kind: "result"; readonly id: number; readonly result: unknown; readonly computeMs: number }
  | { readonly kind: "error"; readonly id: number; readonly error: PlainError };

/** An error as plain data; structured clone would lose the code. */
export interface PlainError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
  readonly attempt?: string;
  readonly rule?: string;
  readonly value?: string;
  readonly remedy?: string;
}

export function toPlainError(error: unknown): PlainError {
  if (error instanceof KnowledgeNetError) {
    const { code, message, stack, attempt, rule, value, remedy } = error;
    return {
      code,
      message,
      stack,
      attempt,
      rule,
      ...(value === undefined ? {} : { value }),
      ...(remedy === undefined ? {} : { remedy }),
    };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: undefined, message, stack };
}

export function fromPlainError(plain: PlainError): Error {
  const { code, message, stack, attempt, rule, value, remedy } = plain;
  const error =
    code === undefined || attempt === undefined || rule === undefined
      ? new Error(message)
      : new KnowledgeNetError(code, {
          attempt,
          rule,
          ...(value === undefined ? {} : { value }),
          ...(remedy === undefined ? {} : { remedy }),
        });
  if (stack !== undefined) error.stack = stack;
  return error;
}
