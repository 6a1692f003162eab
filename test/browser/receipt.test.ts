/** A browser believes no server: it checks the receipts of a consortium by itself, from the genesis, as Node does. */
import { fromHex, loadPairing, toHex } from "@chartseal/crypto";
import {
  chainIdOf,
  cometChainId,
  decodeGenesis,
  encodeHeader,
  executeBlock,
  genesisHead,
  ledgerRules,
  MemoryNodes,
  validatorSetHash,
} from "@chartseal/ledger";
import { evidenceFaults, evidenceJson, parseEvidence } from "@chartseal/sharing";
import { expect, it } from "vitest";
import { type CometKey, cometKey, lightBlock } from "../../packages/ledger/test/comet-fixture.ts";
import { startMs } from "../../packages/ledger/test/world.ts";
import { genesisBytes } from "../../packages/ledger/test/world-build.ts";
import { describeTool } from "../tools.ts";
import { bundle } from "./bundle.ts";
import type { ReceiptJob } from "./receipt-page.ts";
import { runPage } from "./run-page.ts";

const keys = ["a", "b", "c", "d"].map((label) => cometKey(label));
const strangers = ["e", "f", "g", "h"].map((label) => cometKey(label));
const genesis = genesisBytes({
  validators: keys.map(({ publicKey, power }) => ({ publicKey, stake: power })),
});
const chainId = chainIdOf(genesis);

/** Evidence of block 1 under a commit by these. */
async function evidenceBy(
  validators: readonly CometKey[],
  changes: { readonly signers?: readonly CometKey[]; readonly chainId?: string } = {},
): Promise<Record<string, unknown>> {
  const rules = ledgerRules(await loadPairing(), genesis);
  const nodes = new MemoryNodes();
  const { head, update } = genesisHead(rules);
  nodes.add(update.added);
  const place = { nodes, previous: head, rules, timestampMs: startMs, proposer: keys[0]!.publicKey };
  const { header, hash } = executeBlock({ ...place, transactions: [] });
  const commit = lightBlock({
    chainId: cometChainId(toHex(chainId)),
    height: 5,
    seconds: Math.floor(startMs / 1000) + 5,
    validators,
    appHash: hash,
    ...changes,
  });
  const evidence = { blocks: [{ header: encodeHeader(header), commit }], transactions: [], states: [] };
  return JSON.parse(JSON.stringify(evidenceJson(evidence)));
}

describeTool("chromium", "receipts of a consortium in Chromium", (chromium) => {
  it("hold where they hold in Node, and forgeries do not", { timeout: 120_000 }, async () => {
    const right = await evidenceBy(keys);
    const nowMs = startMs + 60_000;
    const own = toHex(validatorSetHash(decodeGenesis(genesis).validators));
    const cases: ReceiptJob["cases"] = [
      { evidence: right, nowMs },
      { evidence: right, nowMs, validatorsHash: own },
      { evidence: right, nowMs, validatorsHash: "00".repeat(32) },
      { evidence: right, nowMs: startMs + 3_600_000, trustPeriodMs: 60_000 },
      { evidence: right, nowMs: startMs - 3_600_000 },
      { evidence: await evidenceBy(strangers), nowMs },
      { evidence: await evidenceBy(keys, { signers: keys.slice(2) }), nowMs },
      { evidence: await evidenceBy(keys, { chainId: "cs-other" }), nowMs },
    ];
    const job: ReceiptJob = { genesis: toHex(genesis), cases };
    const { answer } = await runPage({ chromium, files: await bundle("receipt"), job });
    const inNode = cases.map(({ evidence, validatorsHash, ...trust }) =>
      evidenceFaults(parseEvidence(evidence), genesis, {
        ...trust,
        ...(validatorsHash === undefined ? {} : { validatorsHash: fromHex(validatorsHash, 32) }),
      }).map(({ kind }) => kind),
    );
    expect(inNode).toEqual([[], [], ["commit"], ["commit"], ["commit"], ["commit"], ["commit"], ["commit"]]);
    expect(answer).toEqual(inNode);
  });
});
