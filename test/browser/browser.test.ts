/**
 * The browser is a first-class client: the library's public entry, bundled by vite and run by Chromium in a Web Worker,
 * reads what Node made and makes what Node reads.
 */
import { gzipSync } from "node:zlib";
import {
  attributeKeys,
  committeeBase,
  ed25519KeyPairFromSeed,
  encode,
  encodeAttributeKey,
  encodeNamespaceLists,
  encodeScalar,
  encodeSigningKeys,
  keygenDirect,
  loadPairing,
  namespaceKeys,
  parsePolicy,
  randomBytes,
  randomScalar,
  setupDirect,
  sha256,
  signerBasePoint,
  toHex,
  transformKeyPair,
} from "@chartseal/crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { describeTool } from "../tools.ts";
import { bundle } from "./bundle.ts";
import {
  examine,
  type Findings,
  metadataName,
  type Party,
  plaintext,
  policyText,
  produce,
  range,
} from "./exercise.ts";
import { runPage } from "./run-page.ts";
import type { Answer, Job } from "./worker.ts";

/** What travels, and travels once; 189 kB of it is the pairing's WebAssembly. */
const gzipBytesMax = 300_000;

async function makeParty(): Promise<Party> {
  const pairing = await loadPairing();
  const { g1, g2, gt } = pairing;
  const { alpha, mpk } = setupDirect(pairing);
  const seed = randomBytes(32);
  const account = sha256(ed25519KeyPairFromSeed(seed).publicKey).slice(0, 20);
  const chainId = randomBytes(32);
  const attributes = ["doctor@cedars", "cardiology@cedars"];
  const { recoveryKey, blinded } = transformKeyPair(pairing);
  const a0 = randomScalar({ nonZero: true });
  const committeeKey = g2.multiply(committeeBase(pairing), a0);
  const { secret, lists } = namespaceKeys(pairing, { chainId, namespace: "cedars", account }, 8);
  const base = g1.multiply(signerBasePoint(pairing, account), a0);
  const signing = attributes.map((attribute) => `${attribute}#2026q4`);
  const keys = attributeKeys(pairing, { secret, attributes: signing, account, base, committeeKey });
  const keyBytes = (key: ReturnType<typeof keygenDirect>) => toHex(encode(encodeAttributeKey(pairing, key)));
  return {
    masterKey: toHex(gt.encode(mpk)),
    fullKey: keyBytes(keygenDirect(pairing, { alpha, attributes })),
    transformKey: keyBytes(keygenDirect(pairing, { alpha, attributes, blinded })),
    recoveryKey: toHex(encodeScalar(recoveryKey)),
    signingKeys: toHex(encodeSigningKeys(pairing, { account, base, attributes: keys })),
    namespaceLists: toHex(encodeNamespaceLists(pairing, lists)),
    committeeKey: toHex(g2.encode(committeeKey)),
    chainId: toHex(chainId),
    seed: toHex(seed),
  };
}

const expected: Findings = {
  ed25519: true,
  ed25519Altered: false,
  hpke: metadataName,
  encapsulation: true,
  transformAgrees: true,
  recomputed: true,
  metadataName,
  plaintextHash: toHex(sha256(plaintext)),
  range: toHex(plaintext.subarray(range.from, range.to + 1)),
  alteredPayload: "object-altered",
  signature: true,
  signatureAltered: false,
};

let files: ReadonlyMap<string, string>;
let party: Party;
beforeAll(async () => {
  [files, party] = await Promise.all([bundle(), makeParty()]);
});

describe("the bundle of a page that uses the library", () => {
  it("imports nothing of Node; what @hpke/core keeps for hosts without WebCrypto is never loaded", () => {
    expect([...files.keys()]).toContain("page.js");
    // vite makes an empty module for each module of Node's that something could import.
    const stubs = [...files.keys()].filter((name) => name.includes("__vite-browser-external"));
    expect(stubs).toEqual(["__vite-browser-external_crypto.js"]);
    for (const [name, text] of files) {
      const found = /["'`]node:[a-z/]+["'`]|\bfrom ?["'`][^."'`/]|\brequire\(["'`]/.exec(text);
      expect([name, found?.[0]]).toEqual([name, undefined]);
    }
  });

  it(`is at most ${gzipBytesMax} bytes when compressed`, () => {
    const all = [...files.values()].join("");
    const size = gzipSync(all).length;
    process.stderr.write(`bundle: ${all.length} bytes, ${size} compressed\n`);
    expect(size).toBeLessThanOrEqual(gzipBytesMax);
  });
});

describeTool("chromium", "Chromium, in a Web Worker", (chromium) => {
  let answer: Answer;
  let job: Job;
  let requested: readonly string[];
  beforeAll(async () => {
    job = { party, product: await produce(party) };
    const run = await runPage({ chromium, files, job });
    const result = run.answer as Answer | { error: string };
    if ("error" in result) throw new Error(result.error);
    answer = result;
    requested = run.requested;
    const { load, produce: made, examine: read } = answer.milliseconds;
    process.stderr.write(
      `browser: load ${load.toFixed(0)} ms, make ${made.toFixed(0)} ms, read ${read.toFixed(0)} ms\n`,
    );
  });

  it("runs the web platform, far from any document and from Node", () => {
    expect(answer.product.platform).toBe("web");
    expect(job.product.platform).toBe("node");
    expect(answer.surroundings).toEqual({ hasDocument: false, hasProcess: false });
  });

  it("loads page, worker, the pairing and the bundler's runtime, once, and nothing else", () => {
    // dist.js is mcl-wasm, which is loaded when somebody asks for the pairing.
    const scripts = ["/dist.js", "/page.js", "/rolldown-runtime.js", "/worker.js"];
    expect(requested.toSorted()).toEqual(["/", "/answer", "/job", ...scripts].sort());
  });

  it("hashes, derives and parses to the very same", () => {
    expect(answer.product.fixed).toEqual(job.product.fixed);
    expect(answer.product.fixed.policy).toBe(parsePolicy(policyText).text);
  });

  it("reads all that Node made: record, range, transform, HPKE, Ed25519, attribute-based signature", () => {
    expect(answer.findings).toEqual(expected);
  });

  it("makes what Node reads, and finds the same where it is altered", async () => {
    expect(await examine(party, answer.product)).toEqual(expected);
    // Both sides drew fresh keys: nothing that Node read was its own.
    expect(answer.product.header).not.toBe(job.product.header);
    expect(answer.product.payload).not.toBe(job.product.payload);
    expect(answer.product.signature).not.toBe(job.product.signature);
  });
});
