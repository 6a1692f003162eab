/**
 * A client's head under CometBFT's commits. The server lies: it shows commits by validators of its own, by too few, or for
 * blocks that do not follow; the client holds the genesis and asks for what lies between.
 */
import { loadPairing, toHex, u64 } from "@chartseal/crypto";
import {
  type Block,
  blockKind,
  cometChainId,
  encodeHeader,
  entries,
  executeBlock,
  exportLine,
  genesisHead,
  headOf,
  type Ledger,
  ledgerRules,
  MemoryNodes,
  proveState,
  type Rules,
} from "@chartseal/ledger";
import { beforeAll, expect, it } from "vitest";
import { type CometKey, cometKey, lightBlock } from "../../../packages/ledger/test/comet-fixture.ts";
import { startMs } from "../../../packages/ledger/test/world.ts";
import { genesisBytes } from "../../../packages/ledger/test/world-build.ts";
import { type AskChain, VerifiedHead } from "../src/client/verified-head.ts";
import { all, clientOf, serveLedger } from "./ledger-server.ts";

const [a, b, c, d, e, f, g, h] = [..."abcdefgh"].map((label) => cometKey(label)) as CometKey[] as [
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
];
const first = [a, b, c, d];
const second = [c, d, e, f];
const third = [e, f, g, h];
const setAt = (height: number): CometKey[] => (height <= 2 ? first : height <= 4 ? second : third);

let rules: Rules;
let chain: Block[];
const nodes = new MemoryNodes();
beforeAll(async () => {
  const validators = first.map(({ publicKey, power }) => ({ publicKey, stake: power }));
  // Whose commits count is what this is about: who may propose is the machine's to say.
  rules = { ...ledgerRules(await loadPairing(), genesisBytes({ validators })), mayPropose: () => true };
  chain = chainOf(6);
});

function commitFor(hash: Uint8Array, height: number, validators: readonly CometKey[], signers = validators) {
  const chainId = cometChainId(toHex(rules.chainId));
  const seconds = Math.floor(startMs / 1000) + height;
  const next = setAt(height + 1);
  return lightBlock({ chainId, height: 10 * height, seconds, validators, next, signers, appHash: hash });
}

function chainOf(count: number): Block[] {
  const { head, update } = genesisHead(rules);
  nodes.add(update.added);
  let previous = head;
  return Array.from({ length: count }, (_, index) => {
    const input = { nodes, previous, rules, timestampMs: startMs + index, proposer: a.publicKey };
    const made = executeBlock({ ...input, transactions: [] });
    nodes.add(made.update.added);
    previous = headOf(made);
    return { ...made, commit: commitFor(made.hash, index + 1, setAt(index + 1)) };
  });
}

const fields = (block: Block) => {
  const { header, commit } = JSON.parse(JSON.stringify(exportLine(block)));
  return { header, commit, seen: null };
};
/** The chain as a ledger that an engine would give: reads and proofs, and nobody to write. */
function ledgerOf(blocks: readonly Block[]): Ledger {
  const at = (height: number) => blocks[height - 1];
  const ledger = {
    chainId: rules.chainId,
    genesis: rules.genesis,
    head: async () => headOf(blocks.at(-1)!),
    block: async (height: number) => at(height),
    prove: async (kind: number, key: Uint8Array, height = blocks.length) => {
      const { header, commit } = at(height)!;
      return { ...proveState(nodes, header.stateRoot, kind, key), header, commit };
    },
    transaction: async () => undefined,
    close: async () => {},
  };
  return ledger as unknown as Ledger;
}

const asked: number[] = [];
const honest: AskChain = {
  ancestor: async (height, at) =>
    proveState(nodes, chain[at - 1]!.header.stateRoot, blockKind, u64(height)).proof,
  block: async (height) => {
    asked.push(height);
    return fields(chain[height - 1]!);
  },
};
const fresh = () => new VerifiedHead(rules);
const altered = expect.objectContaining({ code: "chain-altered" });

it("goes forward under the genesis' validators, and over changes of all of them by the blocks in between", async () => {
  const head = fresh();
  expect((await head.advance(fields(chain[0]!), 0, honest)).height).toBe(1);
  asked.length = 0;
  expect((await head.advance(fields(chain[5]!), 1, honest)).height).toBe(6);
  expect(asked.length).toBeGreaterThan(0);
  expect(head.head.hash).toEqual(chain[5]!.hash);
});

it("refuses a block that validators of the server's own signed, and asks in vain for one that leads there", async () => {
  const strangers = ["w", "x", "y", "z"].map((label) => cometKey(label));
  const forged = { ...chain[5]!, commit: commitFor(chain[5]!.hash, 6, strangers) };
  await expect(fresh().advance(fields(forged), 0, honest)).rejects.toEqual(altered);
  const liar: AskChain = { ...honest, block: async () => fields(forged) };
  await expect(fresh().advance(fields(forged), 0, liar)).rejects.toEqual(altered);
});

it("refuses a block that two of four signed, and one under the commit of another", async () => {
  const half = { ...chain[0]!, commit: commitFor(chain[0]!.hash, 1, first, [a, b]) };
  await expect(fresh().advance(fields(half), 0, honest)).rejects.toEqual(altered);
  const other = { ...fields(chain[0]!), header: toHex(encodeHeader(chain[1]!.header)) };
  await expect(fresh().advance(other, 0, honest)).rejects.toEqual(altered);
});

it("does not take one validator's signature after CometBFT's commits", async () => {
  const head = fresh();
  await head.advance(fields(chain[0]!), 0, honest);
  const alone = {
    ...fields(chain[1]!),
    commit: [{ publicKey: toHex(a.publicKey), signature: "00".repeat(64) }],
  };
  await expect(head.advance(alone, 1, honest)).rejects.toEqual(altered);
});

it("does not go on from validators that it has not heard of for longer than the trust period", async () => {
  const now = { at: startMs + 10_000 };
  const head = new VerifiedHead(rules, { periodMs: 3_600_000, now: () => now.at });
  await head.advance(fields(chain[0]!), 0, honest);
  now.at += 3_600_000;
  await expect(head.advance(fields(chain[1]!), 1, honest)).rejects.toEqual(altered);
});

it("over a server: heads, values and blocks come with their commits whole, and a forged one is refused", async () => {
  const strangers = ["w", "x", "y", "z"].map((label) => cometKey(label));
  const forged = [...chain.slice(0, 5), { ...chain[5]!, commit: commitFor(chain[5]!.hash, 6, strangers) }];
  for (const [blocks, holds] of [
    [chain, true],
    [forged, false],
  ] as const) {
    const host = await serveLedger({ ledger: ledgerOf(blocks), transactionKind: entries.transaction.kind });
    const client = clientOf(host.url, rules);
    try {
      if (!holds) {
        await expect(client.head()).rejects.toEqual(altered);
        continue;
      }
      expect(await client.head()).toEqual(headOf(chain[5]!));
      expect(await client.read(blockKind, u64(3))).toEqual(chain[2]!.hash);
      const { commit } = await client.prove(blockKind, u64(1), 4);
      expect(commit).toEqual(chain[3]!.commit);
      expect((await all(client.blocks(1))).map((block) => block.commit)).toEqual(
        chain.map((block) => block.commit),
      );
    } finally {
      await client.close();
      await host.close();
    }
  }
});
