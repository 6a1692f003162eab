/** The published snapshot and attestation: what we make is the file's, and their parts are read by hand. */
import { readFileSync } from "node:fs";
import { decode, doubleSha256, encode, sha256, toHex } from "@chartseal/crypto";
import { expect, test } from "vitest";
import { decodeAttestation } from "../src/comet/attestations.ts";
import { decodeMetadata } from "../src/comet/snapshot-format.ts";
import { emptyRoot, MemoryNodes, updateState } from "../src/state-tree.ts";
import { snapshotVectors } from "./snapshot-vectors.ts";

const file = new URL("../../../spec/vectors/ledger-snapshot.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8"));
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

test("what we make is what is published, and reads back", () => {
  expect(JSON.parse(JSON.stringify(snapshotVectors()))).toEqual(vectors);
  expect(decodeMetadata(hex(vectors.metadata))).toMatchObject({ height: 1_000, cometHeight: 2_345 });
  expect(toHex(decodeAttestation(hex(vectors.attestation.message)).body)).toBe(vectors.attestation.body);
});

test("the stream by hand: the block, then leaves that give the root in its header", () => {
  const stream = Buffer.from(vectors.stream, "hex");
  const records: Buffer[] = [];
  for (let at = 0; at < stream.length; at += 4 + stream.readUInt32BE(at)) {
    records.push(stream.subarray(at + 4, at + 4 + stream.readUInt32BE(at)));
  }
  const [block, ...leaves] = records;
  const [header, transactions] = decode(new Uint8Array(block!), { sizeMax: 1 << 20 }) as [
    Uint8Array,
    Uint8Array[],
  ];
  expect([toHex(header), transactions.length]).toEqual([vectors.header, 2]);
  const entries = leaves.map((leaf) => {
    const keySize = leaf.readUInt32BE(2);
    expect(leaf[0]).toBe(0);
    return {
      kind: leaf[1]!,
      key: new Uint8Array(leaf.subarray(6, 6 + keySize)),
      value: new Uint8Array(leaf.subarray(6 + keySize)),
    };
  });
  const published = (vectors.entries as [number, string, string][]).map(String);
  expect(entries.map(({ kind, key, value }) => String([kind, toHex(key), toHex(value)])).sort()).toEqual(
    published.sort(),
  );
  const { root } = updateState(new MemoryNodes(), emptyRoot, entries);
  expect(toHex(root)).toBe(vectors.header.slice(152, 216));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += 1_024) chunks.push(sha256(stream.subarray(at, at + 1_024)));
  const metadata = encode([
    1,
    hex(vectors.chainId),
    1_000,
    doubleSha256(header),
    2_345,
    1_024,
    stream.length,
    12,
    new Uint8Array(Buffer.concat(chunks)),
  ]);
  expect([toHex(metadata), toHex(sha256(metadata))]).toEqual([vectors.metadata, vectors.hash]);
});
