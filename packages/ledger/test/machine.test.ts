/** The machine as a pure function, and a stranger's check of its chains against those who alter them. */
import { ChartsealError, encode, fromHex, sha256, toHex, u64 } from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EmbeddedCommitJson } from "../src/commit.ts";
import {
  type Block,
  blockKind,
  type ExportLine,
  executeBlock,
  exportLine,
  genesisHead,
  type Head,
  hashHeader,
  headOf,
  MemoryNodes,
  type Rules,
  selectTransactions,
  signBlock,
  stateAt,
  verifyChain,
} from "../src/index.ts";
import { genesis, proposer } from "./embedded-home.ts";
import {
  accountKey,
  balanceKind,
  balanceOf,
  lastKind,
  type ToyAction,
  toyRules,
  toyTransaction,
} from "./toy-rules.ts";

const rules = toyRules(genesis);

/** A chain in memory, block by block. */
class Chain {
  readonly nodes = new MemoryNodes();
  readonly blocks: Block[] = [];
  head: Head;

  constructor() {
    const { head, update } = genesisHead(rules);
    this.nodes.add(update.added);
    this.head = head;
  }

  input(transactions: readonly Uint8Array[], timestampMs = 2_000) {
    const { nodes, head: previous } = this;
    return { nodes, previous, rules, timestampMs, proposer: proposer.publicKey, transactions };
  }

  grow(transactions: readonly Uint8Array[], timestampMs?: number): Block {
    const executed = executeBlock(this.input(transactions, timestampMs));
    this.nodes.add(executed.update.added);
    const block = signed(executed);
    this.blocks.push(block);
    this.head = headOf(block);
    return block;
  }

  lines(): ExportLine[] {
    return this.blocks.map(exportLine);
  }
}

function signed(block: Pick<Block, "header" | "transactions">): Block {
  const hash = hashHeader(block.header);
  const signature = signBlock(rules.chainId, block.header.height, hash, proposer.seed);
  return { ...block, hash, commit: [{ publicKey: proposer.publicKey, signature }] };
}

const give = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["give", account, amount]);
const take = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["take", account, amount]);

function longChain(): Chain {
  const chain = new Chain();
  for (let i = 0; i < 6; i++)
    chain.grow([give(3 * i, 1, 5), give(3 * i + 1, i, 2), take(3 * i + 2, 1, 1)], 2_000 + i);
  return chain;
}

describe("the machine", () => {
  it("gives one block for one input, and changes nothing it was given", () => {
    const chain = longChain();
    const before = chain.nodes.size;
    const input = chain.input([give(100, 1, 1), take(101, 1, 3)], 5_000);
    const [first, second] = [executeBlock(input), executeBlock(input)];
    expect(first.hash).toEqual(second.hash);
    expect(first).toEqual(second);
    expect(chain.nodes.size).toBe(before);
  });

  it("holds the hash of every block but its own in the state", () => {
    const chain = longChain();
    const state = stateAt(chain.nodes, chain.head);
    expect(state.get(blockKind, u64(0))).toBeUndefined();
    for (const { header, hash } of chain.blocks.slice(0, -1)) {
      expect(state.get(blockKind, u64(header.height))).toEqual(hash);
    }
    expect(state.get(blockKind, u64(chain.head.height))).toBeUndefined();
  });

  it("never lets time go back", () => {
    const chain = new Chain();
    expect(chain.grow([give(1, 1, 1)], 0).header.timestampMs).toBe(rules.createdMs);
    expect(chain.grow([give(2, 1, 1)], 9_000).header.timestampMs).toBe(9_000);
    expect(chain.grow([give(3, 1, 1)], 8_000).header.timestampMs).toBe(9_000);
  });

  it("selects what applies in order, and names why the rest does not", () => {
    const chain = new Chain();
    const offered = [
      take(1, 1, 1),
      give(2, 1, 5),
      take(3, 1, 4),
      take(4, 1, 4),
      give(2, 1, 5),
      Uint8Array.of(1),
    ];
    const { selected, dropped } = selectTransactions(chain.input(offered));
    expect(selected).toEqual([offered[1], offered[2]]);
    expect(
      dropped.map(
        ({ reason }) =>
          (reason as { data: { name?: string }; code: string }).data.name ??
          (reason as { code: string }).code,
      ),
    ).toEqual(["poor", "poor", "seen", "input-invalid"]);
    expect(executeBlock(chain.input(selected)).results).toHaveLength(2);
    expect(() => executeBlock(chain.input(offered))).toThrow(
      expect.objectContaining({
        code: "transaction-refused",
        data: { refusal: 2, name: "poor", transaction: 0 },
      }),
    );
  });

  it("leaves nothing of a refused transaction, wherever it stands among the others", () => {
    const action = fc.oneof(
      fc.tuple(fc.constantFrom("give" as const, "take" as const), fc.nat(1), fc.integer({ min: 1, max: 6 })),
      fc.tuple(fc.constant("drop" as const), fc.nat(1)),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 12, size: "max" }), (actions: readonly ToyAction[]) => {
        const chain = new Chain();
        const { selected } = selectTransactions(chain.input(actions.map((one, i) => toyTransaction(i, one))));
        const model = new Map<number, number>();
        const kept = actions.flatMap((one, i) => (applyToModel(model, one) ? [toyTransaction(i, one)] : []));
        expect(selected).toEqual(kept);
        chain.grow(selected);
        const state = stateAt(chain.nodes, chain.head);
        for (let account = 0; account < 4; account++) {
          expect(balanceOf(state.get(balanceKind, accountKey(account)))).toBe(model.get(account) ?? 0);
        }
        expect(state.get(lastKind, u64(0))).toEqual(kept.length === 0 ? undefined : sha256(kept.at(-1)!));
      }),
      { numRuns: 100 },
    );
  });

  it("calls damage beneath the rules damage, though they take it for a fault of the transaction", () => {
    const chain = longChain();
    const misled: Rules = {
      ...rules,
      apply(state, position, transaction) {
        try {
          return rules.apply(state, position, transaction);
        } catch (error) {
          if (error instanceof ChartsealError && error.code === "transaction-refused") throw error;
          throw new ChartsealError("transaction-refused", "malformed", { cause: error });
        }
      },
    };
    const input = { ...chain.input([give(200, 1, 1)]), rules: misled };
    expect(executeBlock(input).results).toHaveLength(1);
    const nodes = {
      load(hash: Uint8Array) {
        const node = chain.nodes.load(hash);
        if (node.type === "leaf" && node.kind === balanceKind)
          throw new ChartsealError("chain-altered", "missing");
        return node;
      },
    };
    expect(() => executeBlock({ ...input, nodes })).toThrow(
      expect.objectContaining({ code: "chain-altered" }),
    );
    const { dropped } = selectTransactions({ ...input, nodes });
    expect(dropped).toMatchObject([{ reason: { code: "chain-altered" } }]);
  });

  it("lets the rules check a block's transactions together before it applies them", () => {
    const chain = new Chain();
    const seen: number[] = [];
    const batching: Rules = {
      ...rules,
      prepare(state, _position, transactions) {
        seen.push(transactions.length);
        state.put(balanceKind, accountKey(1), encode(1_000_000));
        return (...asked) => rules.apply(...asked);
      },
    };
    const input = chain.input([give(1, 1, 1), give(2, 1, 1)]);
    expect(executeBlock({ ...input, rules: batching })).toEqual(executeBlock(input));
    expect(seen).toEqual([2]);
  });

  it("lets nobody propose but the genesis' proposer", () => {
    const chain = new Chain();
    const input = { ...chain.input([give(1, 1, 1)]), proposer: new Uint8Array(32).fill(1) };
    expect(() => executeBlock(input)).toThrow(expect.objectContaining({ code: "chain-altered" }));
  });
});

function applyToModel(model: Map<number, number>, [verb, account, amount]: ToyAction): boolean {
  const balance = model.get(account) ?? 0;
  if (verb === "take" && balance < Number(amount)) return false;
  if (verb === "drop") model.delete(account);
  else model.set(account, verb === "give" ? balance + Number(amount) : balance - Number(amount));
  return true;
}

describe("a stranger's check", () => {
  const chain = longChain();
  const check = (lines: Iterable<unknown>, trusted?: { height: number; hash: Uint8Array }) =>
    verifyChain({ rules, lines, ...(trusted === undefined ? {} : { trusted }) });
  const places = async (lines: Iterable<unknown>) =>
    (await check(lines)).findings.map(({ height, field }) => `${height} ${field}`);
  const altered = (height: number, change: (line: ExportLine) => unknown) =>
    chain.lines().map((line) => (line.height === height ? change(line) : line));

  it("passes the honest chain, and counts", async () => {
    const report = await check(chain.lines(), chain.head);
    expect(report).toEqual({
      ok: true,
      from: 1,
      blocks: 6,
      transactions: 18,
      head: chain.head,
      stateCheckedTo: 6,
      findings: [],
    });
    expect(await check([])).toMatchObject({ ok: true, blocks: 0 });
  });

  it("names block and field of any turned bit", async () => {
    const lines = chain.lines();
    const turn = (hex: string, at: number) => {
      const bytes = fromHex(hex);
      bytes[at % bytes.length]! ^= 1;
      return toHex(bytes);
    };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.nat(), fc.nat(3), async (height, at, where) => {
        const line = lines[height - 1]!;
        const [signature] = line.commit as EmbeddedCommitJson;
        const forged = [
          { ...line, header: turn(line.header, at) },
          { ...line, hash: turn(line.hash, at) },
          { ...line, transactions: line.transactions.map((t, i) => (i === at % 3 ? turn(t, at) : t)) },
          { ...line, commit: [{ ...signature!, signature: turn(signature!.signature, at) }] },
        ][where];
        const report = await check(lines.map((one) => (one === line ? forged : one)));
        expect(report.ok).toBe(false);
        expect(report.findings[0]!.height).toBe(height);
      }),
      { numRuns: 60 },
    );
  });

  it("finds a block left out, given twice, or in the wrong place", async () => {
    const lines = chain.lines();
    expect(await places(lines.filter(({ height }) => height !== 3))).toContain("4 height");
    expect(await places([...lines.slice(0, 3), lines[2], ...lines.slice(3)])).toContain("3 height");
    expect(await places([lines[1], lines[0], ...lines.slice(2)])).toContain("2 height");
    expect((await check(lines.slice(0, 4), chain.head)).findings).toMatchObject([
      { height: 6, field: "hash" },
    ]);
  });

  it("finds a state root that the proposer made up, though everything else fits", async () => {
    const lying = longChain();
    const last = lying.blocks.pop()!;
    lying.blocks.push(signed({ ...last, header: { ...last.header, stateRoot: sha256(u64(1)) } }));
    expect(await places(lying.lines())).toEqual(["6 stateRoot"]);
    // Without the replay nothing shows: hash, links, tree and commit are all in order.
    expect((await check(lying.lines())).findings).toHaveLength(1);
  });

  it("finds a transaction that the rules refuse, with its place", async () => {
    const lying = new Chain();
    lying.grow([give(1, 1, 5)]);
    const honest = executeBlock(lying.input([give(2, 1, 5)]));
    const transactions = [give(2, 1, 5), take(3, 1, 1_000)];
    const template = executeBlock({
      ...lying.input(transactions),
      rules: {
        ...rules,
        apply: (...args) =>
          args[2] === transactions[1] ? { identifier: sha256(transactions[1]) } : rules.apply(...args),
      },
    });
    expect(template.header.stateRoot).toEqual(honest.header.stateRoot);
    lying.blocks.push(signed(template));
    expect((await check(lying.lines())).findings).toMatchObject([
      { height: 2, field: "transactions", transaction: 1 },
    ]);
  });

  it("goes on after what it cannot read, and says where that was", async () => {
    for (const line of [
      null,
      7,
      {},
      { height: 3 },
      "text",
      altered(3, (one) => ({ ...one, header: "zz" }))[2],
    ]) {
      const found = await places(altered(3, () => line));
      expect(found[0]).toBe("3 line");
      expect(found).toHaveLength(1);
    }
    expect(await places(altered(3, (line) => ({ ...line, height: 4 })))).toContain("3 line");
    expect(await places(altered(3, (line) => ({ ...line, transactions: ["AB"] })))).toContain("3 line");
  });

  it("does not pass a chain of another genesis", async () => {
    const other = toyRules(encode([1, "other", proposer.publicKey]));
    const report = await verifyChain({ rules: other, lines: chain.lines() });
    expect(report.findings.map(({ field }) => field)).toContain("commit");
  });
});
