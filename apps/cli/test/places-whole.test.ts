/**
 * A home that keeps its records whole in one bucket of a real S3 server: chosen by command, filled and read past the
 * server by pre-signed URLs, checked, repaired, erased, away, and left again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, loadPairing, parsePolicy, toHex } from "@chartseal/crypto";
import { type S3Server, startVersitygw } from "@chartseal/lab";
import { ledgerRules } from "@chartseal/ledger";
import { Connection, HttpLedger, HttpProvider, type Transport } from "@chartseal/server/client";
import { nodeTransport } from "@chartseal/server/client-node";
import { deposit, type MemberKeys, retrieve, type Surroundings } from "@chartseal/sharing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { collect, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { root } from "../../../test/tidy/tree.ts";
import { describeTool } from "../../../test/tools.ts";
import { openHome } from "../src/home/home.ts";
import { openSession } from "../src/services/session.ts";
import { actionsOf, type Clinic, clinic, passphrase, plaintext, type Ran, run } from "./care-home.ts";

const MiB = 2 ** 20;
const patient = { timeout: 180_000 };

/** `chartseal serve` in a process of its own. */
class Served {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async start(home: string): Promise<Served> {
    const child = spawn(process.execPath, [join(root, "apps/cli/bin/chartseal.js"), "serve", "--json"], {
      env: { ...process.env, CHARTSEAL_HOME: home, CHARTSEAL_PASSPHRASE: passphrase },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    for await (const piece of child.stdout!) {
      said += String(piece);
      if (said.includes("\n")) break;
    }
    return new Served(child, JSON.parse(said).address);
  }

  /** Bytes of payload routes, as the server counts them on the wire. */
  async bytes(direction: "received" | "sent"): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const counted = text.matchAll(/^chartseal_bytes_total\{([^}]*)\} ([0-9.e+]+)$/gm);
    return [...counted]
      .filter(([, labels]) => labels!.includes(`"${direction}"`) && labels!.includes("/v1/provider/"))
      .reduce((sum, [, , value]) => sum + Number(value), 0);
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#process.once("close", () => resolve()));
    this.#process.kill("SIGTERM");
    await ended;
    expect(this.#process.exitCode).toBe(0);
  }
}

describeTool("versitygw", "records whole in one bucket:", (program) => {
  let place: Clinic;
  let bucket: S3Server;
  let alice: MemberKeys;
  let provider: Uint8Array;
  let small: string;
  let large: string;
  const content = patternBytes(20 * MiB + 77);
  const at = (name: string): string => join(place.folder, name);
  const cli = (...argv: string[]): Promise<Ran> => run(["--home", place.home, ...argv]);
  const json = async (...argv: string[]) => (await cli(...argv, "--json")).json();
  const credentials = () => ({
    CHARTSEAL_PLACE_ID: bucket.accessKeyId,
    CHARTSEAL_PLACE_SECRET: bucket.secretAccessKey,
  });
  const add = (name: string, ...rest: string[]): Promise<Ran> => {
    const s3 = ["--kind", "s3", "--region", "eu", "--bucket", bucket.bucket, "--endpoint", bucket.endpoint];
    return run(["--home", place.home, "provider", "place", "add", name, ...s3, ...rest], credentials());
  };
  const whole = (name: string): Promise<Ran> => cli("provider", "place", "whole", name);
  const inBucket = (...path: string[]): string => join(bucket.folder, bucket.bucket, "records", ...path);
  const keys = (): string[] =>
    existsSync(inBucket()) ? readdirSync(inBucket()).filter((name) => !name.startsWith(".")) : [];
  const onDisk = (): string[] => readdirSync(join(place.home, "provider", "objects"));
  const kinds = async (): Promise<string[]> =>
    (await json("verify")).findings.map(
      ({ kind, copy }: { kind: string; copy: string }) => `${kind} ${copy}`,
    );

  beforeAll(async () => {
    place = await clinic();
    bucket = await startVersitygw(program);
    const session = await openSession(openHome(place.home), { passphrase, members: ["alice"], waitMs: 0 });
    alice = session.members![0]!.keys;
    provider = session.provider.account;
    await session.close();
  }, 120_000);
  afterAll(async () => {
    await bucket?.stop();
    place?.remove();
  });

  it("is chosen by command, where it is a bucket of this home's own", patient, async () => {
    expect((await whole("cloud")).err).toMatch(/input-invalid: there is no place cloud/);
    mkdirSync(at("disk"));
    await cli("provider", "place", "add", "disk", "--kind", "folder", "--region", "eu", "--path", at("disk"));
    expect((await whole("disk")).err).toMatch(/input-invalid: disk is no bucket/);
    expect((await cli("provider", "place", "remove", "disk")).code).toBe(0);
    expect((await add("strange")).code).toBe(0);
    writeFileSync(join(bucket.folder, bucket.bucket, "SOMEBODY'S"), "x");
    const refused = await whole("strange");
    expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/not this home's; .*--prefix/)]);
    expect((await cli("provider", "place", "remove", "strange")).code).toBe(0);
    expect((await add("cloud", "--prefix", "records")).code).toBe(0);
    const chosen = await cli("provider", "place", "whole", "cloud", "--json");
    expect(chosen.json()).toEqual({ place: "cloud", region: "eu" });
    expect(`${chosen.out}${chosen.err}`).not.toContain(bucket.secretAccessKey);
    expect(statSync(join(place.home, "provider/places.json")).mode & 0o777).toBe(0o600);
    const listed = await cli("provider", "place", "list", "--json");
    expect(listed.json()).toEqual([{ name: "cloud", kind: "s3", region: "eu", shards: 0, whole: "new" }]);
    expect(listed.out).not.toContain(bucket.secretAccessKey);
    expect((await json("doctor")).checks).toContainEqual(
      expect.objectContaining({ name: "place cloud", ok: true }),
    );
  });

  it("a record of before is read where it lies, and brought there by a repair", patient, async () => {
    expect(onDisk().length).toBeGreaterThan(0);
    expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
    expect(keys()).toEqual([]);
    const repaired = await json("provider", "repair");
    expect(repaired).toMatchObject({ ok: true, repaired: [{ k: 1, n: 1, regions: ["eu"], moved: true }] });
    expect(onDisk()).toEqual([]);
    expect(keys().length).toBe(2);
    expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
    expect(await json("provider", "repair")).toMatchObject({ ok: true, records: 1, repaired: [] });
    expect(await json("verify")).toMatchObject({ ok: true, records: 1, objects: 2 });
  });

  it("a record that is sealed lies there as it is, and says in which region", patient, async () => {
    writeFileSync(at("note.txt"), "a note");
    const split = await cli("seal", at("note.txt"), "--owner", "alice", "--split", "2of3");
    expect([split.code, split.err]).toEqual([2, expect.stringMatching(/3 shards need 3 places/)]);
    small = (await json("seal", at("note.txt"), "--owner", "alice", "--region", "eu")).recordId;
    const { address, placement } = await json("record", "show", small);
    expect(placement).toMatchObject({ k: 1, n: 1, regions: ["eu"] });
    expect(keys()).toEqual(expect.arrayContaining([address, `${address}.header`]));
    expect(onDisk()).toEqual([]);
    expect((await cli("open", small, "--as", "alice")).out).toBe("a note");
    expect(await json("audit", "storage")).toMatchObject({ ok: true });
  });

  it("where its owner wants another region it is refused, and none is sealed", patient, async () => {
    const before = keys();
    expect((await cli("residency", "set", "--owner", "alice", "--region", "ch")).code).toBe(0);
    const refused = await cli("seal", at("note.txt"), "--owner", "alice");
    expect([refused.code, refused.err]).toEqual([3, expect.stringMatching(/rule-violated/)]);
    expect(await json("provider", "repair", small)).toMatchObject({
      ok: false,
      repaired: [{ whole: false }],
    });
    expect((await cli("residency", "set", "--owner", "alice", "--region", "eu,ch")).code).toBe(0);
    expect(await json("provider", "repair", small)).toMatchObject({ ok: true });
    expect(keys()).toEqual(before);
    expect((await cli("provider", "quota", "set", "1KiB")).code).toBe(0);
    const over = await cli("seal", at("note.txt"), "--owner", "alice");
    expect([over.code, over.err]).toEqual([3, expect.stringMatching(/quota-exceeded/)]);
    expect((await cli("provider", "quota", "set", "none")).code).toBe(0);
    expect((await cli("gc", "--grace", "0")).code).toBe(0);
    expect(keys()).toEqual(before);
  });

  it(
    "clients of its server send and read a large payload past it, a small one through it",
    patient,
    async () => {
      const served = await Served.start(place.home);
      const past = { sent: 0, read: 0 };
      const client = await clientOf(served.url, past);
      try {
        const depositOf = async (bytes: Uint8Array): Promise<string> => {
          const { recordId } = await deposit(client.surroundings, {
            by: alice,
            owner: alice.account,
            policy: parsePolicy(`${toHex(alice.account)}@self`),
            source: source(bytes),
            metadata: async () => ({
              name: "x",
              mediaType: "text/plain",
              validation: "not-checked" as const,
            }),
          });
          return toHex(recordId);
        };
        large = await depositOf(content);
        expect(past.sent).toBeGreaterThan(content.length);
        expect(await served.bytes("received")).toBeLessThan(MiB);
        const opened = await retrieve(client.surroundings, { member: alice, recordId: fromHex(large, 32) });
        expect(Buffer.compare(await collect(opened.read()), content)).toBe(0);
        expect(past.read).toBeGreaterThan(content.length);
        expect(await served.bytes("sent")).toBeLessThan(MiB);
        const sent = past.sent;
        await depositOf(patternBytes(2 * MiB));
        expect(past.sent).toBe(sent);
        expect(await served.bytes("received")).toBeGreaterThan(2 * MiB);
        // The machine's own commands go through the server, in one request.
        writeFileSync(at("here.bin"), patternBytes(9 * MiB, 2));
        expect((await cli("seal", at("here.bin"), "--owner", "alice", "--json")).code).toBe(0);
        const out = await cli("open", large, "--as", "alice", "--out", at("large.out"), "--json");
        expect(out.code).toBe(0);
        expect(Buffer.compare(readFileSync(at("large.out")), content)).toBe(0);
      } finally {
        await client.close();
        await served.stop();
      }
      expect(onDisk()).toEqual([]);
      expect(await json("verify")).toMatchObject({ ok: true, records: 5, objects: 10, orphans: 0 });
    },
  );

  async function clientOf(url: string, past: { sent: number; read: number }) {
    const transport = nodeTransport();
    const real = transport.send.bind(transport);
    const send: Transport["send"] = async (origin, request) => {
      if (origin.port !== String(bucket.port)) return await real(origin, request);
      expect(request.headers["signature-input"]).toBeUndefined();
      if (request.body instanceof Uint8Array) past.sent += request.body.length;
      const response = await real(origin, request);
      const body = (async function* () {
        for await (const piece of response.body) {
          past.read += piece.length;
          yield piece;
        }
      })();
      return { ...response, body };
    };
    Object.assign(transport, { send });
    const pairing = await loadPairing();
    const now = Date.now;
    const connection = new Connection({ url, transport, now, unreachable: "provider-unreachable" });
    const rules = ledgerRules(pairing, readFileSync(join(place.home, "genesis.cbor")));
    const ledger = new HttpLedger({ connection: connection.as("ledger-unreachable"), rules });
    const signer = { keyId: toHex(alice.account), seed: alice.seed };
    const surroundings: Surroundings & { provider: HttpProvider } = {
      pairing,
      now,
      ledger,
      provider: new HttpProvider({ connection, account: provider, ledger, signer }),
    };
    const close = async (): Promise<void> => {
      await ledger.close();
      transport.close();
    };
    return { surroundings, close };
  }

  it(
    "what is changed, missing or foreign in the bucket is found, and what can be is put right",
    patient,
    async () => {
      const { address } = await json("record", "show", large);
      const sound = readFileSync(inBucket(address));
      const spoilt = Buffer.from(sound);
      spoilt[5 * MiB]! ^= 1;
      writeFileSync(inBucket(address), spoilt);
      rmSync(inBucket(`${(await json("record", "show", small)).address}.header`));
      const kept = (await json("record", "show", small)).address;
      writeFileSync(inBucket("ab".repeat(16)), "left by nobody");
      writeFileSync(inBucket("Notes.TXT"), "no name of an object");
      expect(new Set(await kinds())).toEqual(
        new Set([
          `object-altered ${address}`,
          `object-missing ${kept}.header`,
          `foreign-object ${"ab".repeat(16)}`,
          "foreign-object cloud:Notes.TXT",
        ]),
      );
      const opened = await cli("open", large, "--as", "alice", "--out", at("bad.out"));
      expect([opened.code, opened.err]).toEqual([4, expect.stringMatching(/object-altered/)]);
      const report = await cli("forensics", "--repair", "--out", at("report"), "--json");
      expect(report.code).toBe(4);
      expect(keys()).not.toContain("ab".repeat(16));
      const quarantine = join(place.home, "provider", "quarantine");
      const [moved] = readdirSync(quarantine, { recursive: true }).filter((one) =>
        String(one).endsWith("ab".repeat(16)),
      );
      expect(readFileSync(join(quarantine, String(moved)), "utf8")).toBe("left by nobody");
      expect(new Set(await kinds())).toEqual(
        new Set([
          `object-altered ${address}`,
          `object-missing ${kept}.header`,
          "foreign-object cloud:Notes.TXT",
        ]),
      );
      rmSync(inBucket("Notes.TXT"));
      writeFileSync(inBucket(address), sound);
      expect(await kinds()).toEqual([`object-missing ${kept}.header`]);
    },
  );

  it("an erasure destroys what the bucket has, and its certificate is signed", patient, async () => {
    for (const record of [small, large]) {
      const { address } = await json("record", "show", record);
      const erased = await cli("erase", record, "--as", "alice", "--json");
      expect([erased.code, erased.err]).toEqual([0, ""]);
      expect(keys().filter((key) => key.startsWith(address))).toEqual([]);
      const certificates = actionsOf((await cli("ledger", "export")).out).filter(
        (action) => action.kind === "erase-certificate" && toHex(action.recordId) === record,
      );
      expect(certificates).toMatchObject([{ copies: [{ holder: provider, address }] }]);
    }
    expect(await json("verify")).toMatchObject({ ok: true, objects: 6 });
  });

  it("a bucket that is away is said, and leaves nothing half", patient, async () => {
    const before = keys();
    await bucket.kill();
    for (const argv of [
      ["seal", at("note.txt"), "--owner", "alice"],
      ["open", place.record, "--as", "bob"],
      ["verify"],
      ["gc", "--grace", "0"],
      ["provider", "place", "whole", "cloud"],
    ]) {
      const away = await cli(...argv);
      expect([argv[0], away.code, away.out]).toEqual([argv[0], 5, ""]);
      expect(away.err).toMatch(/^chartseal: provider-unreachable: /);
      if (argv[0] !== "provider") expect(away.err).toMatch(/chartseal doctor says/);
    }
    await bucket.restart();
    expect(keys()).toEqual(before);
    expect(await json("verify")).toMatchObject({ ok: true, records: 5, objects: 6, orphans: 0 });
    expect((await json("seal", at("note.txt"), "--owner", "alice")).recordId).toHaveLength(64);
  });

  it("a backup of the home finds its records in the bucket again", patient, async () => {
    expect((await cli("backup", "--out", at("backup"), "--json")).code).toBe(0);
    const back = at("back");
    const restored = await run(["--home", back, "restore", at("backup"), "--json"]);
    expect([restored.code, restored.err]).toEqual([0, ""]);
    expect((await run(["--home", back, "verify", "--json"])).json()).toMatchObject({ ok: true, objects: 8 });
    expect((await run(["--home", back, "open", place.record, "--as", "bob"])).out).toBe(plaintext);
  });

  it(
    "another bucket takes over: what the first has is read, brought by a repair, and then it can go",
    patient,
    async () => {
      expect((await add("next", "--prefix", "next")).code).toBe(0);
      expect((await whole("next")).code).toBe(0);
      const listed = await json("provider", "place", "list");
      expect(listed.map(({ name, whole: how }: Record<string, string>) => [name, how])).toEqual([
        ["cloud", "kept"],
        ["next", "new"],
      ]);
      expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
      expect(keys().length).toBe(8);
      expect(await json("provider", "repair")).toMatchObject({ ok: true });
      expect(keys()).toEqual([]);
      expect((await cli("provider", "place", "remove", "cloud")).code).toBe(0);
      expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
      expect((await add("cloud", "--prefix", "records")).code).toBe(0);
      expect((await whole("cloud")).code).toBe(0);
      expect(await json("provider", "repair")).toMatchObject({ ok: true });
      expect((await cli("provider", "place", "remove", "next")).code).toBe(0);
      expect(await json("verify")).toMatchObject({ ok: true, objects: 8 });
    },
  );

  it(
    "is left for places again: what lies there is read, moved by a repair, and then it can go",
    patient,
    async () => {
      const early = await cli("provider", "repair", "--leave", "cloud");
      expect([early.code, early.err]).toEqual([2, expect.stringMatching(/new records go whole to cloud/)]);
      await cli(
        "provider",
        "place",
        "add",
        "disk",
        "--kind",
        "folder",
        "--region",
        "eu",
        "--path",
        at("disk"),
      );
      const split = await json("seal", at("note.txt"), "--owner", "alice", "--split", "1of1");
      expect((await json("provider", "repair", split.recordId)).ok).toBe(true);
      expect(keys().length).toBe(8);
      expect((await cli("provider", "place", "default", "1of1")).code).toBe(0);
      const refused = await cli("provider", "place", "remove", "cloud");
      expect([refused.code, refused.err]).toEqual([
        2,
        expect.stringMatching(/8 objects lie at cloud; .*repair/),
      ]);
      expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
      expect(await json("provider", "repair")).toMatchObject({ ok: true });
      expect(keys()).toEqual([]);
      expect((await cli("open", place.record, "--as", "bob")).out).toBe(plaintext);
      expect((await cli("provider", "place", "remove", "cloud")).code).toBe(0);
      expect(await json("verify")).toMatchObject({ ok: true });
    },
  );
});
