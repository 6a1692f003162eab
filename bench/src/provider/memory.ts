/**
 * One large record through the whole way, in a process of its own as a command's life would have it: two keys derived,
 * sealed, taken by the provider, divided two of three over a server's buckets, read back with its chunks checked, opened.
 * Prints the peak memory and the speeds as JSON.
 *
 *   node memory.js BYTES FOLDER SERVER-AS-JSON
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { join } from "node:path";
import { loadPairing, platform } from "@chartseal/crypto";
import type { S3Server } from "@chartseal/lab";
import { openFilesystemStore, type Place, SplitStore } from "@chartseal/storage";
import { openS3Store } from "@chartseal/storage/s3";
import { PayloadStore } from "../file/paths.ts";
import { peakKiB } from "../peak-memory.ts";

/** CONTRACT, Keys and passphrases. */
const costs = { N: 2 ** 15, r: 8, p: 3, size: 32 };
const blockBytes = 1 << 20;

const [bytes, folder, server] = process.argv.slice(2);
if (bytes === undefined || folder === undefined || server === undefined)
  throw new Error("how many bytes, a folder, an S3 server");
const size = Number(bytes);
const { endpoint, region, bucket, accessKeyId, secretAccessKey } = JSON.parse(server) as S3Server;

function* noise(): Generator<Uint8Array> {
  const block = randomFillSync(new Uint8Array(blockBytes));
  for (let at = 0; at < size; at += block.length) {
    // Every block is another one, and none costs the making of its noise.
    new DataView(block.buffer).setFloat64(0, at);
    yield block.subarray(0, Math.min(block.length, size - at));
  }
}

await loadPairing();
const derive = (name: string) => platform.scrypt(Buffer.from(name), Buffer.alloc(16), costs);
await Promise.all([derive("member"), derive("service")]);
const places = ["north", "south", "west"].map((name): Place => {
  const store = openS3Store({ endpoint, region, bucket, accessKeyId, secretAccessKey, prefix: name });
  return { name, region: "eu", store };
});
const index = {
  entries: await openFilesystemStore(join(folder, "placements", "entries")),
  leftovers: await openFilesystemStore(join(folder, "placements", "leftovers")),
};
const key = (): Uint8Array => randomBytes(32);
const keys = { names: key(), blocks: key(), manifests: key() };
const store = await PayloadStore.open(
  folder,
  new SplitStore({ places, index, keys, placement: { k: 2, n: 3 } }),
);
const start = performance.now();
const sealed = await store.seal(noise());
const between = performance.now();
let opened = 0;
for await (const piece of store.read(sealed)) opened += piece.length;
const end = performance.now();
if (opened !== size) throw new Error(`${opened} of ${size} bytes came back`);
const MiBps = (ms: number): number => size / 2 ** 20 / (ms / 1000);
process.stdout.write(
  JSON.stringify({
    peakMiB: peakKiB() / 1024,
    inMiBps: MiBps(between - start),
    outMiBps: MiBps(end - between),
  }),
);
process.exit(0);
