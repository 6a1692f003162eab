/**
 * The ledger's decoders under mutated input, a transaction of every kind among it: nothing but a typed error, and nothing
 * taken that has a second encoding. A state proof decides by yes or no and never throws.
 */
import { equalBytes, hasCode } from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { decodeHeader, encodeHeader } from "../src/block.ts";
import { decodeGenesis, defaultParameters, encodeGenesis } from "../src/genesis.ts";
import { proveState, verifyStateProof } from "../src/state-proof.ts";
import { emptyRoot, MemoryNodes, updateState } from "../src/state-tree.ts";
import { decodeBody, decodeTransaction, encodeBody, encodeTransaction } from "../src/transaction.ts";
import { bytes32, vectorActions } from "./transaction-vectors.ts";

const chainId = bytes32("chain");
const rounds = fuzzRounds(3_000);

/** Some bytes set, a piece cut out, or another piece put in. */
type Mutation = (bytes: Uint8Array) => Uint8Array;
const position = fc.nat(1 << 20);
const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 4 }).map(
    (changes): Mutation =>
      (bytes) => {
        const changed = bytes.slice();
        for (const [at, to] of changes) changed[at % changed.length] = to;
        return changed;
      },
  ),
  fc.tuple(position, fc.integer({ min: 1, max: 40 })).map(
    ([at, length]): Mutation =>
      (bytes) => {
        const from = at % bytes.length;
        return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + length)]);
      },
  ),
  fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 20 })).map(
    ([at, piece]): Mutation =>
      (bytes) => {
        const from = at % (bytes.length + 1);
        return Uint8Array.from([...bytes.subarray(0, from), ...piece, ...bytes.subarray(from)]);
      },
  ),
);

const transactions = vectorActions.map((action) => {
  const body = encodeBody({ chainId, era: 0, lastValidMs: 1000, head: { height: 3, hash: chainId }, action });
  const account = { account: new Uint8Array(20), sequence: 7, signature: new Uint8Array(64) };
  const admission = { validator: bytes32("validator"), signature: new Uint8Array(64) };
  return encodeTransaction(body, { account, admissions: [admission], attributes: bytes32("attributes") });
});
const genesis = encodeGenesis({
  name: "fuzz",
  createdMs: 1,
  parameters: { ...defaultParameters, emergencyAttributes: ["physician@cedars"] },
  validators: [{ publicKey: bytes32("validator"), stake: 3 }],
  providers: [bytes32("provider")],
  nodes: [bytes32("node 1"), bytes32("node 2")],
  threshold: 2,
});
const header = encodeHeader({
  version: 1,
  height: 5,
  previousHash: bytes32("previous"),
  merkleRoot: bytes32("merkle"),
  stateRoot: bytes32("state"),
  timestampMs: 1_700_000_000_000,
  size: 100,
  transactionCount: 2,
  proposer: bytes32("proposer"),
});

/** Decodes and encodes again. */
type Again = (bytes: Uint8Array) => Uint8Array;
const decoders: readonly { name: string; samples: readonly Uint8Array[]; again: Again; codes: string[] }[] = [
  {
    name: "a transaction",
    samples: transactions,
    again: (bytes) => {
      const { bodyBytes, authorisation } = decodeTransaction(bytes);
      if (!equalBytes(encodeBody(decodeBody(bodyBytes)), bodyBytes)) throw new Error("two bodies");
      return encodeTransaction(bodyBytes, authorisation);
    },
    codes: ["encoding-invalid"],
  },
  {
    name: "a genesis",
    samples: [genesis],
    again: (bytes) => encodeGenesis(decodeGenesis(bytes)),
    codes: ["encoding-invalid", "input-invalid"],
  },
  {
    name: "a block's header",
    samples: [header],
    again: (bytes) => encodeHeader(decodeHeader(bytes)),
    codes: ["encoding-invalid", "chain-altered"],
  },
];

describe("mutated bytes", () => {
  it.each(decoders)(
    "of $name are refused with a coded error, or are what the encoder writes",
    {
      timeout: fuzzTimeoutMs(rounds),
    },
    ({ samples, again, codes }) => {
      let refused = 0;
      let taken = 0;
      fc.assert(
        fc.property(fc.constantFrom(...samples), mutations, (sample, mutate) => {
          const bytes = mutate(sample);
          try {
            if (!equalBytes(again(bytes), bytes)) throw new Error("two encodings");
            taken++;
          } catch (error) {
            if (!codes.some((code) => hasCode(error, code as "encoding-invalid"))) throw error;
            refused++;
          }
        }),
        { numRuns: rounds },
      );
      expect(taken).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(0);
    },
  );

  it("of a state proof prove nothing else, and never throw", { timeout: fuzzTimeoutMs(rounds) }, () => {
    const nodes = new MemoryNodes();
    const entry = (at: number) => ({ kind: 5, key: bytes32(`key ${at}`), value: bytes32(`value ${at}`) });
    const { root, added } = updateState(
      nodes,
      emptyRoot,
      Array.from({ length: 40 }, (_, at) => entry(at)),
    );
    nodes.add(added);
    const { key, value } = entry(3);
    const { proof } = proveState(nodes, root, 5, key);
    expect(verifyStateProof(root, 5, key, value, proof)).toBe(true);
    fc.assert(
      fc.property(mutations, fc.nat(255), (mutate, kind) => {
        const changed = mutate(proof);
        // The proof's bytes are no part of what is proved: another spelling must fail, and never prove another value.
        if (!equalBytes(changed, proof)) expect(verifyStateProof(root, 5, key, value, changed)).toBe(false);
        expect(verifyStateProof(root, 5, key, bytes32("another value"), changed)).toBe(false);
        expect(verifyStateProof(root, 5, key, null, changed)).toBe(false);
        if (kind !== 5) expect(verifyStateProof(root, kind, key, value, proof)).toBe(false);
      }),
      { numRuns: rounds },
    );
  });
});
