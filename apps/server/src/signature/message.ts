/**
 * HTTP message signatures of requests (RFC 9421) with Ed25519, and content digests (RFC 9530) with SHA-256. Signer and
 * verifier share the signature base; what must be covered, and for how long a signature counts, is policy here and not
 * the signer's choice (spec/9-http.md).
 */
import { equalBytes, platform, sha256, tagOf, utf8 } from "@chartseal/crypto";
import { byteSequence, formatSignatureInput, parseByteSequence } from "./fields.ts";

/** A request as it is signed. `authority`: host, and port where it is not the scheme's own; `target`: path and query. */
export interface SignedMessage {
  readonly method: string;
  readonly authority: string;
  readonly target: string;
  /** The value of a header field by its lower-case name. */
  readonly field: (name: string) => string | undefined;
}

/** What every request's signature covers. */
export const requiredComponents = ["@method", "@authority", "@path", "@query"] as const;
/** Covered as well where there is a body. */
export const bodyComponent = "content-digest";
/** Covered as well where they are there: what a resumable upload says of itself, and what is read of a resource. */
export const coveredFields = ["upload-offset", "upload-complete", "range", "if-range"] as const;
/** The value of the parameter `tag`: no signature made for another protocol counts here. */
export const signatureTag = new TextDecoder().decode(tagOf("server/request")).slice(0, -1);
/** Longest life of a signature, in seconds. */
export const lifetimeSecondsMax = 300;

/** The value of one component, or undefined where the message has none. */
function componentValue(name: string, message: SignedMessage): string | undefined {
  const at = message.target.indexOf("?");
  switch (name) {
    case "@method":
      return message.method;
    case "@authority":
      return message.authority.toLowerCase();
    case "@path":
      return (at < 0 ? message.target : message.target.slice(0, at)) || "/";
    case "@query":
      return at < 0 ? "?" : message.target.slice(at);
    default:
      return name.startsWith("@") ? undefined : message.field(name)?.trim();
  }
}

/** The bytes that are signed (RFC 9421 §2.5); undefined where a covered component is missing or holds a line break. */
export function signatureBase(
  components: readonly string[],
  parametersText: string,
  message: SignedMessage,
): Uint8Array | undefined {
  const lines: string[] = [];
  for (const name of components) {
    const value = componentValue(name, message);
    if (value === undefined || /[\r\n]/.test(value) || !value.isWellFormed()) return undefined;
    lines.push(`"${name}": ${value}\n`);
  }
  return utf8(`${lines.join("")}"@signature-params": ${parametersText}`);
}

/** The header Content-Digest of a body. */
export function contentDigest(body: Uint8Array): string {
  return byteSequence("sha-256", sha256(body));
}

/** Whether a header Content-Digest is the SHA-256 of this body, and says nothing else. */
export function isContentDigest(header: string, body: Uint8Array): boolean {
  const parsed = parseByteSequence(header);
  return parsed?.label === "sha-256" && equalBytes(parsed.bytes, sha256(body));
}

/** Who signs: an account (40 hex), or a key of this machine by itself (64 hex). */
export interface RequestSigner {
  readonly keyId: string;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
}

/** The headers that sign a request; `body` undefined or empty for none. Of `fields` those are covered that must be. */
export function signRequest(
  signer: RequestSigner,
  request: Omit<SignedMessage, "field"> & {
    readonly body?: Uint8Array;
    readonly fields?: Readonly<Record<string, string>>;
  },
  moment: { readonly nowMs: number; readonly nonce: string; readonly lifetimeSeconds?: number },
): Record<string, string> {
  const { body, fields = {} } = request;
  const digest = body === undefined || body.length === 0 ? undefined : contentDigest(body);
  const components = [
    ...requiredComponents,
    ...(digest === undefined ? [] : [bodyComponent]),
    ...coveredFields.filter((name) => fields[name] !== undefined),
  ];
  const created = Math.floor(moment.nowMs / 1000);
  const text = formatSignatureInput(components, {
    created,
    expires: created + (moment.lifetimeSeconds ?? 60),
    nonce: moment.nonce,
    keyid: signer.keyId,
    alg: "ed25519",
    tag: signatureTag,
  });
  const base = signatureBase(components, text, {
    ...request,
    field: (name) => (name === bodyComponent ? digest : fields[name]),
  });
  const signature = platform.ed25519Sign(signer.seed, base!);
  return {
    ...(digest === undefined ? {} : { "content-digest": digest }),
    "signature-input": `chartseal=${text}`,
    signature: byteSequence("chartseal", signature),
  };
}
