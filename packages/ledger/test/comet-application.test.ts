/**
 * The machine as CometBFT's application, without a node: what it refuses in a proposal, what it says of its own state, what
 * a crash leaves; and that the blocks of a chain under the one engine are those of the other.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode, sha256, toHex, utf8 } from "@chartseal/crypto";
import {
  CheckTxType,
  Request,
  type Response,
  ResponseProcessProposal_ProposalStatus as Verdict,
} from "cosmjs-types/tendermint/abci/types";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { framed, messages } from "../src/comet/abci-server.ts";
import { Application, blockBytesMax } from "../src/comet/application.ts";
import { CometStore } from "../src/comet/comet-store.ts";
import {
  cometChainId,
  executeBlock,
  genesisHead,
  ledgerRules,
  MemoryNodes,
  type Rules,
} from "../src/index.ts";
import { cometAddress } from "../src/light/hashes.ts";
import { ChainWorld } from "./chain-world.ts";
import { proposer } from "./embedded-home.ts";
import { toyGenesis, toyRules, toyTransaction } from "./toy-rules.ts";
import { service } from "./world.ts";

const nowMs = 1_700_000_000_000;
const toy = toyRules(toyGenesis(proposer.publicKey));
const give = (nonce: number, amount = 1) => toyTransaction(nonce, ["give", 1, amount]);
const take = (nonce: number, amount: number) => toyTransaction(nonce, ["take", 1, amount]);

let directory: string;
let store: CometStore | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "chartseal-abci-"));
});
afterEach(() => {
  store?.close();
  store = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function open(rules: Rules = toy, now = () => nowMs): Application {
  store?.close();
  store = CometStore.open(directory, rules);
  return new Application({ store, rules, now }, { committed() {}, refused() {} });
}

/** Whose fields are those of ABCI's messages; the type of `fromPartial` takes none of what a test leaves out. */
const ask = async (application: Application, request: object): Promise<Response> =>
  application.handle(Request.fromPartial(request as never));

const time = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });

function genesisRequest(rules: Rules, key = proposer.publicKey) {
  return {
    chainId: cometChainId(toHex(rules.chainId)),
    initialHeight: 1n,
    appStateBytes: utf8(JSON.stringify({ genesis: toHex(rules.genesis) })),
    validators: [{ pubKey: { ed25519: key }, power: 10n }],
  };
}

/** An application whose chain has begun. */
async function begun(rules: Rules = toy, key = proposer.publicKey, now = () => nowMs): Promise<Application> {
  const application = open(rules, now);
  await ask(application, { initChain: genesisRequest(rules, key) });
  return application;
}

const at = (height: number, txs: Uint8Array[], ms = nowMs, key = proposer.publicKey) => ({
  height: BigInt(height),
  txs,
  time: time(ms),
  proposerAddress: cometAddress(key),
});

async function judged(application: Application, proposal: ReturnType<typeof at>): Promise<boolean> {
  const { processProposal } = await ask(application, { processProposal: proposal });
  return processProposal?.status === Verdict.ACCEPT;
}

async function decide(application: Application, block: ReturnType<typeof at>): Promise<string> {
  const { finalizeBlock } = await ask(application, { finalizeBlock: block });
  await ask(application, { commit: {} });
  return toHex(finalizeBlock!.appHash);
}

describe("a proposal", () => {
  it("is accepted where every transaction applies after those before it", async () => {
    const application = await begun();
    expect(await judged(application, at(1, [give(1, 3), take(2, 3)]))).toBe(true);
    expect(await judged(application, at(1, []))).toBe(true);
  });

  it("is refused for one transaction that does not apply, the same one twice, and what is none at all", async () => {
    // A proposer of bad will puts into its block what the rules refuse; the others must not vote for it.
    const application = await begun();
    expect(await judged(application, at(1, [give(1, 3), take(2, 4)]))).toBe(false);
    expect(await judged(application, at(1, [give(1), give(1)]))).toBe(false);
    expect(await judged(application, at(1, [utf8("no transaction")]))).toBe(false);
  });

  it("is refused more than 30 s ahead of this node's clock, and not before", async () => {
    const application = await begun();
    expect(await judged(application, at(1, [give(1)], nowMs + 30_000))).toBe(true);
    expect(await judged(application, at(1, [give(1)], nowMs + 30_001))).toBe(false);
  });

  it("is refused above the size of a block, and by a proposer that is none", async () => {
    const application = await begun();
    const large = (nonce: number) => encode([nonce, "give", 1, 1, new Uint8Array(200_000)]);
    const many = Array.from({ length: Math.floor(blockBytesMax / 200_000) + 1 }, (_, i) => large(i));
    expect(await judged(application, at(1, many.slice(0, -1)))).toBe(true);
    expect(await judged(application, at(1, many))).toBe(false);
    expect(await judged(application, at(1, [give(1)], nowMs, new Uint8Array(32).fill(7)))).toBe(false);
  });

  it("reads of the state only what trying its transactions has not read, and all of it after another block", async () => {
    const application = await begun();
    await decide(application, at(1, [give(1, 3)]));
    const loads = vi.fn();
    const tree = store!.chain.tree.bind(store!.chain);
    vi.spyOn(store!.chain, "tree").mockImplementation((height) => {
      const nodes = tree(height);
      return {
        load(...asked) {
          loads();
          return nodes.load(...asked);
        },
      };
    });
    const loadsOf = async (request: object): Promise<number> => {
      loads.mockClear();
      await ask(application, request);
      return loads.mock.calls.length;
    };
    const judgement = { processProposal: at(2, [take(2, 1)]) };
    const untried = await loadsOf({ processProposal: at(2, [take(3, 1)]) });
    expect(await loadsOf({ checkTx: { tx: take(2, 1) } })).toBeGreaterThan(0);
    expect(await loadsOf(judgement)).toBeLessThan(untried);
    await decide(application, at(2, [take(2, 1)]));
    // One read meanwhile must not be what is there now.
    expect(await judged(application, at(3, [take(4, 3)]))).toBe(false);
    expect(await judged(application, at(3, [take(4, 2)]))).toBe(true);
  });

  it("is prepared of what applies, in order, and never larger than it may be", async () => {
    const application = await begun();
    const txs = [give(1, 3), take(2, 100), take(3, 3)];
    const asked = { ...at(1, txs), maxTxBytes: 100_000n };
    const { prepareProposal } = await ask(application, { prepareProposal: asked });
    expect(prepareProposal?.txs.map((tx) => toHex(tx))).toEqual([txs[0]!, txs[2]!].map((tx) => toHex(tx)));
    const small = { ...asked, maxTxBytes: BigInt(txs[0]!.length + 2) };
    const one = await ask(application, { prepareProposal: small });
    expect(one.prepareProposal?.txs).toHaveLength(1);
    const none = await ask(application, { prepareProposal: { ...small, maxTxBytes: small.maxTxBytes - 1n } });
    expect(none.prepareProposal?.txs).toEqual([]);
  });
});

describe("a proposal that takes long to put together", () => {
  it("is given away with what it has by then, never with nothing, and the rest waits for the next", async () => {
    let nowAt = nowMs;
    const slow = (ms: number): Rules => ({
      ...toy,
      apply(...asked) {
        nowAt += ms;
        return toy.apply(...asked);
      },
    });
    const application = await begun(slow(150), proposer.publicKey, () => nowAt);
    const txs = Array.from({ length: 10 }, (_, nonce) => give(nonce + 1));
    const asked = { ...at(1, txs), maxTxBytes: 100_000n };
    const { prepareProposal } = await ask(application, { prepareProposal: asked });
    expect(prepareProposal?.txs.map((tx) => toHex(tx))).toEqual(txs.slice(0, 3).map((tx) => toHex(tx)));
    const other = open(slow(5_000), () => nowAt);
    const one = await ask(other, { prepareProposal: asked });
    expect(one.prepareProposal?.txs).toHaveLength(1);
  });
});

describe("the chain's beginning", () => {
  it("is refused with another genesis, chain or set of validators than the ledger's", async () => {
    const application = open();
    const right = genesisRequest(toy);
    const wrong = [
      { ...right, chainId: "cs-other" },
      { ...right, initialHeight: 2n },
      { ...right, appStateBytes: utf8("{}") },
      { ...right, appStateBytes: utf8(JSON.stringify({ genesis: "00" })) },
    ];
    for (const initChain of wrong) {
      await expect(ask(application, { initChain })).rejects.toMatchObject({ code: "chain-altered" });
    }
  });

  it("is refused with other validators than the genesis of the ledger names", async () => {
    const { pairing, genesis } = await ChainWorld.build();
    const rules = ledgerRules(pairing, genesis);
    const application = open(rules);
    const initChain = genesisRequest(rules, new Uint8Array(32).fill(1));
    await expect(ask(application, { initChain })).rejects.toMatchObject({
      code: "chain-altered",
      message: expect.stringContaining("other validators"),
    });
  });

  it("gives the chain id as app hash, which heights without a transaction leave", async () => {
    const application = open();
    const { initChain } = await ask(application, { initChain: genesisRequest(toy) });
    expect(initChain?.appHash).toEqual(toy.chainId);
    expect(await decide(application, at(1, []))).toBe(toHex(toy.chainId));
    expect(application.head.height).toBe(0);
    const made = await decide(application, at(2, [give(1)]));
    expect(made).toBe(toHex(application.head.hash));
    expect(await decide(application, at(3, []))).toBe(made);
    expect(application.head.height).toBe(1);
  });
});

describe("a crash", () => {
  it("between FinalizeBlock and Commit leaves the height before, and the replay gives the same", async () => {
    const application = await begun();
    await decide(application, at(1, [give(1)]));
    const before = application.head;
    const { finalizeBlock } = await ask(application, { finalizeBlock: at(2, [give(2)]) });
    const again = open();
    expect(again.head).toEqual(before);
    const { info } = await ask(again, { info: {} });
    expect([info?.lastBlockHeight, toHex(info!.lastBlockAppHash)]).toEqual([1n, toHex(before.hash)]);
    expect(await decide(again, at(2, [give(2)]))).toBe(toHex(finalizeBlock!.appHash));
  });

  it("of the node alone leaves nothing of what waited with it", async () => {
    const application = await begun();
    const code = async () => (await ask(application, { checkTx: { tx: give(1) } })).checkTx?.code;
    expect([await code(), await code()]).toEqual([0, 1]);
    application.connected();
    expect(await code()).toBe(0);
  });
});

describe("one chain under two engines", () => {
  it("the ledger's own transactions give under CometBFT the blocks that the machine gave before", async () => {
    const world = await ChainWorld.build();
    const rules = ledgerRules(world.pairing, world.genesis);
    const [validator] = rules.validators!(world.state);
    expect(validator!.publicKey).toEqual(service.publicKey);
    const application = open(rules);
    const initChain = genesisRequest(rules, service.publicKey);
    initChain.validators[0]!.power = BigInt(validator!.stake);
    await ask(application, { initChain });
    expect(world.made.length).toBeGreaterThan(20);
    // An empty height between any two: ours stay contiguous.
    for (const [i, { transactions, timestampMs, hash }] of world.made.entries()) {
      const txs = [...transactions];
      expect(await decide(application, at(2 * i + 1, txs, timestampMs, service.publicKey))).toBe(toHex(hash));
      expect(await decide(application, at(2 * i + 2, [], timestampMs, service.publicKey))).toBe(toHex(hash));
    }
    expect(application.head.height).toBe(world.made.length);
  });

  it("and what CometBFT's heights made is what the machine makes of the same transactions", async () => {
    const application = await begun();
    const nodes = new MemoryNodes();
    const start = genesisHead(toy);
    nodes.add(start.update.added);
    let previous = start.head;
    for (let height = 1; height <= 6; height++) {
      const transactions = [give(2 * height), give(2 * height + 1)];
      const appHash = await decide(application, at(height, transactions, nowMs + height));
      const timestampMs = nowMs + height;
      const input = { nodes, previous, rules: toy, timestampMs, proposer: proposer.publicKey, transactions };
      const executed = executeBlock(input);
      nodes.add(executed.update.added);
      previous = { ...executed.header, hash: executed.hash };
      expect(appHash).toBe(toHex(executed.hash));
      expect(application.head.stateRoot).toEqual(executed.header.stateRoot);
    }
  });
});

describe("the socket", () => {
  it("reads messages that are cut anywhere, and none that no block could fill", async () => {
    const echo = (message: string) => framed({ echo: { message } } as Response);
    const stream = Buffer.concat([echo("a"), echo("b".repeat(300)), echo("")]);
    for (const cut of [1, 2, 3, 7, 150, stream.length]) {
      const chunks = (async function* () {
        for (let from = 0; from < stream.length; from += cut) yield stream.subarray(from, from + cut);
      })();
      const sizes: number[] = [];
      for await (const message of messages(chunks)) sizes.push(message.length);
      expect(sizes).toEqual([5, 306, 2]);
    }
    const huge = (async function* () {
      yield Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f);
    })();
    await expect(async () => {
      for await (const _ of messages(huge));
    }).rejects.toThrow("longer than any");
  });
});

describe("what waits through a block", () => {
  const checked = async (application: Application, tx: Uint8Array, type = CheckTxType.NEW) =>
    (await ask(application, { checkTx: { tx, type } })).checkTx?.code;
  const again = async (application: Application, txs: readonly Uint8Array[]) => {
    const codes = [];
    for (const tx of txs) codes.push(await checked(application, tx, CheckTxType.RECHECK));
    return codes;
  };
  const proposed = async (application: Application, height: number) =>
    (await ask(application, { prepareProposal: { ...at(height, []), maxTxBytes: 4_000_000n } }))
      .prepareProposal?.txs ?? [];
  const gifts = (from: number, count: number) => Array.from({ length: count }, (_, i) => give(from + i));
  const allTaken = (count: number) => Array.from({ length: count }, () => 0);

  it("is not all tried again, and counts for a new one that needs it", async () => {
    const application = await begun();
    const waiting = gifts(1, 80);
    for (const tx of waiting) expect(await checked(application, tx)).toBe(0);
    await decide(application, at(1, [toyTransaction(900, ["give", 2, 1])]));
    expect(await again(application, waiting)).toEqual(allTaken(80));
    // 64 were tried again and give 64: what is taken here lies in the rest.
    expect(await checked(application, take(901, 80))).toBe(0);
    expect(await checked(application, take(902, 1))).toBe(1);
    expect(await proposed(application, 2)).toEqual([...waiting, take(901, 80)]);
  });

  it("is refused in its turn where it applies no more, in no proposal, and asked about again", async () => {
    const refused: string[] = [];
    store?.close();
    store = CometStore.open(directory, toy);
    const application = new Application(
      { store, rules: toy, now: () => nowMs },
      { committed() {}, refused: (key) => void refused.push(key) },
    );
    await ask(application, { initChain: genesisRequest(toy) });
    await decide(application, at(1, [give(900, 10)]));
    const waiting = Array.from({ length: 64 }, (_, i) => toyTransaction(1 + i, ["give", 2, 1]));
    const late = take(500, 10);
    for (const tx of [...waiting, late]) expect(await checked(application, tx)).toBe(0);
    await decide(application, at(2, [take(901, 10)]));
    expect(await again(application, [...waiting, late])).toEqual(allTaken(65));
    expect(await proposed(application, 3)).toEqual(waiting);
    expect(refused).toEqual([]);
    await decide(application, at(3, [toyTransaction(902, ["give", 3, 1])]));
    expect(await again(application, [...waiting, late])).toEqual([...allTaken(64), 1]);
    expect(refused).toEqual([toHex(sha256(late))]);
  });

  it("comes before what is new: where the two exclude each other, the new one is refused once all is tried", async () => {
    const application = await begun();
    await decide(application, at(1, [give(900, 10)]));
    const waiting = [...gifts(1, 64).map((_, i) => toyTransaction(1 + i, ["give", 2, 1])), take(500, 10)];
    for (const tx of waiting) expect(await checked(application, tx)).toBe(0);
    await decide(application, at(2, [toyTransaction(901, ["give", 2, 1])]));
    expect(await again(application, waiting)).toEqual(allTaken(65));
    // Nothing shows yet that it comes too late.
    expect(await checked(application, take(501, 10))).toBe(0);
    expect(await checked(application, take(502, 10))).toBe(1);
    expect(await proposed(application, 3)).toEqual(waiting);
    await decide(application, at(3, waiting));
    expect(await again(application, [take(501, 10)])).toEqual([1]);
  });
});
