/** The facts of a release in its record: manifest and signature, as text. */
import { parseJson } from "../runtime/store/index.ts";
import type { Release } from "../runtime/artifacts/index.ts";
import { layersOfBlocks, type ModelManifest, modelManifestSchema } from "../run-spec/index.ts";
import type { ModelRelease } from "./release.ts";
import { judgeSignature, type ReleaseSignature, type Signer, type TrustedKey } from "./signature.ts";

export interface NumberedManifest {
  readonly release: number;
  readonly digests: readonly string[];
  readonly manifest: ModelManifest;
}

/** The metadata of a release's record. */
export function encodeFacts(
  { release, digests, manifest }: NumberedManifest,
  signer?: Signer,
): Readonly<Record<string, string>> {
  const text = JSON.stringify(manifest);
  const { model } = manifest;
  return { manifest: text, ...signer?.sign({ model, release, digests, manifest: text }) };
}

/** @returns undefined when the record is not that of a release of `model` in this version */
export function parseFacts(model: string, record: Release, trusted: readonly TrustedKey[]): ModelRelease | undefined {
  const { release, digests, isPinned, metadata } = record;
  const { manifest: text = "", key, signature } = metadata;
  const manifest = modelManifestSchema.safeParse(parseJson(new TextEncoder().encode(text))).data;
  if (manifest?.model !== model || layersOfBlocks(manifest.network).length !== digests.length) return undefined;
  const given: ReleaseSignature | undefined =
    key === undefined || signature === undefined ? undefined : { key, signature };
  const facts = { model, release, digests, manifest: text };
  return { model, release, digests, manifest, isPinned, signature: judgeSignature(facts, given, trusted) };
}
