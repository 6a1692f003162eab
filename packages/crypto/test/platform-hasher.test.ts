/**
 * The thread that hashes beside the caller: over many rounds, with the caller's thread busy or idle between them, every
 * hash is that of its own bytes, in memory that is used again at once.
 */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { type LeafSink, openPayload, sealPayload } from "../src/index.ts";
import { done, given, hashBeside, mark, sharedMemory } from "../src/platform/node-hasher.ts";
import { collect } from "./file-fixtures.ts";

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

it("gives every hash of shared memory its own bytes, however the two threads meet", async () => {
  const buffers = Array.from({ length: 9 }, () => sharedMemory(4096));
  const underWay: { expected: string; hash: Promise<Uint8Array> }[] = [];
  for (let round = 0; round < 20_000; round++) {
    const buffer = buffers[round % buffers.length]!;
    buffer.fill(round & 255);
    buffer[0] = round >> 8;
    const data = buffer.subarray(0, 64 + (round % 4000));
    underWay.push({ expected: sha256(data), hash: hashBeside(data) });
    if (underWay.length >= 8) {
      const { expected, hash } = underWay.shift()!;
      expect(hex(await hash)).toBe(expected);
    }
    if (round % 7 === 0) await new Promise((resume) => setImmediate(resume));
  }
  for (const { expected, hash } of underWay) expect(hex(await hash)).toBe(expected);
});

it("serves no job that is not there, though it is woken for one that it has done already", async () => {
  const words = new Int32Array(new SharedArrayBuffer(256));
  const results = sharedMemory(256);
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL("../src/platform/node-hasher.ts", import.meta.url), {
    workerData: { mark, words, results, port: port2 },
    transferList: [port2 as never],
  });
  try {
    // One job, the whole of memory 7; what the ring holds of an earlier turn, in its next place, is none.
    port1.postMessage([7, sharedMemory(100).buffer]);
    words.set([7, 0, 100, 7, 0, 100], 2);
    Atomics.store(words, given, 1);
    Atomics.notify(words, given);
    while (Atomics.load(words, done) === 0) await setTimeout(5);
    expect(hex(results.slice(0, 32))).toBe(sha256(new Uint8Array(100)));
    // The waker's other half, late: a thread that took it for a job would hand every later hash to another chunk.
    for (let late = 0; late < 20; late++) {
      await setTimeout(2);
      Atomics.notify(words, given);
    }
    expect(Atomics.load(words, done)).toBe(1);
  } finally {
    await worker.terminate();
    port1.close();
  }
});

it("hashes unshared memory too", async () => {
  const data = new Uint8Array(300_000).fill(5);
  expect(hex(await hashBeside(data))).toBe(sha256(data));
});

it("lends chunks and pieces that are right for as long as they are lent", async () => {
  const plain = Uint8Array.from({ length: 40 * 65_536 + 17 }, (_, at) => (at * 31 + (at >> 9)) & 255);
  const leaves: Uint8Array[] = [];
  const onLeaf: LeafSink = (leaf) => void leaves.push(leaf);
  const sealing = sealPayload({ source: [plain], chunkBytes: 65_536, lend: true, onLeaf });
  const stored: Uint8Array[] = [];
  for await (const chunk of sealing.chunks) stored.push(Uint8Array.from(chunk));
  const { length, digest } = await sealing.finished;
  stored.forEach((chunk, at) => {
    expect(hex(leaves[at]!)).toBe(sha256(Buffer.concat([Buffer.of(0), chunk])));
  });
  const list = Uint8Array.from(Buffer.concat(leaves));
  const { fileKey, descriptor, keyCommitment } = sealing;
  const opening = openPayload({
    ...{ fileKey, descriptor, keyCommitment, length, digest, leaves: { list }, lend: true },
    source: (offset, size) => [Buffer.concat(stored).subarray(offset, offset + size)],
  });
  async function* copied(): AsyncGenerator<Uint8Array> {
    for await (const piece of opening) yield Uint8Array.from(piece);
  }
  expect(Buffer.compare(Buffer.from(await collect(copied())), Buffer.from(plain))).toBe(0);
});
