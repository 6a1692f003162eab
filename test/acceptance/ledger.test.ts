/** CONTRACT "Blocks" and the rows `ledger …`, `verify`, `status`: a stranger recomputes all of it with node:crypto alone. */
import { createPublicKey, verify as verifySignature } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { fails, hex, homeIn, json, lines, run, sha256, treeOf, workFolder } from "./support.ts";

const folder = workFolder();
let home: string;
let record: string;
beforeAll(async () => {
  home = await homeIn(folder);
  const file = join(folder, "note.txt");
  writeFileSync(file, "a note");
  record = (await json(["seal", file, "--owner", "alice", "--as", "bob"], { home })).recordId;
});

const twice = (bytes: Uint8Array): Buffer => sha256(sha256(bytes));

/** RFC 6962's shape with double SHA-256 and the prefixes of CONTRACT. */
function merkleRoot(items: readonly Buffer[]): Buffer {
  if (items.length === 0) return twice(Buffer.alloc(0));
  if (items.length === 1) return twice(Buffer.concat([Buffer.from([0]), items[0] as Buffer]));
  let split = 1;
  while (split * 2 < items.length) split *= 2;
  return twice(
    Buffer.concat([Buffer.from([1]), merkleRoot(items.slice(0, split)), merkleRoot(items.slice(split))]),
  );
}

function ed25519Holds(publicKey: string, message: Buffer, signature: string): boolean {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(publicKey, "hex")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return verifySignature(null, message, key, Buffer.from(signature, "hex"));
}

test("a stranger recomputes headers, hashes, Merkle roots, sizes and commits from ledger genesis and ledger export", async () => {
  const { chainId, genesis } = await json(["ledger", "genesis"], { home, passphrase: null });
  expect(chainId).toMatch(hex(64));
  const tag = Buffer.from("chartseal-v1/ledger/genesis\0");
  expect(sha256(Buffer.concat([tag, Buffer.from(genesis, "hex")])).toString("hex")).toBe(chainId);
  const blocks = await lines(["ledger", "export"], { home, passphrase: null });
  expect(blocks.length).toBeGreaterThan(20);
  let previous: Buffer = Buffer.alloc(32);
  let before = 0n;
  for (const [at, { height, header: headerHex, hash, transactions, commit }] of blocks.entries()) {
    expect(height).toBe(at + 1);
    expect(headerHex).toMatch(hex(312));
    const header = Buffer.from(headerHex, "hex");
    const bytes = transactions.map((one: string) => {
      expect(one).toMatch(/^[89a-f][0-9a-f]([0-9a-f]{2})*$/);
      return Buffer.from(one, "hex");
    });
    expect(header.readUInt32BE(0)).toBe(1);
    expect(header.readBigUInt64BE(4)).toBe(BigInt(height));
    expect(header.subarray(12, 44).equals(previous)).toBe(true);
    expect(header.subarray(44, 76).equals(merkleRoot(bytes))).toBe(true);
    expect(header.readBigUInt64BE(108)).toBeGreaterThanOrEqual(before);
    expect(header.readUInt32BE(116)).toBe(bytes.reduce((sum: number, one: Buffer) => sum + one.length, 0));
    expect(header.readUInt32BE(120)).toBe(bytes.length);
    expect(twice(header).toString("hex")).toBe(hash);
    expect(commit.length).toBe(1);
    const [{ publicKey, signature }] = commit;
    expect(publicKey).toBe(header.subarray(124, 156).toString("hex"));
    const message = Buffer.concat([
      Buffer.from("chartseal-v1/ledger/block\0"),
      Buffer.from(chainId, "hex"),
      header.subarray(4, 12),
      twice(header),
    ]);
    expect(ed25519Holds(publicKey, message, signature)).toBe(true);
    before = header.readBigUInt64BE(108);
    previous = twice(header);
  }
});

test('ACCOUNT is the first 20 bytes of SHA-256("chartseal-v1/ledger/account\\0" ‖ Ed25519 public key), 40 hex', async () => {
  for (const { member, account } of await json(["member", "list"], { home, passphrase: null })) {
    const shown = await json(["member", "show", member], { home, passphrase: null });
    const tag = Buffer.from("chartseal-v1/ledger/account\0");
    const digest = sha256(Buffer.concat([tag, Buffer.from(shown.publicKey, "hex")]));
    expect([shown.account, account]).toEqual(Array(2).fill(digest.subarray(0, 20).toString("hex")));
  }
});

test("an inclusion receipt is checked offline by anyone, and an altered one is refused", async () => {
  const receipt = join(folder, "receipt.json");
  const proof = await run(["ledger", "prove", record, "--json"], { home, passphrase: null });
  writeFileSync(receipt, proof.text);
  const nowhere = { home: join(folder, "nowhere"), passphrase: null };
  const checked = await json(["ledger", "check-proof", receipt], nowhere);
  expect(checked).toMatchObject({ ok: true, recordId: record });
  const value = JSON.parse(proof.text);
  value.blocks[0].header = value.blocks[0].header.replace(/.$/, (last: string) => (last === "0" ? "1" : "0"));
  writeFileSync(receipt, JSON.stringify(value));
  const refused = await run(["ledger", "check-proof", receipt, "--json"], nowhere);
  expect(refused.code).toBe(4);
  writeFileSync(receipt, "{");
  await fails("input-invalid", ["ledger", "check-proof", receipt], nowhere);
  await fails("record-unknown", ["ledger", "prove", "0".repeat(64)], { home, passphrase: null });
});

test("verify, forensics without --repair, records, policy, ledger … change no byte below DIR and need no passphrase", async () => {
  const before = treeOf(home);
  const options = { home, passphrase: null };
  const verified = await json(["verify"], options);
  expect(verified).toMatchObject({ ok: true, records: 1, objects: 2, orphans: 0, findings: [] });
  for (const count of [verified.blocks, verified.transactions]) expect(Number.isInteger(count)).toBe(true);
  for (const args of [
    ["forensics", "--out", join(folder, "report")],
    ["records"],
    ["record", "show", record],
    ["policy", "check", "doctor@cedars"],
    ["policy", "explain", "doctor@cedars", "--for", "bob"],
    ["ledger", "genesis"],
    ["ledger", "export"],
    ["ledger", "prove", record],
    ["member", "list"],
    ["attributes", "list"],
    ["rule", "list", "--owner", "alice"],
    ["namespace", "list"],
    ["status"],
    ["doctor"],
  ]) {
    const done = await run(args, options);
    expect(done.code, `${args.join(" ")}: ${done.stderr}`).toBe(0);
    expect(treeOf(home), args.join(" ")).toEqual(before);
  }
});
