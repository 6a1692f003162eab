/**
 * A stranger recomputes the chain from `ledger genesis` and `ledger export` with node:crypto alone: nothing of ours is
 * imported but what runs the two commands. What CONTRACT says of blocks is written out again here in plain code.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clinic, clinic, run, treeHash } from "./care-home.ts";

interface Line {
  height: number;
  header: string;
  hash: string;
  transactions: string[];
  commit: { publicKey: string; signature: string }[];
}

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const double = (...parts: Uint8Array[]): Buffer => sha256(sha256(...parts));
const hex = (text: string): Buffer => Buffer.from(text, "hex");

function merkleRoot(transactions: readonly Buffer[]): Buffer {
  if (transactions.length === 0) return double(Buffer.alloc(0));
  if (transactions.length === 1) return double(Buffer.of(0), transactions[0]!);
  let split = 1;
  while (2 * split < transactions.length) split *= 2;
  return double(
    Buffer.of(1),
    merkleRoot(transactions.slice(0, split)),
    merkleRoot(transactions.slice(split)),
  );
}

function isSigned(publicKey: string, message: Uint8Array, signature: string): boolean {
  const der = Buffer.concat([hex("302a300506032b6570032100"), hex(publicKey)]);
  return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), hex(signature));
}

/** Everything that a stranger finds wrong with a chain. */
function faults(genesisHex: string, chainId: string, lines: readonly Line[]): string[] {
  const found: string[] = [];
  const genesis = hex(genesisHex);
  if (sha256(Buffer.from("chartseal-v1/ledger/genesis\0"), genesis).toString("hex") !== chainId)
    found.push("chain id");
  let previous: Buffer = Buffer.alloc(32);
  let time = 0n;
  for (const [at, line] of lines.entries()) {
    const wrong = (what: string): void => void found.push(`${what} of block ${at + 1}`);
    const header = hex(line.header);
    const hash = double(header);
    const transactions = line.transactions.map(hex);
    if (header.length !== 156 || header.readUInt32BE(0) !== 1) wrong("version");
    if (line.height !== at + 1 || header.readBigUInt64BE(4) !== BigInt(at + 1)) wrong("height");
    if (!header.subarray(12, 44).equals(previous)) wrong("previous hash");
    if (!header.subarray(44, 76).equals(merkleRoot(transactions))) wrong("Merkle root");
    if (header.readBigUInt64BE(108) < time) wrong("time");
    if (header.readUInt32BE(116) !== transactions.reduce((sum, { length }) => sum + length, 0)) wrong("size");
    if (header.readUInt32BE(120) !== transactions.length) wrong("count");
    if (hash.toString("hex") !== line.hash) wrong("hash");
    const proposer = header.subarray(124, 156);
    if (!genesis.includes(proposer)) wrong("proposer");
    const height = header.subarray(4, 12);
    const message = Buffer.concat([Buffer.from("chartseal-v1/ledger/block\0"), hex(chainId), height, hash]);
    const [commit] = line.commit;
    const own = line.commit.length === 1 && commit?.publicKey === proposer.toString("hex");
    if (commit === undefined || !own || !isSigned(commit.publicKey, message, commit.signature))
      wrong("commit");
    previous = hash;
    time = header.readBigUInt64BE(108);
  }
  return found;
}

describe("a stranger with the genesis and the export", () => {
  let place: Clinic;
  let chain: { chainId: string; genesis: string };
  let lines: Line[];

  beforeAll(async () => {
    place = await clinic();
    const none = { CHARTSEAL_PASSPHRASE: undefined };
    const before = treeHash(place.home);
    chain = (await run(["--home", place.home, "ledger", "genesis", "--json"], none)).json();
    const exported = await run(["--home", place.home, "ledger", "export", "--json"], none);
    lines = exported.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(treeHash(place.home)).toBe(before);
  });
  afterAll(() => place.remove());

  test("recomputes chain id, hashes, Merkle roots, sizes, links and commits, and finds nothing wrong", () => {
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.some(({ transactions }) => transactions.length > 1)).toBe(true);
    expect(faults(chain.genesis, chain.chainId, lines)).toEqual([]);
  });

  test("sees every kind of damage", () => {
    const damaged = (change: (copy: Line[]) => void): string[] => {
      const copy: Line[] = structuredClone(lines);
      change(copy);
      return faults(chain.genesis, chain.chainId, copy);
    };
    const flip = (text: string, at: number): string =>
      `${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}${text.slice(at + 1)}`;
    const crowd = lines.findIndex(({ transactions }) => transactions.length > 1);
    expect(faults(flip(chain.genesis, 40), chain.chainId, lines)).toContain("chain id");
    const header = (copy: Line[]): void => {
      copy[4]!.header = flip(copy[4]!.header, 200);
    };
    expect(damaged(header)).toContain("hash of block 5");
    expect(damaged((copy) => void copy[crowd]!.transactions.reverse())).toContain(
      `Merkle root of block ${crowd + 1}`,
    );
    expect(damaged((copy) => void copy.splice(7, 1))).toContain("height of block 8");
    const commit = (copy: Line[]): void => {
      copy[9]!.commit[0]!.signature = copy[8]!.commit[0]!.signature;
    };
    expect(damaged(commit)).toEqual(["commit of block 10"]);
  });

  test("gets exactly the fields of the contract, byte strings in lower-case hex", () => {
    expect(Object.keys(chain)).toEqual(["chainId", "genesis"]);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(["height", "header", "hash", "transactions", "commit"]);
      expect(line.header).toMatch(/^[0-9a-f]{312}$/);
      for (const { publicKey, signature } of line.commit) {
        expect(publicKey).toMatch(/^[0-9a-f]{64}$/);
        expect(signature).toMatch(/^[0-9a-f]{128}$/);
      }
    }
  });
});
