/**
 * Ed25519 signatures of releases. Signed is one line of JSON without spaces, in UTF-8:
 *
 *     ["knowledgenet.release.1",<model>,<number>,[<digest of each block>],<manifest, the text as it is stored>]
 *
 * so that weights, manifest, number and model stand and fall together: a release cannot be renamed, renumbered or given
 * other facts. The public key is beside the signature; which keys are trusted is for each reader to say.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { KnowledgeNetError } from "../errors/index.ts";
import type { SignatureState } from "./release.ts";

/** What a signature covers. */
export interface SignedFacts {
  readonly model: string;
  readonly release: number;
  readonly digests: readonly string[];
  /** The manifest as text, as it is stored. */
  readonly manifest: string;
}

export interface ReleaseSignature {
  /** Public key, SPKI in DER, base64. */
  readonly key: string;
  /** base64. */
  readonly signature: string;
}

/** Signs releases. */
export interface Signer {
  readonly keyId: string;
  sign(facts: SignedFacts): ReleaseSignature;
}

/** A public key that releases are accepted from. */
export interface TrustedKey {
  /** For a reader. */
  readonly keyId: string;
  /** SHA-256 of the key in SPKI, lower-case hex. */
  readonly fingerprint: string;
}

const FORMAT = "knowledgenet.release.1";

function signedBytes({ model, release, digests, manifest }: SignedFacts): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([FORMAT, model, release, digests, manifest]));
}

const fingerprintOf = (spki: Uint8Array): string => createHash("sha256").update(spki).digest("hex");

/** Names a key for a reader. */
const keyIdOf = (spki: Uint8Array): string => fingerprintOf(spki).slice(0, 16);

const spkiOf = (key: KeyObject): Uint8Array => key.export({ type: "spki", format: "der" });

/** A new pair: PKCS#8 and SPKI in PEM, as `openssl genpkey -algorithm ed25519` writes them. */
export function newKeyPair(): { readonly privatePem: string; readonly publicPem: string; readonly keyId: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    keyId: keyIdOf(spkiOf(publicKey)),
  };
}

/** @param file where it is from, for a reader. @throws KnowledgeNetError KN_CONFIG when it is no private Ed25519 key */
export function readSigner(pem: string, file: string): Signer {
  const key = readKey(pem, file, "private", createPrivateKey);
  const spki = spkiOf(createPublicKey(key));
  return {
    keyId: keyIdOf(spki),
    sign: (facts) => ({
      key: Buffer.from(spki).toString("base64"),
      signature: sign(null, signedBytes(facts), key).toString("base64"),
    }),
  };
}

/** @param file where it is from, for a reader. @throws KnowledgeNetError KN_CONFIG when it is no public Ed25519 key */
export function readTrustedKey(pem: string, file: string): TrustedKey {
  if (pem.includes("PRIVATE KEY")) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the key ${file}`,
      rule: "a trusted key must be a public one",
      value: "a private key",
      remedy: "name the file with .pub that `kn keys new` wrote beside it",
    });
  }
  const spki = spkiOf(readKey(pem, file, "public", createPublicKey));
  return { keyId: keyIdOf(spki), fingerprint: fingerprintOf(spki) };
}

/** @param trusted empty: any release is accepted that is intact */
export function judgeSignature(
  facts: SignedFacts,
  signature: ReleaseSignature | undefined,
  trusted: readonly TrustedKey[],
): SignatureState {
  const names = trusted.map(({ keyId }) => keyId).join(", ");
  if (signature === undefined) {
    if (trusted.length === 0) return { kind: "unsigned" };
    return { kind: "refused", rule: `it must be signed by a key that is trusted here (${names})`, value: "unsigned" };
  }
  const spki = Buffer.from(signature.key, "base64");
  const keyId = keyIdOf(spki);
  if (!isIntact(facts, spki, signature.signature)) {
    const rule = "its signature must be that of its number, weights and manifest";
    return { kind: "refused", rule, value: `another one, by key ${keyId}`, keyId };
  }
  if (trusted.length === 0) return { kind: "signed", keyId };
  const fingerprint = fingerprintOf(spki);
  if (trusted.some((each) => each.fingerprint === fingerprint)) return { kind: "trusted", keyId };
  return { kind: "refused", rule: `it must be signed by a key that is trusted here (${names})`, value: keyId, keyId };
}

function isIntact(facts: SignedFacts, spki: Buffer, signature: string): boolean {
  try {
    const key = createPublicKey({ key: spki, type: "spki", format: "der" });
    return (
      key.asymmetricKeyType === "ed25519" && verify(null, signedBytes(facts), key, Buffer.from(signature, "base64"))
    );
  } catch {
    return false; // not a key
  }
}

function readKey(pem: string, file: string, what: string, parse: (pem: string) => KeyObject): KeyObject {
  const refuse = (value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the key ${file}`,
      rule: `it must be a ${what} Ed25519 key in PEM`,
      value,
      remedy: "`kn keys new FILE` makes a pair",
      ...(cause === undefined ? {} : { cause }),
    });
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
  if (key.asymmetricKeyType !== "ed25519") throw refuse(key.asymmetricKeyType ?? "of no known kind");
  return key;
}
