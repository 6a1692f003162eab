/** The S3 store over a real server: the contract of every store, and what only a bucket has. */

import { PutBucketVersioningCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { type S3Server, startVersitygw } from "@chartseal/lab";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { openS3Store, type S3Options, type S3Store } from "../src/s3/index.ts";
import { collect, conformance, names, patternBytes, source } from "./conformance.ts";

const MiB = 2 ** 20;

/** The SDK by itself, for what no store does. */
function openS3Client({ endpoint, region, accessKeyId, secretAccessKey }: S3Server): S3Client {
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
}

describeTool("versitygw", "the S3 store over versitygw", (program) => {
  let server: S3Server;
  let stores = 0;
  const opened: S3Store[] = [];

  beforeAll(async () => {
    server = await startVersitygw(program);
  });
  afterAll(async () => {
    for (const store of opened) store.close();
    await server?.stop();
  });

  function open(options: Partial<S3Options> = {}): S3Store {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
    const at = { endpoint, region, bucket, accessKeyId, secretAccessKey };
    const store = openS3Store({ ...at, prefix: `p${stores++}/objects`, ...options });
    opened.push(store);
    return store;
  }

  conformance("The S3 store", async () => {
    const store = open({ partBytes: 5 * MiB });
    return { store, unfinished: () => store.unfinished() };
  });

  describe("beyond the contract", () => {
    it.each([5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 17 * MiB])(
      "an object of %i bytes comes back",
      async (size) => {
        const store = open({ partBytes: 5 * MiB });
        const bytes = patternBytes(size);
        expect(await store.put("a", source(bytes, 100_003))).toEqual({ size });
        expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
        expect(await store.unfinished()).toBe(0);
      },
    );

    it("parts that come by pre-signed URLs are one object, completed once and told so again", async () => {
      const store = open({ partBytes: 5 * MiB });
      const { direct } = store;
      expect(direct.partSizes.map(({ bytes }) => bytes)).toEqual([5 * MiB, 24 * MiB, 128 * MiB]);
      const bytes = patternBytes(5 * MiB + 10);
      const uploadId = await direct.openUpload("d");
      const put = async (number: number, part: Uint8Array<ArrayBuffer>): Promise<number> => {
        const of = { uploadId, number, size: part.length, expiresMs: 60_000 };
        return (await fetch(await direct.partUrl("d", of), { method: "PUT", body: part })).status;
      };
      const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });
      const size = bytes.length;
      const complete = (expected = size) => direct.completeUpload("d", { uploadId, size: expected });
      await expect(complete()).rejects.toEqual(coded("range-invalid"));
      expect(await put(2, Uint8Array.from(bytes.subarray(5 * MiB)))).toBe(200);
      await expect(complete(10)).rejects.toEqual(coded("range-invalid"));
      expect(await put(1, Uint8Array.from(bytes.subarray(0, 5 * MiB)))).toBe(200);
      await expect(complete(size + 1)).rejects.toEqual(coded("range-invalid"));
      expect(await names(store.list())).toEqual([]);
      expect(await complete()).toEqual({ size });
      expect(await complete()).toEqual({ size });
      await expect(complete(size - 1)).rejects.toEqual(coded("range-invalid"));
      expect(Buffer.compare(await collect(store.get("d")), bytes)).toBe(0);
      const gone = { uploadId, size };
      await expect(direct.completeUpload("none", gone)).rejects.toEqual(coded("object-missing"));
      expect(await store.unfinished()).toBe(0);
    });

    it("keys that are no names are foreign; what is on its way in is not", async () => {
      const store = open({ prefix: "keys" });
      const raw = openS3Client(server);
      for (const Key of ["keys/Notes.TXT", "keys/.staging/x", "keys/a", "other/B"]) {
        await raw.send(new PutObjectCommand({ Bucket: server.bucket, Key, Body: "x" }));
      }
      raw.destroy();
      expect([await names(store.foreign()), await names(store.list())]).toEqual([["Notes.TXT"], ["a"]]);
    });

    it("says where a bucket keeps what is removed", async () => {
      expect(await open().keepsVersions()).toBe(false);
      const other = await startVersitygw(program, { versions: true });
      const { endpoint, region, bucket, accessKeyId, secretAccessKey } = other;
      const store = openS3Store({ endpoint, region, bucket, accessKeyId, secretAccessKey });
      const raw = openS3Client(other);
      try {
        expect(await store.keepsVersions()).toBe(false);
        const VersioningConfiguration = { Status: "Enabled" as const };
        await raw.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
        expect(await store.keepsVersions()).toBe(true);
      } finally {
        raw.destroy();
        store.close();
        await other.stop();
      }
    });

    it("a name that is learnt late is given by a copy on the server, and nothing stays staged", async () => {
      const store = open({ partBytes: 5 * MiB });
      const bytes = patternBytes(12 * MiB);
      for (const finalName of [undefined, "late"]) {
        const handle = await store.begin({ ...(finalName !== undefined && { finalName }) });
        for await (const chunk of source(bytes)) await handle.write(chunk);
        await handle.commit("late");
        expect(Buffer.compare(await collect(store.get("late")), bytes)).toBe(0);
        expect(await store.unfinished()).toBe(0);
        expect(await names(store.list())).toEqual(["late"]);
      }
    });

    it.each([10, 12 * MiB])(
      "an object of %i bytes that was begun for one name takes no other, and harms neither",
      async (size) => {
        const store = open({ partBytes: 5 * MiB });
        const old = patternBytes(100);
        await store.put("a", source(old));
        await store.put("b", source(old));
        const handle = await store.begin({ finalName: "a" });
        await handle.write(patternBytes(size));
        await expect(handle.commit("b")).rejects.toEqual(
          expect.objectContaining({ name: "StorageError", code: "name-invalid" }),
        );
        expect(await collect(store.get("a"))).toEqual(old);
        expect(await collect(store.get("b"))).toEqual(old);
        expect(await handle.commit("a")).toEqual({ size });
      },
    );

    it("what a crash leaves is counted, and cleared once it is old enough", async () => {
      const store = open({ partBytes: 5 * MiB });
      const handle = await store.begin({ finalName: "a" });
      await handle.write(patternBytes(11 * MiB));
      // The process is gone here: another one opens the same place.
      const after = open({ partBytes: 5 * MiB, prefix: `p${stores - 1}/objects` });
      expect(await after.unfinished()).toBe(1);
      expect(await after.clear(Date.now() - 60_000)).toBe(0);
      expect(await after.clear(Date.now() + 60_000)).toBe(1);
      // A part that was under way may arrive after its upload was forgotten; it is cleared the next time.
      await expect
        .poll(async () => {
          await after.clear(Date.now() + 60_000);
          return await after.unfinished();
        })
        .toBe(0);
      expect(await names(after.list())).toEqual([]);
      await handle.abort();
    });
  });
});
