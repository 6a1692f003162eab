/** The embedded engine under the ledger's own rules: a first transaction, its refusals, proofs and a stranger's check. */
import { ed25519KeyPairFromSeed, loadPairing, type Pairing } from "@chartseal/crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openEmbedded, verifyEmbedded } from "../src/embedded/index.ts";
import {
  accountOf,
  defaultParameters,
  encodeBody,
  encodeGenesis,
  encodeTransaction,
  entries,
  exportLine,
  fromBytes,
  ledgerRules,
  signAsAccount,
  verifyChain,
  verifyStateProof,
} from "../src/index.ts";
import { countingClock, makeHome, proposer } from "./embedded-home.ts";

const node = ed25519KeyPairFromSeed(new Uint8Array(32).fill(1));
const genesis = encodeGenesis({
  name: "test",
  createdMs: 1_000,
  parameters: defaultParameters,
  validators: [{ publicKey: proposer.publicKey, stake: 1 }],
  providers: [],
  nodes: [node.publicKey],
  threshold: 1,
});

let pairing: Pairing;
let directory: string;
let remove: () => void;
beforeAll(async () => {
  pairing = await loadPairing();
});
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

describe("the ledger's own rules in the embedded engine", () => {
  it("apply, refuse by number and name, prove and replay", async () => {
    const rulesOf = (bytes: Uint8Array) => ledgerRules(pairing, bytes);
    const now = countingClock();
    const ledger = await openEmbedded({
      directory,
      rulesOf,
      create: genesis,
      proposerSeed: proposer.seed,
      now,
    });
    const transaction = (sequence: number, fill: number) => {
      const body = encodeBody({
        chainId: ledger.chainId,
        era: 0,
        lastValidMs: now() + 60_000,
        head: { height: 0, hash: ledger.chainId },
        action: { kind: "set-hpke-key", hpkeKey: new Uint8Array(32).fill(fill) },
      });
      return encodeTransaction(body, { account: signAsAccount({ seed: node.seed, sequence, body }) });
    };
    const first = transaction(0, 7);
    const submitted = await ledger.submit(first);
    expect((await ledger.transaction(submitted.identifier))?.bytes).toEqual(first);
    await expect(ledger.submit(first)).rejects.toMatchObject({
      code: "transaction-refused",
      data: { name: "repeated", refusal: 7 },
    });
    await expect(ledger.submit(transaction(5, 8))).rejects.toMatchObject({
      data: { name: "sequence-wrong" },
    });
    await ledger.submit(transaction(1, 9));
    const { value, proof, header } = await ledger.prove(entries.account.kind, accountOf(node.publicKey));
    expect(fromBytes(entries.account.codec, value!).hpkeKey).toEqual(new Uint8Array(32).fill(9));
    expect(
      verifyStateProof(header.stateRoot, entries.account.kind, accountOf(node.publicKey), value, proof),
    ).toBe(true);
    const lines = [];
    for await (const block of ledger.blocks(1)) lines.push(exportLine(block));
    await ledger.close();
    expect(await verifyChain({ rules: rulesOf(genesis), lines })).toMatchObject({ ok: true, blocks: 2 });
    expect(await verifyEmbedded({ directory, rulesOf })).toMatchObject({
      ok: true,
      blocks: 2,
      transactions: 2,
    });
  });
});
