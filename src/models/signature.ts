/**
 * Ed25519 signatures of releases. Signed is one line of JSON without spaces, in UTF-8:
 *
 *     ["knowledgenet.release.1",<model>,<number>,[<digest of each block>],<manifest, the text as it is stored>]
 *
 * so that weights, manifest, number and model stand and fall together: a release cannot be renamed, renumbered or given
 * other facts. The public key is beside the signature; which keys are trusted is for each reader to say.
 *
 * The same keys sign the updates of devices: "knowledgenet.update.1\n" and the bytes of the update as they are sent.
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

/** Beside an update. */
export interface UpdateSignature {
  /** Public key, SPKI in DER. */
  readonly key: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signs releases and updates. */
export interface Signer {
  readonly keyId: string;
  sign(facts: SignedFacts): ReleaseSignature;
  /** @param update the bytes that are sent */
  signUpdate(update: Uint8Array): UpdateSignature;
}

/** A public key that releases are accepted from. */
export interface TrustedKey {
  /** For a reader. */
  readonly keyId: string;
  /** SHA-256 of the key in SPKI, lower-case hex. */
  readonly fingerprint: string;
}

const FORMAT = "knowledgenet.release.1";
const UPDATE_PREFIX = new TextEncoder().encode("knowledgenet.update.1\n");

function signedBytes({ model, release, digests, manifest }: SignedFacts): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([FORMAT, model, release, digests, manifest]));
}

function signedUpdateBytes(update: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(UPDATE_PREFIX.length + update.length);
  bytes.set(UPDATE_PREFIX);
  bytes.set(update, UPDATE_PREFIX.length);
  return bytes;
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
    signUpdate: (update) => ({ key: spki, signature: sign(null, signedUpdateBytes(update), key) }),
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
  const given = signature && {
    key: Buffer.from(signature.key, "base64"),
    signature: Buffer.from(signature.signature, "base64"),
  };
  return judge(() => signedBytes(facts), given, trusted, "its number, weights and manifest");
}

/** @param trusted empty: any update is accepted that is intact */
export function judgeUpdateSignature(
  update: Uint8Array,
  signature: UpdateSignature | undefined,
  trusted: readonly TrustedKey[],
): SignatureState {
  return judge(() => signedUpdateBytes(update), signature, trusted, "its bytes");
}

/** @param what is signed, for a reader */
function judge(
  signed: () => Uint8Array,
  given: UpdateSignature | undefined,
  trusted: readonly TrustedKey[],
  what: string,
): SignatureState {
  const names = trusted.map(({ keyId }) => keyId).join(", ");
  if (given === undefined) {
    if (trusted.length === 0) return { kind: "unsigned" };
    return { kind: "refused", rule: `it must be signed by a key that is trusted here (${names})`, value: "unsigned" };
  }
  const keyId = keyIdOf(given.key);
  if (!isIntact(signed(), given)) {
    const rule = `its signature must be that of ${what}`;
    return { kind: "refused", rule, value: `another one, by key ${keyId}`, keyId };
  }
  if (trusted.length === 0) return { kind: "signed", keyId };
  const fingerprint = fingerprintOf(given.key);
  if (trusted.some((each) => each.fingerprint === fingerprint)) return { kind: "trusted", keyId };
  return { kind: "refused", rule: `it must be signed by a key that is trusted here (${names})`, value: keyId, keyId };
}

function isIntact(signed: Uint8Array, { key, signature }: UpdateSignature): boolean {
  try {
    const spki = createPublicKey({ key: Buffer.from(key), type: "spki", format: "der" });
    return spki.asymmetricKeyType === "ed25519" && verify(null, signed, spki, signature);
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
