/**
 * Snapshots between two applications without a node: what the one gives the other comes up with, what a liar gives it does
 * not, and a restore that was broken off leaves nothing.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encode, sha256, toHex, u64, utf8 } from "@chartseal/crypto";
import Database from "better-sqlite3";
import {
  ResponseApplySnapshotChunk_Result as Applied,
  ResponseOfferSnapshot_Result as Offered,
  Request,
  type Response,
  type Snapshot,
} from "cosmjs-types/tendermint/abci/types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Application } from "../src/comet/application.ts";
import { CometStore } from "../src/comet/comet-store.ts";
import { verifyComet } from "../src/comet/reader.ts";
import {
  decodeMetadata,
  encodeMetadata,
  framedRecord,
  type SnapshotMetadata,
} from "../src/comet/snapshot-format.ts";
import { cometChainId } from "../src/index.ts";
import { cometAddress } from "../src/light/hashes.ts";
import { encodeNode, readState, statePath } from "../src/state-tree.ts";
import { lightBlock } from "./comet-fixture.ts";
import { proposer } from "./embedded-home.ts";
import { accountKey, balanceKind, balanceOf, toyGenesis, toyRules, toyTransaction } from "./toy-rules.ts";

const nowMs = 1_700_000_000_000;
const rules = { ...toyRules(toyGenesis(proposer.publicKey)), proposers: () => [proposer.publicKey] };
const chunkBytes = 1_024;

interface Node {
  readonly directory: string;
  store: CometStore;
  application: Application;
  readonly failures: unknown[];
}

const opened: Node[] = [];
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "chartseal-snapshots-"));
});
afterEach(async () => {
  for (const node of opened.splice(0)) await shut(node);
  rmSync(root, { recursive: true, force: true });
});

async function shut({ application, store }: Node): Promise<void> {
  await application.close();
  store.close();
}

function start(node: Pick<Node, "directory" | "failures">, blocks: number) {
  const store = CometStore.open(node.directory, rules);
  const failed = (error: unknown) => node.failures.push(error);
  const parts = { store, rules, now: () => nowMs, snapshots: { blocks, chunkBytes, failed } };
  return { store, application: new Application(parts, { committed() {}, refused() {} }) };
}

function open(name: string, blocks = 10): Node {
  const empty = { directory: join(root, name), failures: [] as unknown[] };
  const node = { ...empty, ...start(empty, blocks) };
  opened.push(node);
  return node;
}

/** As after the end of its process. */
async function reopen(node: Node, blocks = 10): Promise<void> {
  await shut(node);
  Object.assign(node, start(node, blocks));
}

const ask = async ({ application }: Node, request: object): Promise<Response> =>
  application.handle(Request.fromPartial(request as never));

async function begin(node: Node): Promise<void> {
  const initChain = {
    chainId: cometChainId(toHex(rules.chainId)),
    initialHeight: 1n,
    appStateBytes: utf8(JSON.stringify({ genesis: toHex(rules.genesis) })),
    validators: [{ pubKey: { ed25519: proposer.publicKey }, power: 10n }],
  };
  await ask(node, { initChain });
}

/** One height of CometBFT, with a block of ours if it has transactions. */
async function decide(node: Node, height: number, txs: readonly Uint8Array[]): Promise<string> {
  const time = { seconds: BigInt(Math.floor(nowMs / 1000) + height), nanos: 0 };
  const finalizeBlock = {
    height: BigInt(height),
    txs: [...txs],
    time,
    proposerAddress: cometAddress(proposer.publicKey),
  };
  const answer = await ask(node, { finalizeBlock });
  await ask(node, { commit: {} });
  return toHex(answer.finalizeBlock!.appHash);
}

const gifts = (height: number) =>
  [0, 1, 2].map((i) => toyTransaction(3 * height + i, ["give", 3 * height + i, 7]));

/** A chain of so many blocks of ours at CometBFT's even heights. */
async function grown(name: string, blocks: number): Promise<Node> {
  const node = open(name);
  await begin(node);
  for (let height = 1; height <= blocks; height++) {
    await decide(node, 2 * height, gifts(height));
    await decide(node, 2 * height + 1, []);
    // A snapshot that is due while another is taken comes later: here each is to be seen.
    if (height % 10 === 0) await snapshotAt(node, 2 * height);
  }
  return node;
}

async function listed(node: Node): Promise<Snapshot[]> {
  return (await ask(node, { listSnapshots: {} })).listSnapshots!.snapshots;
}

async function snapshotAt(node: Node, cometHeight: number): Promise<Snapshot> {
  for (let tries = 0; tries < 500; tries++) {
    const found = (await listed(node)).find(({ height }) => Number(height) === cometHeight);
    if (found !== undefined) return found;
    await sleep(10);
  }
  throw new Error(`no snapshot was taken at ${cometHeight}: ${node.failures}`);
}

async function chunksOf(node: Node, { height, format, chunks }: Snapshot): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let chunk = 0; chunk < chunks; chunk++) {
    const answer = await ask(node, { loadSnapshotChunk: { height, format, chunk } });
    all.push(answer.loadSnapshotChunk!.chunk);
  }
  return all;
}

async function offer(node: Node, snapshot: Snapshot, appHash: Uint8Array): Promise<Offered> {
  return (await ask(node, { offerSnapshot: { snapshot, appHash } })).offerSnapshot!.result;
}

async function apply(node: Node, index: number, chunk: Uint8Array, sender = "friend") {
  return (await ask(node, { applySnapshotChunk: { index, chunk, sender } })).applySnapshotChunk!;
}

/** The snapshot of a node's block with its bytes, and the app hash that a light client would have verified. */
async function givenBy(node: Node, block: number) {
  const snapshot = await snapshotAt(node, 2 * block);
  const appHash = node.store.chain.block(block)!.hash;
  return { snapshot, appHash, chunks: await chunksOf(node, snapshot) };
}

describe("a snapshot", () => {
  it("brings a node to the state of the one that gave it, and both go on alike", async () => {
    const source = await grown("source", 20);
    const { snapshot, appHash, chunks } = await givenBy(source, 20);
    expect(chunks.length).toBeGreaterThan(5);
    const joining = open("joining");
    expect(await offer(joining, snapshot, appHash)).toBe(Offered.ACCEPT);
    for (const [index, chunk] of chunks.entries()) {
      // Until the last one is there the node's own store has nothing.
      expect(joining.store.chain.height()).toBe(0);
      expect((await apply(joining, index, chunk)).result).toBe(Applied.ACCEPT);
    }
    const { info } = await ask(joining, { info: {} });
    expect([info!.lastBlockHeight, toHex(info!.lastBlockAppHash)]).toEqual([40n, toHex(appHash)]);
    expect(joining.application.head).toEqual(source.application.head);
    expect([joining.store.chain.base(), joining.store.firstUnsealed()]).toEqual([
      20,
      { height: 20, comet: 40 },
    ]);
    // It has no part of the chain's beginning, and the proposer of the next block is known from the state.
    expect(joining.store.chain.block(19)).toBeUndefined();
    await decide(joining, 41, []);
    for (let height = 21; height <= 25; height++) {
      const here = await decide(joining, 2 * height, gifts(height));
      expect(here).toBe(await decide(source, 2 * height, gifts(height)));
    }
    await reopen(joining);
    const { stateRoot } = joining.application.head;
    expect(stateRoot).toEqual(source.application.head.stateRoot);
    for (const account of [3, 33, 60, 70]) {
      const value = readState(joining.store.chain.tree(25), stateRoot, balanceKind, accountKey(account));
      expect(balanceOf(value)).toBe(7);
    }
    expect(joining.failures).toEqual([]);
  });

  it("is the same bytes from every node, one that joined by a snapshot too", async () => {
    const [first, second] = [await grown("first", 20), await grown("second", 20)];
    const [one, other] = [await givenBy(first, 20), await givenBy(second, 20)];
    expect(toHex(one.snapshot.hash)).toBe(toHex(other.snapshot.hash));
    expect(one.chunks.map((chunk) => toHex(chunk))).toEqual(other.chunks.map((chunk) => toHex(chunk)));
    const joined = open("joined");
    await offer(joined, one.snapshot, one.appHash);
    for (const [index, chunk] of one.chunks.entries()) await apply(joined, index, chunk);
    await decide(joined, 41, []);
    for (const node of [first, joined]) {
      for (let height = 21; height <= 30; height++) await decide(node, 2 * height, gifts(height));
    }
    expect(toHex((await snapshotAt(first, 60)).hash)).toBe(toHex((await snapshotAt(joined, 60)).hash));
  });

  it("is taken every so many blocks, and the last two are kept, after a restart too", async () => {
    const node = await grown("node", 30);
    const heights = async () => (await listed(node)).map(({ height }) => Number(height)).sort();
    expect(await heights()).toEqual([40, 60]);
    expect(readdirSync(join(node.directory, "ledger", "snapshots")).sort()).toEqual(["40", "60"]);
    await reopen(node);
    expect(await heights()).toEqual([40, 60]);
    // One that is not whole is no snapshot; the last one that is due is taken anew.
    await shut(node);
    rmSync(join(node.directory, "ledger", "snapshots", "60", "metadata"));
    Object.assign(node, start(node, 10));
    await snapshotAt(node, 60);
  });

  it("is not taken where it is turned off", async () => {
    const node = open("node", 0);
    await begin(node);
    for (let height = 1; height <= 12; height++) await decide(node, height, gifts(height));
    await sleep(50);
    expect(await listed(node)).toEqual([]);
  });
});

describe("the check of a ledger that began with a snapshot", () => {
  const key = { ...proposer, power: 10 };
  const inForce = { ...rules, validators: () => [{ publicKey: proposer.publicKey, stake: 10 }] };

  /** Block 20 by a snapshot and five more, each with its commit, of which only the last is missing. */
  async function joined(): Promise<Node> {
    const source = await grown("source", 20);
    const { snapshot, appHash, chunks } = await givenBy(source, 20);
    const node = open("joining");
    await offer(node, snapshot, appHash);
    for (const [index, chunk] of chunks.entries()) await apply(node, index, chunk);
    await decide(node, 41, []);
    for (let height = 21; height <= 26; height++) await decide(node, 2 * height, gifts(height));
    const chainId = cometChainId(toHex(rules.chainId));
    for (let height = 20; height <= 25; height++) {
      const { hash } = node.store.chain.block(height)!;
      node.store.seal(
        height,
        lightBlock({ chainId, height: 2 * height + 1, validators: [key], appHash: hash }),
      );
    }
    return node;
  }

  const check = async ({ directory }: Node) => {
    const { findings, ...report } = await verifyComet({ directory, rules: inForce });
    return { ...report, findings: findings.map(({ height, field }) => `${height} ${field}`) };
  };

  it("is of its block, all of its state and what came after, and says from where on", async () => {
    const node = await joined();
    const sound = { ok: true, findings: [], from: 20, blocks: 6, transactions: 18, stateCheckedTo: 25 };
    expect(await check(node)).toMatchObject(sound);
  });

  it("is of nothing as long as its block has no commit yet", async () => {
    const source = await grown("source", 20);
    const { snapshot, appHash, chunks } = await givenBy(source, 20);
    const node = open("joining");
    await offer(node, snapshot, appHash);
    for (const [index, chunk] of chunks.entries()) await apply(node, index, chunk);
    expect(await check(node)).toMatchObject({ ok: true, blocks: 0, findings: [] });
  });

  const leaf = "(SELECT min(id) FROM nodes WHERE id > 10)";
  const innerRow = "(SELECT min(id) + 1 FROM inner_nodes WHERE length(nodes) = 16 * 77)";
  it.each([
    [
      "a leaf of its state, which no later block touches",
      `UPDATE nodes SET node = zeroblob(60) WHERE id = ${leaf}`,
      "20 stateRoot",
    ],
    ["a node of its state that is missing", `DELETE FROM nodes WHERE id = ${leaf}`, "20 stateRoot"],
    [
      "inner nodes of its state, which no later block touches",
      `UPDATE inner_nodes SET nodes = zeroblob(length(nodes)) WHERE id = ${innerRow}`,
      "20 stateRoot",
    ],
    [
      "its block's transactions",
      "UPDATE blocks SET transactions = (SELECT transactions FROM blocks WHERE height = 21) WHERE height = 20",
      "20 merkleRoot",
    ],
    [
      "its block's commit",
      "UPDATE made SET seal = (SELECT seal FROM made WHERE height = 21) WHERE height = 20",
      "20 commit",
    ],
    [
      "a later block's transactions",
      "UPDATE blocks SET transactions = (SELECT transactions FROM blocks WHERE height = 23) WHERE height = 22",
      "22 merkleRoot",
    ],
    [
      "a later block's commit",
      "UPDATE made SET seal = (SELECT seal FROM made WHERE height = 25) WHERE height = 24",
      "24 commit",
    ],
    ["a later block that is missing", "DELETE FROM blocks WHERE height = 23", "23 line"],
    ["the index of transactions", "DELETE FROM transactions WHERE height = 22 AND position = 1", "22 store"],
  ])("finds %s", async (_, damage, finding) => {
    const node = await joined();
    await shut(opened.pop()!);
    const database = new Database(join(node.directory, "ledger", "comet.sqlite"));
    expect(database.prepare(damage).run().changes).toBe(1);
    database.close();
    const found = await check(node);
    expect([found.ok, found.findings]).toEqual([false, expect.arrayContaining([finding])]);
  });

  it("finds a commit by validators whom the state does not hold", async () => {
    const node = await joined();
    const others = { ...rules, validators: () => [{ publicKey: proposer.publicKey, stake: 11 }] };
    const { findings } = await verifyComet({ directory: node.directory, rules: others });
    expect(findings[0]).toMatchObject({ height: 20, field: "commit" });
  });
});

describe("a liar", () => {
  it("sends a chunk with one bit changed: it is asked of another, and the restore goes on", async () => {
    const { snapshot, appHash, chunks } = await givenBy(await grown("source", 10), 10);
    const joining = open("joining");
    await offer(joining, snapshot, appHash);
    for (const [index, chunk] of chunks.entries()) {
      const bad = Uint8Array.from(chunk);
      bad[17]! ^= 1;
      expect(await apply(joining, index, bad, "liar")).toEqual({
        result: Applied.RETRY,
        refetchChunks: [index],
        rejectSenders: ["liar"],
      });
      expect((await apply(joining, index, chunk)).result).toBe(Applied.ACCEPT);
    }
    expect(joining.application.head.height).toBe(10);
    expect(joining.failures).toHaveLength(chunks.length);
  });

  it("offers the snapshot of another chain's block, or one whose name does not fit", async () => {
    const { snapshot, appHash } = await givenBy(await grown("source", 10), 10);
    const joining = open("joining");
    const wrong: [Snapshot, Uint8Array, Offered][] = [
      [snapshot, sha256(utf8("the light client's")), Offered.REJECT_SENDER],
      [{ ...snapshot, hash: new Uint8Array(32) }, appHash, Offered.REJECT_SENDER],
      [{ ...snapshot, height: 21n }, appHash, Offered.REJECT_SENDER],
      [{ ...snapshot, chunks: snapshot.chunks + 1 }, appHash, Offered.REJECT_SENDER],
      [{ ...snapshot, metadata: snapshot.metadata.slice(1) }, appHash, Offered.REJECT_SENDER],
      [{ ...snapshot, format: 2 }, appHash, Offered.REJECT_FORMAT],
    ];
    for (const [told, hash, result] of wrong) expect(await offer(joining, told, hash)).toBe(result);
    expect((await apply(joining, 0, new Uint8Array(8))).result).toBe(Applied.REJECT_SNAPSHOT);
    expect(joining.store.isReplaceable()).toBe(true);
  });

  it("makes up a state with chunks that have their hashes: the state root refuses it, and the store has nothing", async () => {
    // An account with a balance that nobody gave it, in a snapshot that is whole in itself.
    const source = await grown("source", 10);
    const { snapshot, appHash, chunks } = await givenBy(source, 10);
    const stream = Buffer.concat(chunks);
    const key = accountKey(3);
    const record = (amount: number) => {
      const node = { type: "leaf", kind: balanceKind, key, value: encode(amount) } as const;
      return Buffer.from(framedRecord(encodeNode({ ...node, path: statePath(balanceKind, key) })));
    };
    const at = stream.indexOf(record(7));
    expect(at).toBeGreaterThan(0);
    const forgeries: [Buffer, number][] = [
      // Another balance, one leaf less, one leaf twice, something behind the end.
      [Buffer.concat([stream.subarray(0, at), record(9), stream.subarray(at + record(7).length)]), 0],
      [Buffer.concat([stream.subarray(0, at), stream.subarray(at + record(7).length)]), -1],
      [Buffer.concat([stream.subarray(0, at), record(7), stream.subarray(at)]), 1],
      [Buffer.concat([stream, Buffer.from([0])]), 0],
    ];
    for (const [forged, leaves] of forgeries) {
      const joining = open(`joining ${forged.length} ${leaves}`);
      const told = forgery(decodeMetadata(snapshot.metadata), forged, leaves);
      expect(await offer(joining, { ...snapshot, ...told.snapshot }, appHash)).toBe(Offered.ACCEPT);
      const results: Applied[] = [];
      for (const [index, chunk] of told.chunks.entries()) {
        const { result, rejectSenders } = await apply(joining, index, chunk, "liar");
        results.push(result);
        if (result !== Applied.ACCEPT) expect(rejectSenders).toEqual(["liar"]);
        if (result !== Applied.ACCEPT) break;
      }
      expect(results.at(-1)).toBe(Applied.REJECT_SNAPSHOT);
      expect(joining.application.head.height).toBe(0);
      expect(existsSync(join(joining.directory, "ledger", "restoring.sqlite"))).toBe(false);
      // An honest one afterwards is taken.
      expect(await offer(joining, snapshot, appHash)).toBe(Offered.ACCEPT);
      for (const [index, chunk] of chunks.entries()) await apply(joining, index, chunk);
      expect(joining.application.head.height).toBe(10);
    }
  });

  function forgery(honest: SnapshotMetadata, stream: Buffer, leaves: number) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += chunkBytes) {
      chunks.push(new Uint8Array(stream.subarray(at, at + chunkBytes)));
    }
    const metadata = encodeMetadata({
      ...honest,
      streamBytes: stream.length,
      leafCount: honest.leafCount + leaves,
      chunks: chunks.map((chunk) => sha256(chunk)),
    });
    return { chunks, snapshot: { chunks: chunks.length, metadata, hash: sha256(metadata) } };
  }
});

describe("a restore that is broken off", () => {
  it("leaves the store as it was, and begins again", async () => {
    const { snapshot, appHash, chunks } = await givenBy(await grown("source", 10), 10);
    const joining = open("joining");
    await offer(joining, snapshot, appHash);
    await apply(joining, 0, chunks[0]!);
    const left = join(joining.directory, "ledger", "restoring.sqlite");
    expect(existsSync(left)).toBe(true);
    const half = readFileSync(left);
    await reopen(joining);
    // What a killed process leaves, which nobody closed.
    writeFileSync(left, half);
    await reopen(joining);
    expect([joining.application.head.height, existsSync(left)]).toEqual([0, false]);
    // CometBFT that was killed itself offers another while one is under way.
    expect(await offer(joining, snapshot, appHash)).toBe(Offered.ACCEPT);
    await apply(joining, 0, chunks[0]!);
    expect(await offer(joining, snapshot, appHash)).toBe(Offered.ACCEPT);
    for (const [index, chunk] of chunks.entries()) await apply(joining, index, chunk);
    expect(joining.application.head.height).toBe(10);
  });

  it("after its end is done once more where CometBFT forgot it, and never over a chain that went on", async () => {
    const source = await grown("source", 10);
    const { snapshot, appHash, chunks } = await givenBy(source, 10);
    const joining = open("joining");
    for (let times = 0; times < 2; times++) {
      expect(await offer(joining, snapshot, appHash)).toBe(Offered.ACCEPT);
      for (const [index, chunk] of chunks.entries()) await apply(joining, index, chunk);
      await reopen(joining);
      expect(joining.application.head.height).toBe(10);
    }
    await decide(joining, 21, []);
    expect(await offer(joining, snapshot, appHash)).toBe(Offered.ABORT);
    expect(await offer(source, snapshot, appHash)).toBe(Offered.ABORT);
    expect(source.failures.at(-1)).toMatchObject({ code: "input-invalid" });
  });
});

describe("metadata", () => {
  it("is read strictly", async () => {
    const { snapshot } = await givenBy(await grown("source", 10), 10);
    const right = decodeMetadata(snapshot.metadata);
    expect(encodeMetadata(right)).toEqual(snapshot.metadata);
    const wrong: Partial<SnapshotMetadata>[] = [
      { chunkBytes: 1_023 },
      { chunkBytes: 4 * 1024 * 1024 + 1 },
      { streamBytes: right.streamBytes + chunkBytes },
      { chunks: right.chunks.slice(1) },
      { height: 0 },
      { leafCount: 0 },
      { chainId: u64(1) },
    ];
    for (const change of wrong) {
      expect(() => decodeMetadata(encodeMetadata({ ...right, ...change }))).toThrow("not a snapshot");
    }
  });
});
