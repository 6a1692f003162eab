/**
 * The journey over a bucket, an FTPS server and a folder: records divided two of three, one of the places destroyed, every
 * record opened, repaired, and the record's log and verify say what happened.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FtpsServer, type S3Server, startVersitygw, startVsftpd } from "@chartseal/lab";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { type Clinic, clinic, plaintext, type Ran, run } from "./care-home.ts";

describeTool("versitygw", "places:", (s3Program) => {
  describeTool("ftps", "a bucket, an FTPS server, a folder:", (ftpsProgram) => {
    let place: Clinic;
    let bucket: S3Server;
    let ftps: FtpsServer;
    const at = (name: string): string => join(place.folder, name);
    const cli = (...argv: string[]): Promise<Ran> => run(["--home", place.home, ...argv]);
    const add = (name: string, kind: string, ...rest: string[]): string[] => [
      "provider",
      "place",
      "add",
      name,
      "--kind",
      kind,
      "--region",
      "eu",
      ...rest,
    ];

    beforeAll(async () => {
      place = await clinic();
      [bucket, ftps] = await Promise.all([startVersitygw(s3Program), startVsftpd(ftpsProgram)]);
      const { uid, gid } = statSync(ftps.path);
      mkdirSync(join(ftps.path, "shards"));
      chownSync(join(ftps.path, "shards"), uid, gid);
      mkdirSync(at("disk"));
      writeFileSync(at("ca.pem"), ftps.ca);
      writeFileSync(at("credentials"), `${ftps.user}\n${ftps.password}\n`);
    });
    afterAll(async () => {
      await bucket?.stop();
      await ftps?.stop();
      place?.remove();
    });

    it("credentials are asked for, and looked at before the place is taken", async () => {
      const s3 = add("bucket", "s3", "--bucket", bucket.bucket, "--endpoint", bucket.endpoint);
      const missing = await cli(...s3);
      expect([missing.code, missing.err]).toEqual([2, expect.stringMatching(/credentials are missing/)]);
      const env = { CHARTSEAL_PLACE_ID: bucket.accessKeyId, CHARTSEAL_PLACE_SECRET: "wrong" };
      const wrong = await run(["--home", place.home, ...s3], env);
      expect([wrong.code, wrong.err]).toEqual([
        5,
        expect.stringMatching(/provider-unreachable: bucket cannot be/),
      ]);
      const right = { ...env, CHARTSEAL_PLACE_SECRET: bucket.secretAccessKey };
      expect((await run(["--home", place.home, ...s3], right)).code).toBe(0);
      const twice = await run(
        ["--home", place.home, ...s3.map((one) => (one === "bucket" ? "twin" : one))],
        right,
      );
      expect(twice.err).toMatch(/bucket is that bucket already/);
      const access = ["--host", ftps.host, "--port", String(ftps.port), "--path", `${ftps.folder}/shards`];
      const given = ["--ca", at("ca.pem"), "--credentials", at("credentials")];
      expect(await cli(...add("ftps", "ftps", ...access, ...given))).toMatchObject({ code: 0 });
      expect(await cli(...add("disk", "folder", "--path", at("disk")))).toMatchObject({ code: 0 });
      const listed = await cli("provider", "place", "list", "--json");
      expect(
        listed.json().map(({ name, kind }: { name: string; kind: string }) => `${name} ${kind}`),
      ).toEqual(["bucket s3", "ftps ftps", "disk folder"]);
      expect(listed.out).not.toContain(bucket.secretAccessKey);
      expect(statSync(join(place.home, "provider/places.json")).mode & 0o777).toBe(0o600);
    });

    const placesNow = async (): Promise<string[]> => {
      const { ok, checks } = (await cli("doctor", "--json")).json();
      const found = checks.filter(({ name }: { name: string }) => name.startsWith("place "));
      return [ok, ...found.map(({ name, ok: well }: { name: string; ok: boolean }) => `${name} ${well}`)];
    };

    it("doctor reaches each place", async () => {
      expect(await placesNow()).toEqual([true, "place bucket true", "place ftps true", "place disk true"]);
    });

    it("records of before and after are divided among them", { timeout: 60_000 }, async () => {
      expect((await cli("provider", "repair", "--json")).json()).toMatchObject({
        ok: true,
        repaired: [{ moved: true }],
      });
      writeFileSync(at("scan.bin"), plaintext.repeat(3));
      const sealed = await cli("seal", at("scan.bin"), "--owner", "alice", "--split", "2of3", "--json");
      expect(sealed.code).toBe(0);
      const { checks } = { checks: (await cli("provider", "place", "check", "--json")).json() };
      expect(checks.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
      expect((await cli("verify", "--json")).json()).toMatchObject({ ok: true, records: 2, objects: 4 });
    });

    it("the bucket is emptied: everything opens, is repaired, and the log says so", {
      timeout: 60_000,
    }, async () => {
      rmSync(join(bucket.folder, bucket.bucket), { recursive: true });
      mkdirSync(join(bucket.folder, bucket.bucket));
      chmodSync(join(bucket.folder, bucket.bucket), 0o755);
      const records = (await cli("records", "--json")).out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const own = records.find(({ recordId }) => recordId !== place.record);
      expect(own.placement).toMatchObject({ k: 2, n: 3, regions: ["eu"] });
      const opened = await cli("open", own.recordId, "--as", "alice", "--out", at("scan.out"), "--json");
      expect(opened.code).toBe(0);
      expect(readFileSync(at("scan.out"), "utf8")).toBe(plaintext.repeat(3));
      const broken = (await cli("verify", "--json")).json();
      expect(
        new Set(broken.findings.map(({ kind, place: where }: Record<string, string>) => `${kind} ${where}`)),
      ).toEqual(new Set(["shard-missing bucket"]));
      const repaired = (await cli("provider", "repair", "--json")).json();
      expect(repaired).toMatchObject({ ok: true, records: 2 });
      expect(repaired.repaired.map(({ lost, rebuilt }: Record<string, number>) => [lost, rebuilt])).toEqual([
        [1, 1],
        [1, 1],
      ]);
      expect((await cli("verify", "--json")).json().ok).toBe(true);
      const log = (await cli("access-log", own.recordId, "--as", "alice", "--json")).out.trim().split("\n");
      const events = log.slice(0, -1).map((line) => JSON.parse(line).event);
      expect(events).toEqual(["deposited", "placed", "granted", "transformed", "repaired"]);
    });

    it("the FTPS server goes for good: given up, and replaced by another folder", {
      timeout: 60_000,
    }, async () => {
      await ftps.stop();
      expect(await placesNow()).toEqual([true, "place bucket true", "place ftps false", "place disk true"]);
      expect((await cli("open", place.record, "--as", "bob", "--json")).code).toBe(0);
      const refused = await cli("provider", "place", "remove", "ftps");
      expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/4 shards lie at ftps/)]);
      mkdirSync(at("spare"));
      expect((await cli(...add("spare", "folder", "--path", at("spare")))).code).toBe(0);
      expect((await cli("provider", "place", "remove", "ftps", "--lost")).code).toBe(0);
      expect((await cli("provider", "repair", "--json")).json()).toMatchObject({ ok: true });
      expect((await cli("verify", "--json")).json()).toMatchObject({ ok: true });
      expect((await cli("gc", "--grace", "0", "--json")).json()).toMatchObject({ shards: 0 });
    });
  });
});
