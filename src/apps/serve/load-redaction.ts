/** A redaction of the operator's: a module that is run on each chosen input before it leaves the process. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { KnowledgeNetError } from "../../errors/index.ts";

/** As long as the payload; undefined withholds the input. */
export type Redact = (payload: Uint8Array) => Uint8Array | undefined;

/** Rejects with KN_CONFIG when the file is no ES module that exports a function `redact`. */
export async function loadRedaction(file: string): Promise<Redact> {
  const refuse = (rule: string, value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `load the redaction ${file}`,
      rule,
      value,
      remedy: "export function redact(payload) { return payload; } // as long, or undefined",
      ...(cause === undefined ? {} : { cause }),
    });
  let exported: { readonly redact?: unknown };
  try {
    exported = (await import(pathToFileURL(resolve(file)).href)) as typeof exported;
  } catch (error) {
    throw refuse("it must be an ES module", error instanceof Error ? error.message : String(error), error);
  }
  const { redact } = exported;
  if (typeof redact === "function") return redact as Redact;
  throw refuse("it must export a function `redact`", typeof redact);
}
