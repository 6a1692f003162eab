/**
 * A process made to be killed: puts and replaces objects without end and says on standard output which it was
 * acknowledged. An object's first 8 bytes are its seed, its length and content follow from it (crash.test.ts checks).
 */
import { openFilesystemStore } from "../src/index.ts";

export function contentOf(seed: number): Uint8Array {
  const size = 8 + ((seed * 7919) % 400_000);
  const bytes = Buffer.alloc(size);
  for (let i = 8; i < size; i++) bytes[i] = (Math.imul(i, seed | 1) >>> 5) & 255;
  bytes.writeBigUInt64BE(BigInt(seed));
  return bytes;
}

async function* inParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += 50_000) yield bytes.subarray(from, from + 50_000);
}

async function main(folder: string, firstSeed: number): Promise<void> {
  const store = await openFilesystemStore(folder);
  process.stdout.write("ready\n");
  for (let seed = firstSeed; ; seed++) {
    const name = `f${seed % 3}/object-${seed % 10}`;
    await store.put(name, inParts(contentOf(seed)));
    process.stdout.write(`${name} ${seed}\n`);
  }
}

const [folder, firstSeed] = process.argv.slice(2);
if (import.meta.main && folder !== undefined) await main(folder, Number(firstSeed));
