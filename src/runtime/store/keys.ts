/** Names in a store: dot-separated tokens of `[A-Za-z0-9_-]`, as in subjects, so that one name is safe in both adapters. */
import { KnowledgeNetError } from "../../errors/index.ts";

const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** @throws KnowledgeNetError KN_CONFIG when `name` is not a plain name. */
export function assertName(what: string, name: string): void {
  if (name.length <= 200 && name.split(".").every((token) => TOKEN.test(token))) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `use ${what}`,
    rule: "it must be dot-separated tokens of letters, digits, '_' and '-'",
    value: JSON.stringify(name.slice(0, 100)),
  });
}

/** The refusal of a compare-and-set. */
export function fenced(bucket: string, key: string, rule: string, revision: number | undefined): KnowledgeNetError {
  return new KnowledgeNetError("KN_FENCED", {
    attempt: `change ${bucket}/${key}`,
    rule,
    value: revision === undefined ? "absent" : `revision ${revision}`,
    remedy: "read it again and decide anew",
  });
}
