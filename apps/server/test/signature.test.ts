/** Message signatures (RFC 9421): the RFC's own vector, what must be covered, and every way of lying about a request. */
import { concat, ed25519KeyPairFromSeed, hasCode, platform, toHex, utf8 } from "@chartseal/crypto";
import { describe, expect, it } from "vitest";
import { byteSequence, parseByteSequence, parseSignatureInput } from "../src/signature/fields.ts";
import {
  contentDigest,
  isContentDigest,
  type SignedMessage,
  signatureBase,
  signatureTag,
  signRequest,
} from "../src/signature/message.ts";
import { Nonces, type SignedRequest, type Verifier, verifyRequest } from "../src/signature/verify.ts";

/** RFC 9421 B.1.4: the last 32 bytes of the PKCS#8 and SPKI forms of test-key-ed25519. */
const rfcSeed = Uint8Array.from(
  Buffer.from("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF", "base64").subarray(-32),
);
const rfcPublicKey = Uint8Array.from(
  Buffer.from("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=", "base64").subarray(-32),
);

describe("the vectors of the RFCs", () => {
  const fields: Record<string, string> = {
    date: "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-length": "18",
  };
  const message: SignedMessage = {
    method: "POST",
    authority: "example.com",
    target: "/foo?param=Value&Pet=dog",
    field: (name) => fields[name],
  };
  const header =
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
  const signature =
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";

  it("B.2.6: base and Ed25519 signature are the RFC's, byte for byte", () => {
    expect(ed25519KeyPairFromSeed(rfcSeed).publicKey).toEqual(rfcPublicKey);
    const { components, text, parameters, label } = parseSignatureInput(header)!;
    expect([label, parameters.get("created"), parameters.get("keyid")]).toEqual([
      "sig-b26",
      1618884473,
      "test-key-ed25519",
    ]);
    const base = signatureBase(components, text, message)!;
    expect(byteSequence("sig-b26", platform.ed25519Sign(rfcSeed, base))).toBe(signature);
    expect(platform.ed25519Verify(rfcPublicKey, base, parseByteSequence(signature)!.bytes)).toBe(true);
  });

  it("RFC 9530: the SHA-256 digest of its example body", () => {
    const digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    expect(contentDigest(utf8('{"hello": "world"}'))).toBe(digest);
    expect(isContentDigest(digest, utf8('{"hello": "world"}'))).toBe(true);
    expect(isContentDigest(digest, utf8('{"hello": "World"}'))).toBe(false);
  });
});

describe("structured fields are read in one way or not at all", () => {
  const good = '("@method" "@path");created=1;keyid="k"';
  it.each([
    ["no label", good],
    ["two members", `a=${good}, b=${good}`],
    ["a component twice", 'a=("@path" "@path");created=1'],
    ["a component with a parameter", 'a=("@path";req);created=1'],
    ["a component in capitals", 'a=("Date");created=1'],
    ["two spaces", 'a=("@path"  "@method");created=1'],
    ["a parameter twice", 'a=("@path");created=1;created=2'],
    ["a parameter without a value", 'a=("@path");created'],
    ["a space before a parameter", 'a=("@path"); created=1'],
    ["an escape in a string", 'a=("@path");keyid="a\\"b"'],
    ["a decimal", 'a=("@path");created=1.5'],
    ["something after it", `a=${good} `],
    ["no end of the list", 'a=("@path"'],
    ["an open quote", 'a=("@path");keyid="k'],
  ])("%s is refused", (_what, header) => {
    expect(parseSignatureInput(header)).toBeUndefined();
  });

  it.each(["a=:AA=:", "a=:AB==:", "a=:A A=:", "a=::b=::", "a=AA==", "a=:", ":AA==:", "a=:AA==:;p=1"])(
    "%s is no byte sequence",
    (header) => {
      expect(parseByteSequence(header)).toBeUndefined();
    },
  );
});

const nowMs = 1_760_000_000_000;
const seed = new Uint8Array(32).fill(7);
const { publicKey } = ed25519KeyPairFromSeed(seed);
const keyId = "ab".repeat(20);
const otherSeed = new Uint8Array(32).fill(8);

function verifier(changes: Partial<Verifier> = {}): Verifier {
  const keys = new Map([
    [keyId, publicKey],
    ["cd".repeat(20), ed25519KeyPairFromSeed(otherSeed).publicKey],
  ]);
  return {
    nonces: new Nonces(),
    startedMs: nowMs - 60_000,
    now: () => nowMs,
    keyOf: async (id) => keys.get(id),
    ...changes,
  };
}

const body = utf8('{"requestId":"00"}');
const asked = { method: "POST", authority: "server.test:8080", target: "/v1/provider/issues?x=1", body };

function signed(
  changes: {
    nowMs?: number;
    nonce?: string;
    lifetimeSeconds?: number;
    signer?: { keyId: string; seed: Uint8Array };
    request?: Partial<typeof asked>;
  } = {},
): SignedRequest {
  const moment = { nowMs, nonce: "0123456789abcdef", ...changes };
  const headers = signRequest(changes.signer ?? { keyId, seed }, { ...asked, ...changes.request }, moment);
  return { ...asked, ...changes.request, field: (name) => headers[name] };
}

/** What the verifier says: the key, or the part of the signature that it blames. */
async function verdict(request: SignedRequest, by: Verifier = verifier()): Promise<unknown> {
  try {
    return await verifyRequest(by, request);
  } catch (error) {
    if (!hasCode(error, "signature-invalid")) throw error;
    return error.data.part;
  }
}

/** The request with its signature's input rewritten, and signed again by whoever holds `by`. */
function rewritten(request: SignedRequest, change: (text: string) => string, by?: Uint8Array): SignedRequest {
  const input = change(request.field("signature-input")!);
  const parsed = parseSignatureInput(input);
  const base = parsed && signatureBase(parsed.components, parsed.text, request);
  const again =
    by === undefined || base === undefined
      ? request.field("signature")
      : byteSequence(parsed!.label, platform.ed25519Sign(by, base));
  const fields: Record<string, string | undefined> = { "signature-input": input, signature: again };
  return { ...request, field: (name) => fields[name] ?? request.field(name) };
}

describe("a signed request", () => {
  it("is its signer's, with a body and without", async () => {
    expect(await verdict(signed())).toBe(keyId);
    expect(await verdict(signed({ request: { method: "GET", body: new Uint8Array(0) } }))).toBe(keyId);
  });

  it("counts under any label, and with more covered than is asked for", async () => {
    expect(await verdict(rewritten(signed(), (text) => text.replace("chartseal=", "x="), seed))).toBe(keyId);
    const typed = signed();
    const field = (name: string) => (name === "content-type" ? "application/json" : typed.field(name));
    const more = (text: string) => text.replace('("@method"', '("content-type" "@method"');
    expect(await verdict(rewritten({ ...typed, field }, more, seed))).toBe(keyId);
  });

  it("without a signature is nobody's", async () => {
    expect(await verdict({ ...asked, field: () => undefined })).toBe("missing");
  });
});

describe("who is on the wire between a client and its server", () => {
  it("changes the body and is found: the digest is signed", async () => {
    expect(await verdict({ ...signed(), body: utf8('{"requestId":"01"}') })).toBe("digest");
  });

  it("changes body and digest together and is found: the digest is covered", async () => {
    const altered = utf8('{"requestId":"01"}');
    const request = signed();
    const field = (name: string) =>
      name === "content-digest" ? contentDigest(altered) : request.field(name);
    expect(await verdict({ ...request, body: altered, field })).toBe("signature");
  });

  it.each([
    ["another path", { target: "/v1/provider/destroyed?x=1" }],
    ["another query", { target: "/v1/provider/issues?x=2" }],
    ["no query", { target: "/v1/provider/issues" }],
    ["another method", { method: "PUT" }],
    ["another server", { authority: "other.test:8080" }],
    ["another port of it", { authority: "server.test:8081" }],
  ])("sends the request to %s and is found", async (_what, change) => {
    expect(await verdict({ ...signed(), ...change })).toBe("signature");
  });

  it("sends it twice and is refused the second time, whatever the order of the fields", async () => {
    const by = verifier();
    expect(await verdict(signed(), by)).toBe(keyId);
    expect(await verdict(signed(), by)).toBe("replayed");
    expect(await verdict(signed({ nonce: "another-nonce-0001" }), by)).toBe(keyId);
  });

  it("keeps it until it has lapsed, and until the server was restarted, for nothing", async () => {
    const request = signed({ lifetimeSeconds: 60 });
    const later = (ms: number, startedMs = nowMs - 60_000) => verifier({ now: () => nowMs + ms, startedMs });
    expect(await verdict(request, later(59_000))).toBe(keyId);
    expect(await verdict(request, later(61_000))).toBe("expired");
    // The nonces of the process before are gone: what was signed before this one began does not count.
    expect(await verdict(request, later(10_000, nowMs + 5_000))).toBe("time");
  });

  it("takes the body away and drops its digest from what is covered", async () => {
    const strip = (text: string) => text.replace(' "content-digest"', "");
    expect(await verdict(rewritten(signed(), strip))).toBe("components");
  });
});

describe("a signer who would sign less", () => {
  it.each(["@method", "@authority", "@path", "@query"])("leaves out %s and is refused", async (component) => {
    const strip = (text: string) => text.replace(`"${component}" `, "").replace(` "${component}"`, "");
    expect(await verdict(rewritten(signed(), strip, seed))).toBe("components");
  });

  it.each([
    ["the body's digest", (text: string) => text.replace(' "content-digest"', ""), "components"],
    ["the algorithm", (text: string) => text.replace('alg="ed25519"', 'alg="hmac-sha256"'), "algorithm"],
    ["the purpose", (text: string) => text.replace(signatureTag, "another-protocol"), "algorithm"],
    ["the nonce", (text: string) => text.replace(/;nonce="[^"]*"/, ""), "form"],
    ["the expiry", (text: string) => text.replace(/;expires=[0-9]+/, ""), "form"],
    ["the time", (text: string) => text.replace(/;created=[0-9]+/, ""), "form"],
  ])("leaves out or changes %s and is refused", async (_what, change, part) => {
    expect(await verdict(rewritten(signed(), change, seed))).toBe(part);
  });

  it("covers a component that the request does not have and is refused", async () => {
    const more = (text: string) => text.replace('"content-digest"', '"content-digest" "x-none"');
    expect(await verdict(rewritten(signed(), more, seed))).toBe("components");
  });

  it("makes a signature that lives too long, or from a clock that is ahead, and is refused", async () => {
    expect(await verdict(signed({ lifetimeSeconds: 301 }))).toBe("time");
    expect(await verdict(signed({ lifetimeSeconds: 0 }))).toBe("time");
    expect(await verdict(signed({ nowMs: nowMs + 31_000 }))).toBe("time");
    expect(await verdict(signed({ nowMs: nowMs + 29_000 }))).toBe(keyId);
  });
});

describe("somebody else", () => {
  it("names an account whose key it does not hold and is refused", async () => {
    expect(await verdict(signed({ signer: { keyId, seed: otherSeed } }))).toBe("signature");
    expect(await verdict(rewritten(signed(), (text) => text.replace(keyId, "cd".repeat(20))))).toBe(
      "signature",
    );
  });

  it("names a key that nobody knows and is refused", async () => {
    for (const keyId of ["ef".repeat(20), toHex(publicKey), "x", ""])
      expect(await verdict(signed({ signer: { keyId, seed } }))).toBe("key");
  });

  it("uses a key that the account has replaced and is refused", async () => {
    const replaced = verifier({ keyOf: async () => ed25519KeyPairFromSeed(otherSeed).publicKey });
    expect(await verdict(signed(), replaced)).toBe("signature");
  });

  it("signs with the same nonce as another account and takes nothing from it", async () => {
    const by = verifier();
    expect(await verdict(signed({ signer: { keyId: "cd".repeat(20), seed: otherSeed } }), by)).toBe(
      "cd".repeat(20),
    );
    expect(await verdict(signed(), by)).toBe(keyId);
  });

  it("sends an invalid signature with a nonce and does not use it up", async () => {
    const by = verifier();
    expect(await verdict(signed({ signer: { keyId, seed: otherSeed } }), by)).toBe("signature");
    expect(await verdict(signed(), by)).toBe(keyId);
  });
});

describe("the memory of nonces", () => {
  it("is bounded: lapsed ones go, and what does not fit is refused rather than forgotten", () => {
    const nonces = new Nonces(3);
    for (const at of [1, 2, 3]) expect(nonces.take(`a${at}`, 100 + at, 100)).toBe(true);
    expect(() => nonces.take("a4", 200, 100)).toThrowError(expect.objectContaining({ code: "rate-limited" }));
    expect(nonces.take("a1", 101, 100)).toBe(false);
    expect(nonces.take("a4", 200, 102.5)).toBe(true);
    expect(nonces.size).toBe(2);
  });
});

it("no byte of a signature or its input can be changed unseen", async () => {
  const request = signed();
  for (const name of ["signature-input", "signature"]) {
    const header = request.field(name)!;
    for (let at = 0; at < header.length; at++) {
      const altered = concat(utf8(header));
      altered[at] = altered[at]! ^ 1;
      const text = new TextDecoder().decode(altered);
      const field = (one: string) => (one === name ? text : request.field(one));
      expect(await verdict({ ...request, field }), `${name} at ${at}`).not.toBe(keyId);
    }
  }
});
