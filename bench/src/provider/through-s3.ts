/**
 * Up and down through the S3 store, and the whole way of a record over it, against the same server driven by the SDK's
 * own plain client with the same size of parts; sides take turns.
 */

import { Readable } from "node:stream";
import { DeleteObjectCommand, GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { S3Server } from "@chartseal/lab";
import { openS3Store } from "@chartseal/storage/s3";
import { blocksOf } from "../file/disk.ts";
import { PayloadStore, type Sealed } from "../file/paths.ts";
import { loadAverage, round } from "../machine.ts";
import { interleaved } from "../measure.ts";
import type { Row } from "../outcome.ts";

const MiB = 2 ** 20;
const partBytes = 8 * MiB;

async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  yield* blocksOf(path);
}

/** A stream for the plain client, whose blocks are its own: it sends some while others are read. */
async function* ownChunksOf(path: string): AsyncGenerator<Uint8Array> {
  for (const block of blocksOf(path)) yield block.slice();
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _chunk of stream) {
    // Only the way counts.
  }
}

export async function s3Row(
  server: S3Server,
  at: { readonly path: string; readonly size: number; readonly folder: string; readonly rounds: number },
): Promise<Row> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
  const store = openS3Store({ endpoint, region, bucket, accessKeyId, secretAccessKey, partBytes });
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const plain = { Bucket: bucket, Key: "plain" };
  const record = await PayloadStore.open(at.folder, store);
  let sealed: Sealed = await record.seal(at.path);
  const upload = async (): Promise<void> => {
    const params = { ...plain, Body: Readable.from(ownChunksOf(at.path), { objectMode: false }) };
    await new Upload({ client, params, partSize: partBytes, queueSize: 4 }).done();
  };
  await upload();
  await store.put("ours", chunksOf(at.path));
  const sides = {
    up: {
      prepare: async () => void (await store.remove("ours")),
      run: () => store.put("ours", chunksOf(at.path)),
    },
    plainUp: { prepare: async () => void (await client.send(new DeleteObjectCommand(plain))), run: upload },
    down: { run: () => drain(store.get("ours")) },
    plainDown: {
      run: async () => {
        const { Body } = await client.send(new GetObjectCommand(plain));
        await drain(Body as unknown as AsyncIterable<Uint8Array>);
      },
    },
    seal: {
      prepare: () => record.remove(sealed),
      run: async () => {
        sealed = await record.seal(at.path);
      },
    },
    open: { run: () => drain(record.read(sealed)) },
  };
  const samples = await interleaved(sides, { rounds: at.rounds });
  store.close();
  client.destroy();
  const speed = (side: keyof typeof sides): number => round((at.size / MiB / samples.median(side)) * 1000, 0);
  return {
    part: "through S3",
    MiB: at.size / MiB,
    "up MiB/s": speed("up"),
    "plain up MiB/s": speed("plainUp"),
    "up ratio": round(samples.ratio("plainUp", "up"), 2),
    "down MiB/s": speed("down"),
    "plain down MiB/s": speed("plainDown"),
    "down ratio": round(samples.ratio("plainDown", "down"), 2),
    "sealed and up MiB/s": speed("seal"),
    "down and opened MiB/s": speed("open"),
    load: loadAverage(),
  };
}
