/** Two of three over a bucket, an FTPS server and a folder, all of them real; one is stopped in the middle. */
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FtpsServer, type S3Server, startVersitygw, startVsftpd } from "@chartseal/lab";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { type FtpsStore, openFtpsStore } from "../src/ftps/index.ts";
import { copiesOf, openFilesystemStore, repairAll, SplitStore, scrub } from "../src/index.ts";
import { openS3Store, type S3Store } from "../src/s3/index.ts";
import { collect, patternBytes, source } from "./conformance.ts";
import { keys } from "./split-world.ts";

describeTool("versitygw", "a bucket,", (s3Program) => {
  describeTool("ftps", "an FTPS server and a folder", (ftpsProgram) => {
    const folder = mkdtempSync(join(tmpdir(), "chartseal-clouds-"));
    let bucket: S3Server;
    let ftps: FtpsServer;
    let s3Store: S3Store;
    let ftpsStore: FtpsStore;
    let store: SplitStore;
    const bytes = patternBytes(3_000_000);
    const header = bytes.subarray(0, 5000);

    beforeAll(async () => {
      bucket = await startVersitygw(s3Program);
      ftps = await startVsftpd(ftpsProgram);
      const { endpoint, region, bucket: name, accessKeyId, secretAccessKey } = bucket;
      const credentials = { accessKeyId, secretAccessKey };
      s3Store = openS3Store({
        endpoint,
        region,
        bucket: name,
        ...credentials,
        attemptsMax: 2,
        stallMs: 3000,
      });
      const { host, port, user, password, ca, path } = ftps;
      const { uid, gid } = statSync(path);
      mkdirSync(join(path, "shards"));
      chownSync(join(path, "shards"), uid, gid);
      ftpsStore = openFtpsStore({
        host,
        port,
        user,
        password,
        folder: `${ftps.folder}/shards`,
        ca,
        timeoutMs: 3000,
      });
      store = new SplitStore({
        places: [
          { name: "bucket", region: "eu", store: s3Store },
          { name: "ftps", region: "ch", store: ftpsStore },
          { name: "folder", region: "eu", store: await openFilesystemStore(join(folder, "objects")) },
        ],
        keys,
        index: {
          entries: await openFilesystemStore(join(folder, "entries")),
          leftovers: await openFilesystemStore(join(folder, "leftovers")),
        },
        placement: { k: 2, n: 3 },
      });
    });
    afterAll(async () => {
      s3Store?.close();
      ftpsStore?.close();
      await bucket?.stop();
      await ftps?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it("an object over all three comes back, whole and in ranges", async () => {
      await store.put("a", source(bytes, 100_003));
      await store.put("a.header", source(header));
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      const part = await collect(store.get("a", { from: 1_234_567, toInclusive: 2_345_678 }));
      expect(Buffer.compare(part, bytes.subarray(1_234_567, 2_345_679))).toBe(0);
      const { shards } = await copiesOf(store, "a", { deep: true });
      expect(shards.map(({ place, state }) => `${place} ${state}`).sort()).toEqual([
        "bucket present",
        "folder present",
        "ftps present",
      ]);
    });

    it("what lies in the bucket is lost: everything is read and made again", async () => {
      for await (const name of s3Store.list()) await s3Store.remove(name);
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      const found = await scrub(store, { fraction: 0.1 });
      expect(found.findings.map(({ place, name, state }) => `${place} ${name} ${state}`)).toEqual([
        "bucket a missing",
        "bucket a.header missing",
      ]);
      expect(await repairAll(store)).toMatchObject({ objects: 2, failed: [] });
      expect((await scrub(store, { fraction: 1 })).findings).toEqual([]);
    });

    it("the FTPS server is stopped in the middle of a read and of a write: both go on", {
      timeout: 60_000,
    }, async () => {
      const parts: Uint8Array[] = [];
      for await (const part of store.get("a")) {
        parts.push(part);
        if (parts.length === 4) await ftps.stop();
      }
      expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
      await store.put("b", source(bytes));
      expect((await store.parts.index.read("b")).shards).toHaveLength(2);
      expect(Buffer.compare(await collect(store.get("b")), bytes)).toBe(0);
    });
  });
});
