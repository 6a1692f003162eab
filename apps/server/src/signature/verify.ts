/**
 * Whether a request is signed by whom it names: the demands on a signature in the order in which they are checked, and
 * protection against replay. A nonce is remembered for as long as its signature could count; none counts that was made
 * before this process began, so that a restart forgets nothing.
 */
import { ChartsealError, platform } from "@chartseal/crypto";
import { parseByteSequence, parseSignatureInput, type SignatureInput } from "./fields.ts";
import {
  bodyComponent,
  coveredFields,
  isContentDigest,
  lifetimeSecondsMax,
  requiredComponents,
  type SignedMessage,
  signatureBase,
  signatureTag,
} from "./message.ts";

/** How far a signer's clock may be ahead, in seconds. */
export const skewSecondsMax = 30;
/** Nonces that are remembered at once; beyond it requests wait for earlier ones to lapse. */
export const noncesMax = 200_000;
const fieldLengthMax = 1024;

export interface SignedRequest extends SignedMessage {
  /** The body as it was received; empty for none. */
  readonly body: Uint8Array;
}

/** Remembers nonces of valid signatures until they lapse. */
export class Nonces {
  readonly #expiry = new Map<string, number>();
  readonly #max: number;

  constructor(max: number = noncesMax) {
    this.#max = max;
  }

  /** True the first time. @throws ChartsealError `rate-limited` where no more can be remembered */
  take(key: string, expiresSeconds: number, nowSeconds: number): boolean {
    const known = this.#expiry.get(key);
    if (known !== undefined && known >= nowSeconds) return false;
    if (this.#expiry.size >= this.#max) this.#forget(nowSeconds);
    if (this.#expiry.size >= this.#max)
      throw new ChartsealError("rate-limited", "too many signed requests at once");
    this.#expiry.set(key, expiresSeconds);
    return true;
  }

  #forget(nowSeconds: number): void {
    for (const [key, expires] of this.#expiry) if (expires < nowSeconds) this.#expiry.delete(key);
  }

  get size(): number {
    return this.#expiry.size;
  }
}

export interface Verifier {
  readonly nonces: Nonces;
  /** When this process began: earlier signatures may have been used already. */
  readonly startedMs: number;
  now(): number;
  /** The Ed25519 key that a keyid names now, 32 bytes, or undefined. */
  keyOf(keyId: string): Promise<Uint8Array | undefined>;
}

type Fault =
  | "missing"
  | "form"
  | "components"
  | "digest"
  | "algorithm"
  | "time"
  | "expired"
  | "key"
  | "signature"
  | "replayed";

const sentences: Readonly<Record<Fault, string>> = {
  missing: "the request is not signed",
  form: "the signature's headers are malformed",
  components: "the signature does not cover what it must",
  digest: "the body is not the one that was signed",
  algorithm: "the signature is of another algorithm or purpose",
  time: "the signature's times do not fit the server's clock",
  expired: "the signature has expired",
  key: "the signing key is not known",
  signature: "the request's signature does not verify",
  replayed: "the request was answered already",
};

function refuse(part: Fault): never {
  throw new ChartsealError("signature-invalid", sentences[part], { data: { part } });
}

/** The keyid of a valid signature. @throws ChartsealError `signature-invalid`, data {part}; `rate-limited` */
export async function verifyRequest(verifier: Verifier, request: SignedRequest): Promise<string> {
  const [inputField, signatureField] = [request.field("signature-input"), request.field("signature")];
  if (inputField === undefined || signatureField === undefined) refuse("missing");
  if (inputField.length > fieldLengthMax || signatureField.length > fieldLengthMax) refuse("form");
  const input = parseSignatureInput(inputField);
  const signature = parseByteSequence(signatureField);
  if (input === undefined || signature === undefined || signature.label !== input.label) refuse("form");
  checkCoverage(input, request);
  const { keyId, nonce, expires } = checkParameters(verifier, input);
  const key = await verifier.keyOf(keyId);
  if (key === undefined) refuse("key");
  const base = signatureBase(input.components, input.text, request);
  if (base === undefined) refuse("components");
  if (!platform.ed25519Verify(key, base, signature.bytes)) refuse("signature");
  const nowSeconds = verifier.now() / 1000;
  if (!verifier.nonces.take(`${keyId} ${nonce}`, expires, nowSeconds)) refuse("replayed");
  return keyId;
}

function checkCoverage({ components }: SignatureInput, request: SignedRequest): void {
  if (!requiredComponents.every((name) => components.includes(name))) refuse("components");
  // A field that came twice reads as absent here, and is read by no route.
  if (coveredFields.some((name) => request.field(name) !== undefined && !components.includes(name)))
    refuse("components");
  const digest = request.field(bodyComponent);
  const covers = components.includes(bodyComponent);
  if (request.body.length > 0 && !covers) refuse("components");
  if (covers && (digest === undefined || !isContentDigest(digest, request.body))) refuse("digest");
}

/** The parameters' own demands, the clock among them. */
function checkParameters(
  verifier: Verifier,
  { parameters }: SignatureInput,
): { keyId: string; nonce: string; expires: number } {
  if (parameters.get("alg") !== "ed25519" || parameters.get("tag") !== signatureTag) refuse("algorithm");
  const keyId = parameters.get("keyid");
  if (typeof keyId !== "string" || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(keyId)) refuse("key");
  const nonce = parameters.get("nonce");
  if (typeof nonce !== "string" || !/^[0-9A-Za-z_-]{16,64}$/.test(nonce)) refuse("form");
  const [created, expires] = [parameters.get("created"), parameters.get("expires")];
  if (typeof created !== "number" || typeof expires !== "number") refuse("form");
  const nowSeconds = verifier.now() / 1000;
  const lives = expires - created;
  if (lives <= 0 || lives > lifetimeSecondsMax || created > nowSeconds + skewSecondsMax) refuse("time");
  if (created < Math.floor(verifier.startedMs / 1000)) refuse("time");
  if (expires < nowSeconds) refuse("expired");
  return { keyId, nonce, expires };
}
