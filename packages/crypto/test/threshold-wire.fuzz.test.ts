// Every message of the committee: one encoding, and a decoder that meets mutated bytes with a typed error or nothing new.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { equalBytes } from "../src/bytes.ts";
import { proveBlind, transformKeyPair } from "../src/cpabe/blind.ts";
import { hasCode } from "../src/errors.ts";
import {
  auditEncrypt,
  auditShare,
  decodeAuditCiphertext,
  decodeAuditShare,
  encodeAuditCiphertext,
  encodeAuditShare,
} from "../src/threshold/audit.ts";
import { basePartial, decodeBasePartial, encodeBasePartial } from "../src/threshold/base-key.ts";
import { decodeDealing, decodeNodeShare, encodeDealing, encodeNodeShare } from "../src/threshold/dkg.ts";
import {
  decodeCommit,
  decodeComplaint,
  decodeDeal,
  decodePublishedShare,
  decodeReveal,
  encodeCommit,
  encodeComplaint,
  encodeDeal,
  encodePublishedShare,
  encodeReveal,
} from "../src/threshold/dkg-messages.ts";
import { decodeCommitteeKey, encodeCommitteeKey, generation } from "../src/threshold/generation.ts";
import { answerIssue, decodeAnswer, encodeAnswer, issueDigest } from "../src/threshold/issue.ts";
import { agreedOf, audit, chainId, codeOf, pairing, play, reading, signing } from "./threshold-fixtures.ts";

interface Codec {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Decodes and encodes again. */
  readonly again: (bytes: Uint8Array) => Uint8Array;
  /** Of CHARTSEAL_FUZZ, where decoding checks several elements of GT: milliseconds an input. */
  readonly share?: number;
}

const run = generation(reading, { chainId, nodes: 3, threshold: 2 });
const committee = play(run);
const { key } = agreedOf(committee);
const auditRun = generation(audit, { chainId, nodes: 3, threshold: 2 });
const auditors = play(auditRun);
const auditKey = agreedOf(auditors).key;
const signers = play(generation(signing, { chainId, nodes: 2, threshold: 1 }));

function answerBytes(): Uint8Array {
  const pair = transformKeyPair(pairing);
  const account = new Uint8Array(20);
  const request = {
    chainId,
    epoch: 1,
    requestId: new Uint8Array(32),
    account,
    blinded: pair.blinded,
    attributes: ["a@h", "b@h"],
    provider: account,
    mode: "transform" as const,
  };
  const proof = proveBlind(pairing, { pair, digest: issueDigest(pairing, request) });
  return encodeAnswer(pairing, answerIssue(pairing, { request, proof, key, share: committee.shares[0]! }));
}

const label = new Uint8Array(60);
const ciphertext = auditEncrypt(pairing, {
  publicKey: auditKey.publicKey,
  chainId,
  label,
  key: new Uint8Array(32),
});
const opening = auditShare(pairing, {
  box: { chainId, label, ciphertext },
  key: auditKey,
  share: auditors.shares[0]!,
});
const partial = basePartial(pairing, { account: new Uint8Array(20), share: signers.shares[0]! });
const { transcript } = committee;
const published = { dealer: 1, receiver: 2, share: 12345n };

const codecs: Codec[] = [
  {
    name: "commit",
    bytes: encodeCommit(transcript.commits[0]!),
    again: (b) => encodeCommit(decodeCommit(b)),
  },
  {
    name: "reveal in GT",
    share: 1 / 20,
    bytes: encodeReveal(run, transcript.reveals[0]!),
    again: (b) => encodeReveal(run, decodeReveal(run, b)),
  },
  {
    name: "reveal in G1",
    bytes: encodeReveal(auditRun, auditors.transcript.reveals[0]!),
    again: (b) => encodeReveal(auditRun, decodeReveal(auditRun, b)),
  },
  { name: "deal", bytes: encodeDeal(transcript.deals[0]!), again: (b) => encodeDeal(decodeDeal(run, b)) },
  {
    name: "complaint",
    bytes: encodeComplaint({ receiver: 1, dealer: 3 }),
    again: (b) => encodeComplaint(decodeComplaint(b)),
  },
  {
    name: "published share",
    bytes: encodePublishedShare(published),
    again: (b) => encodePublishedShare(decodePublishedShare(b)),
  },
  {
    name: "dealing",
    bytes: encodeDealing(committee.dealings.get(1)!),
    again: (b) => encodeDealing(decodeDealing(run, b)),
  },
  {
    name: "node share",
    bytes: encodeNodeShare(committee.shares[0]!),
    again: (b) => encodeNodeShare(decodeNodeShare(b)),
  },
  {
    name: "committee key",
    share: 1 / 20,
    bytes: encodeCommitteeKey(reading, key),
    again: (b) => encodeCommitteeKey(reading, decodeCommitteeKey(reading, b)),
  },
  {
    name: "committee key in G2",
    bytes: encodeCommitteeKey(signing, agreedOf(signers).key),
    again: (b) => encodeCommitteeKey(signing, decodeCommitteeKey(signing, b)),
  },
  { name: "answer", bytes: answerBytes(), again: (b) => encodeAnswer(pairing, decodeAnswer(pairing, b, 2)) },
  {
    name: "part of a base key",
    bytes: encodeBasePartial(pairing, partial),
    again: (b) => encodeBasePartial(pairing, decodeBasePartial(pairing, b)),
  },
  {
    name: "audit ciphertext",
    bytes: encodeAuditCiphertext(pairing, ciphertext),
    again: (b) => encodeAuditCiphertext(pairing, decodeAuditCiphertext(pairing, b)),
  },
  {
    name: "audit share",
    bytes: encodeAuditShare(pairing, opening),
    again: (b) => encodeAuditShare(pairing, decodeAuditShare(pairing, b)),
  },
];

/** Flipped, cut, extended, spliced and replaced bytes. */
function mutate(bytes: Uint8Array, [kind, at, value]: readonly [number, number, number]): Uint8Array {
  const place = at % bytes.length;
  if (kind === 0) return bytes.with(place, (bytes[place] ?? 0) ^ (1 << (value % 8)));
  if (kind === 1) return bytes.with(place, value);
  if (kind === 2) return bytes.slice(0, place);
  if (kind === 3) return Uint8Array.from([...bytes.subarray(0, place), value, ...bytes.subarray(place)]);
  if (kind === 4)
    return Uint8Array.from([...bytes.subarray(0, place), ...bytes.subarray(place + 1 + (value % 64))]);
  return bytes.with(place % Math.min(bytes.length, 12), value);
}

const steps = fc.array(fc.tuple(fc.nat(5), fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 3 });

describe("the committee's messages", () => {
  test.each(codecs)("$name: decodes to what encodes to the same bytes", ({ bytes, again }) => {
    expect(again(bytes)).toEqual(bytes);
  });

  test.each(codecs)(
    "$name: mutated bytes give encoding-invalid, or the one encoding of something else",
    { timeout: fuzzTimeoutMs(fuzzRounds(300)) },
    (codec) => {
      const rounds = fuzzRounds(300, codec.share);
      fc.assert(
        fc.property(steps, (mutations) => {
          const bytes = mutations.reduce(
            (current, step) => (current.length > 0 ? mutate(current, step) : current),
            codec.bytes,
          );
          try {
            return equalBytes(codec.again(bytes), bytes);
          } catch (error) {
            return hasCode(error, "encoding-invalid");
          }
        }),
        { numRuns: rounds },
      );
    },
  );

  test("what fits the encoding and not the run is refused: counts, indices, other keys, the identity", () => {
    const wide = generation(reading, { chainId, nodes: 4, threshold: 3 });
    const code = (action: () => unknown) => codeOf(action);
    const [reveal, deal] = [codecs[1]!.bytes, codecs[3]!.bytes];
    expect(code(() => decodeReveal(wide, reveal))).toBe("encoding-invalid");
    expect(code(() => decodeReveal(auditRun, reveal))).toBe("encoding-invalid");
    expect(code(() => decodeDeal(wide, deal))).toBe("encoding-invalid");
    expect(code(() => decodeDealing(wide, encodeDealing(committee.dealings.get(1)!)))).toBe(
      "encoding-invalid",
    );
    expect(code(() => decodeCommitteeKey(audit, encodeCommitteeKey(reading, key)))).toBe("encoding-invalid");
    expect(code(() => decodeAnswer(pairing, answerBytes(), 3))).toBe("encoding-invalid");
    expect(code(() => decodeComplaint(encodeComplaint({ receiver: 0, dealer: 1 })))).toBe("encoding-invalid");
    expect(code(() => decodeComplaint(encodeComplaint({ receiver: 1, dealer: 65 })))).toBe(
      "encoding-invalid",
    );
    const zero = { ...ciphertext, point: pairing.g1.zero };
    expect(code(() => decodeAuditCiphertext(pairing, encodeAuditCiphertext(pairing, zero)))).toBe(
      "encoding-invalid",
    );
    const none = { ...partial, value: pairing.g1.zero };
    expect(code(() => decodeBasePartial(pairing, encodeBasePartial(pairing, none)))).toBe("encoding-invalid");
  });
});
