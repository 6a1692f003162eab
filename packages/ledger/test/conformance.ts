/**
 * What every engine of the ledger must do, run against a factory of one: the embedded engine runs it, the consortium's
 * will run the same. It drives the toy rules (toy-rules.ts) and knows nothing of stores or networks.
 */
import { encode, equalBytes, sha256, toHex, u64 } from "@chartseal/crypto";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Block,
  blockFaults,
  exportLine,
  type Head,
  hashHeader,
  type Ledger,
  type Rules,
  transactionRoot,
  verifyChain,
  verifyStateProof,
  verifyTransactionProof,
} from "../src/index.ts";
import {
  accountKey,
  balanceKind,
  balanceOf,
  proposerKind,
  refusals,
  seenKind,
  toyTransaction,
} from "./toy-rules.ts";

export interface EngineFactory {
  /** A fresh chain under the toy rules. */
  make(): Promise<{ ledger: Ledger; rules: Rules; reopen(): Promise<Ledger>; dispose(): Promise<void> }>;
}

const give = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["give", account, amount]);
const take = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["take", account, amount]);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

export function conformance(name: string, factory: EngineFactory): void {
  let made: Awaited<ReturnType<EngineFactory["make"]>> | undefined;
  const open = async () => {
    made = await factory.make();
    return made;
  };
  afterEach(async () => {
    await made?.dispose();
    made = undefined;
  });
  const balance = async (ledger: Ledger, account: number) =>
    balanceOf(await ledger.read(balanceKind, accountKey(account)));

  describe(`${name}: the chain`, () => {
    it("begins at height 0 with the genesis' state and no blocks", async () => {
      const { ledger, rules } = await open();
      expect(ledger.chainId).toEqual(rules.chainId);
      expect(ledger.genesis).toEqual(rules.genesis);
      const head = await ledger.head();
      expect([head.height, toHex(head.hash)]).toEqual([0, "00".repeat(32)]);
      expect(await all(ledger.blocks(1))).toEqual([]);
      expect(await ledger.block(1)).toBeUndefined();
      // What stands in the genesis is read before the first block, and so is that something does not.
      expect(await ledger.read(proposerKind, new Uint8Array())).toHaveLength(32);
      expect(await ledger.read(balanceKind, accountKey(1))).toBeUndefined();
      await expect(ledger.prove(balanceKind, accountKey(1))).rejects.toMatchObject({ code: "input-invalid" });
    });

    it("answers a submit with the block that holds the transaction", async () => {
      const { ledger } = await open();
      const transaction = give(1, 7, 5);
      const submitted = await ledger.submit(transaction);
      expect(submitted.identifier).toEqual(sha256(transaction));
      const block = (await ledger.block(submitted.height)) as Block;
      expect(block.transactions[submitted.index]).toEqual(transaction);
      expect(block.hash).toEqual(submitted.blockHash);
      expect((await ledger.head()).hash).toEqual(submitted.blockHash);
      expect(await balance(ledger, 7)).toBe(5);
    });

    it("links blocks that hold together, with times that never go back", async () => {
      const { ledger } = await open();
      for (let i = 0; i < 5; i++) await ledger.submit(give(i, i, 1));
      const blocks = await all(ledger.blocks(1));
      expect(blocks).toHaveLength((await ledger.head()).height);
      let previous: Head = {
        height: 0,
        hash: new Uint8Array(32),
        stateRoot: new Uint8Array(32),
        timestampMs: 0,
      };
      for (const block of blocks) {
        expect(blockFaults(block, ledger.chainId, previous)).toEqual([]);
        expect(block.hash).toEqual(hashHeader(block.header));
        expect(block.header.merkleRoot).toEqual(transactionRoot(block.transactions));
        previous = { ...block.header, hash: block.hash };
      }
      expect((await all(ledger.blocks(2, 3))).map(({ header }) => header.height)).toEqual([2, 3]);
    });

    it("gives a stranger an export that checks, replay and all", async () => {
      const { ledger, rules } = await open();
      await Promise.all(Array.from({ length: 20 }, (_, i) => ledger.submit(give(i, i % 4, i + 1))));
      await ledger.submit(take(99, 3, 2));
      const lines = (await all(ledger.blocks(1))).map((block) =>
        JSON.parse(JSON.stringify(exportLine(block))),
      );
      const report = await verifyChain({ rules, lines, trusted: await ledger.head() });
      expect(report).toMatchObject({ ok: true, transactions: 21, findings: [] });
      expect(report.stateCheckedTo).toBe(report.blocks);
    });
  });

  describe(`${name}: submitting`, () => {
    it("refuses what the rules refuse, with number and name, and keeps nothing of it", async () => {
      const { ledger } = await open();
      await ledger.submit(give(1, 1, 3));
      const before = await ledger.head();
      await expect(ledger.submit(take(2, 1, 4))).rejects.toMatchObject({
        code: "transaction-refused",
        data: { refusal: refusals.poor, name: "poor" },
      });
      await expect(ledger.submit(give(1, 1, 3))).rejects.toMatchObject({ code: "transaction-refused" });
      expect(await ledger.head()).toEqual(before);
      expect(await balance(ledger, 1)).toBe(3);
      expect(await ledger.read(seenKind, sha256(take(2, 1, 4)))).toBeUndefined();
    });

    it("refuses one of many and keeps the others, in one block where they come together", async () => {
      const { ledger } = await open();
      const results = await Promise.allSettled([
        ledger.submit(give(1, 1, 3)),
        ledger.submit(take(2, 1, 100)),
        ledger.submit(take(3, 1, 2)),
        ledger.submit(give(1, 1, 3)),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
      expect(await balance(ledger, 1)).toBe(1);
      const blocks = await all(ledger.blocks(1));
      expect(blocks.flatMap(({ transactions }) => transactions)).toEqual([give(1, 1, 3), take(3, 1, 2)]);
    });

    it("takes no transaction that is not CBOR of at most 256 KiB", async () => {
      const { ledger } = await open();
      for (const bytes of [
        new Uint8Array(),
        Uint8Array.of(0x7f),
        new Uint8Array(256 * 1024 + 1).fill(0x80),
      ]) {
        await expect(ledger.submit(bytes)).rejects.toMatchObject({ code: "input-invalid" });
      }
      expect((await ledger.head()).height).toBe(0);
    });

    it("lets a transaction name any block before its own, and no other", async () => {
      const { ledger } = await open();
      await ledger.submit(give(1, 1, 1));
      const first = await ledger.head();
      await ledger.submit(give(2, 1, 1));
      const second = await ledger.head();
      for (const [nonce, head] of [first, second].entries()) {
        await ledger.submit(toyTransaction(10 + nonce, ["name", head.height, head.hash]));
      }
      const lie = first.hash.map((byte) => byte ^ 1);
      for (const [height, hash] of [
        [1, lie],
        [99, first.hash],
      ] as const) {
        const naming = ledger.submit(toyTransaction(20, ["name", height, hash]));
        await expect(naming).rejects.toMatchObject({ data: { name: "block-unknown" } });
      }
    });
  });

  describe(`${name}: reading and proving`, () => {
    it("proves every value and every absence at every height", async () => {
      const { ledger } = await open();
      for (let i = 1; i <= 4; i++) await ledger.submit(give(i, i % 2, 10 * i));
      await ledger.submit(toyTransaction(5, ["drop", 0]));
      const expected = [
        [0, 10],
        [20, 10],
        [20, 40],
        [60, 40],
        [null, 40],
      ];
      for (const [at, values] of expected.entries()) {
        for (const [account, amount] of values.entries()) {
          const proved = await ledger.prove(balanceKind, accountKey(account), at + 1);
          const value = amount === null || amount === 0 ? null : encode(amount);
          expect(proved.value).toEqual(value);
          expect(proved.header.height).toBe(at + 1);
          const { stateRoot } = proved.header;
          expect(verifyStateProof(stateRoot, balanceKind, accountKey(account), value, proved.proof)).toBe(
            true,
          );
          const lie = encode(12_345);
          expect(verifyStateProof(stateRoot, balanceKind, accountKey(account), lie, proved.proof)).toBe(
            false,
          );
        }
      }
    });

    it("finds a transaction by its identifier, with a proof for its place in its block and no other", async () => {
      const { ledger } = await open();
      const transactions = Array.from({ length: 7 }, (_, i) => give(i, i, 1));
      const submitted = await Promise.all(transactions.map((transaction) => ledger.submit(transaction)));
      for (const [i, { identifier, height, index }] of submitted.entries()) {
        const found = (await ledger.transaction(identifier))!;
        expect([found.height, found.index]).toEqual([height, index]);
        expect(found.bytes).toEqual(transactions[i]);
        const { merkleRoot: root, transactionCount: count } = found.header;
        const claim = { root, count, index, transaction: found.bytes, proof: found.proof };
        expect(verifyTransactionProof(claim)).toBe(true);
        expect(verifyTransactionProof({ ...claim, index: (index + 1) % count })).toBe(false);
        expect(verifyTransactionProof({ ...claim, transaction: transactions[(i + 1) % 7]! })).toBe(false);
      }
      expect(await ledger.transaction(sha256(u64(1)))).toBeUndefined();
    });
  });

  describe(`${name}: watching and closing`, () => {
    it("watches from a height: what is there, then each new block, once", async () => {
      const { ledger } = await open();
      await ledger.submit(give(1, 1, 1));
      await ledger.submit(give(2, 1, 1));
      const seen: number[] = [];
      const watching = (async () => {
        for await (const block of ledger.watch(2)) {
          seen.push(block.header.height);
          if (seen.length === 3) break;
        }
      })();
      await ledger.submit(give(3, 1, 1));
      await ledger.submit(give(4, 1, 1));
      await watching;
      expect(seen).toEqual([2, 3, 4]);
    });

    it("ends a watch on close and on abort", async () => {
      const { ledger } = await open();
      const stop = new AbortController();
      const heights: number[] = [];
      const aborted = (async () => {
        for await (const block of ledger.watch(1, stop.signal)) {
          heights.push(block.header.height);
          stop.abort();
        }
      })();
      const idle = all(ledger.watch(1_000, stop.signal));
      const closed = all(ledger.watch(1_000));
      await ledger.submit(give(1, 1, 1));
      await aborted;
      expect(heights).toEqual([1]);
      expect(await idle).toEqual([]);
      await ledger.close();
      expect(await closed).toEqual([]);
    });

    it("answers nothing once closed", async () => {
      const { ledger } = await open();
      await ledger.close();
      await ledger.close();
      await expect(ledger.submit(give(1, 1, 1))).rejects.toMatchObject({ code: "ledger-unreachable" });
      await expect(ledger.head()).rejects.toMatchObject({ code: "ledger-unreachable" });
      await expect(ledger.transaction(u64(1))).rejects.toMatchObject({ code: "ledger-unreachable" });
    });

    it("finishes on close what was submitted before", async () => {
      const { ledger, reopen } = await open();
      const waiting = ledger.submit(give(1, 1, 4));
      await ledger.close();
      expect((await waiting).height).toBe(1);
      expect(await balance(await reopen(), 1)).toBe(4);
    });

    it("has the same head, state and proofs after it was closed and opened again", async () => {
      const { ledger, reopen } = await open();
      for (let i = 0; i < 3; i++) await ledger.submit(give(i, 1, 2));
      const [head, proved] = [await ledger.head(), await ledger.prove(balanceKind, accountKey(1), 2)];
      await ledger.close();
      const again = await reopen();
      expect(await again.head()).toEqual(head);
      expect(await again.prove(balanceKind, accountKey(1), 2)).toEqual(proved);
      const next = await again.submit(give(9, 1, 2));
      expect(next.height).toBe(head.height + 1);
      expect(equalBytes((await again.block(next.height))!.header.previousHash, head.hash)).toBe(true);
    });
  });
}
