/**
 * Another institution's provider as a place, from the command line: its account is made and enrolled, the other side names
 * it, records are divided over two disks and the holder, survive its absence, and an erasure's certificate has its word.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "@chartseal/crypto";
import { type Host, objectsRole, parseConfig, Staging, startHost } from "@chartseal/server";
import {
  AccountWriter,
  type Identity,
  identityOf,
  newIdentitySeeds,
  readAccount,
  StorageProvider,
} from "@chartseal/sharing";
import { openFilesystemStore } from "@chartseal/storage";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MemoryStores } from "../../../packages/sharing/test/stores.ts";
import { collect, names, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { Holder, peers, stranger } from "../../server/test/holder.ts";
import { openHome } from "../src/home/home.ts";
import { accountAt } from "../src/services/holder-place.ts";
import { closePlaces, openPlace } from "../src/services/places.ts";
import { openForReading, openSession, type ReadSession } from "../src/services/session.ts";
import { type Clinic, clinic, passphrase, plaintext, type Ran, run } from "./care-home.ts";

/** The other institution: a provider of the same ledger, with its own key, folder and server. */
class Institution {
  readonly folder: string;
  readonly identity: Identity;
  readonly #ledger: ReadSession;
  #host: Host | undefined;
  #port = 0;

  private constructor(folder: string, identity: Identity, ledger: ReadSession) {
    this.folder = folder;
    this.identity = identity;
    this.#ledger = ledger;
  }

  /** The validators admit it. */
  static async join(home: string, folder: string): Promise<Institution> {
    const identity = await identityOf(newIdentitySeeds());
    const { publicKey, hpkePublic: hpkeKey } = identity;
    const session = await openSession(openHome(home), { passphrase, waitMs: 0 });
    try {
      await new AccountWriter(session, identity).submit(
        { kind: "register-provider", publicKey, hpkeKey },
        { admittedBy: [session.validatorSeed] },
      );
    } finally {
      await session.close();
    }
    mkdirSync(folder);
    return new Institution(folder, identity, await openForReading(home));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get held(): string[] {
    const entries = readdirSync(join(this.folder, "held"), { recursive: true, withFileTypes: true });
    return entries.flatMap((one) => (one.isFile() ? [one.name] : []));
  }

  async start(peers: readonly string[]): Promise<void> {
    const { ledger, pairing } = this.#ledger;
    const { identity } = this;
    const surroundings = { pairing, ledger, now: Date.now };
    const provider = new StorageProvider({ surroundings, identity, stores: new MemoryStores() });
    const staging = { folder: join(this.folder, "uploads"), now: Date.now, graceMs: 3_600_000 };
    this.#host = await startHost({
      config: parseConfig({ roles: ["objects"], listen: { port: this.#port }, limits: { shutdownMs: 100 } }),
      roles: [
        objectsRole({
          peers: peers.map((account) => ({ account, quotaBytes: 2 ** 30 })),
          storeOf: (account) => openFilesystemStore(join(this.folder, "held", account)),
          staging: new Staging({ ...staging, uploadsMax: 64, bytesMax: 2 ** 30 }),
          account: identity.account,
          attest: (erased) => provider.attestErased(erased),
        }),
      ],
      version: "0",
      log: process.stderr,
      logLevel: "error",
      accountKey: async (account) => (await readAccount(ledger, account))?.publicKey,
      now: Date.now,
    });
    this.#port = this.#host.port;
  }

  async stop(): Promise<void> {
    await this.#host?.close();
    this.#host = undefined;
  }

  async leave(): Promise<void> {
    await this.stop();
    await this.#ledger.close();
  }
}

let place: Clinic;
let partner: Institution;
let account: string;
let record: string;
const at = (name: string): string => join(place.folder, name);
const cli = (...argv: string[]): Promise<Ran> => run(["--home", place.home, ...argv]);
const add = (name: string, kind: string, ...rest: string[]): Promise<Ran> =>
  cli("provider", "place", "add", name, "--kind", kind, "--region", "eu", ...rest, "--json");
const mark = (): string => join(place.home, "run", "unfinished");
const keyring = () => JSON.parse(readFileSync(join(place.home, "provider/places.json"), "utf8"));

beforeAll(async () => {
  place = await clinic();
  partner = await Institution.join(place.home, at("partner"));
  await partner.start([]);
  for (const disk of ["one", "two"]) {
    mkdirSync(at(disk));
    expect((await add(disk, "folder", "--path", at(disk))).code).toBe(0);
  }
});
afterAll(async () => {
  await partner?.leave();
  place?.remove();
});

it("the account is made, enrolled and printed once, and the place waits for the other side to name it", async () => {
  const wrong = await run(
    [
      ...["--home", place.home, "provider", "place", "add", "partner", "--kind", "chartseal"],
      ...["--region", "eu", "--url", partner.url],
    ],
    { CHARTSEAL_PASSPHRASE: "wrong passphrase" },
  );
  expect(wrong.err).toMatch(/passphrase-wrong/);
  expect(keyring().places).toHaveLength(2);
  const added = await add("partner", "chartseal", "--url", partner.url);
  expect(added.json()).toMatchObject({ place: "partner", kind: "chartseal", region: "eu", ready: false });
  account = added.json().account;
  expect((await add("partner", "chartseal", "--url", partner.url)).json()).toMatchObject({ account });
  const twin = await add("twin", "chartseal", "--url", `${partner.url}/`);
  expect([twin.code, twin.err]).toEqual([2, expect.stringMatching(/partner is that provider already/)]);
  const { seed } = keyring().places[2];
  expect(added.out + twin.err).not.toContain(seed);
  const checked = (await cli("provider", "place", "check", "--json")).json();
  expect(checked[2]).toMatchObject({ ok: false, detail: expect.stringMatching(/nothing for that account/) });
  await partner.stop();
  await partner.start([account]);
  expect((await cli("provider", "place", "check", "--json")).json()[2]).toMatchObject({ ok: true });
  expect((await add("partner", "chartseal", "--url", partner.url)).json()).toMatchObject({ ready: true });
  const listed = await cli("provider", "place", "list", "--json");
  expect(listed.json()[2]).toEqual({ name: "partner", kind: "chartseal", region: "eu", shards: 0, account });
  expect(listed.out).not.toContain(seed);
});

it("a record is divided over it, and verified without a passphrase", async () => {
  writeFileSync(at("scan.bin"), plaintext.repeat(3));
  const sealed = await cli("seal", at("scan.bin"), "--owner", "alice", "--split", "2of3", "--json");
  record = sealed.json().recordId;
  expect(partner.held).toHaveLength(2);
  const none = { CHARTSEAL_PASSPHRASE: undefined };
  const verified = await run(["--home", place.home, "verify", "--json"], none);
  expect(verified.json()).toMatchObject({ ok: true, records: 2 });
  const { checks } = (await cli("doctor", "--json")).json();
  expect(checks).toContainEqual(expect.objectContaining({ name: "place partner", ok: true }));
});

it("its server is away: the record opens, doctor says so", { timeout: 120_000 }, async () => {
  await partner.stop();
  const opened = await cli("open", record, "--as", "alice", "--out", at("scan.out"), "--json");
  expect(opened.code).toBe(0);
  expect(readFileSync(at("scan.out"), "utf8")).toBe(plaintext.repeat(3));
  const { ok, checks } = (await cli("doctor", "--json")).json();
  expect(ok).toBe(true);
  expect(checks).toContainEqual(expect.objectContaining({ name: "place partner", ok: false }));
  const early = await cli("erase", record, "--as", "alice");
  expect([early.code, early.err]).toEqual([5, expect.stringMatching(/provider-unreachable/)]);
  const none = await cli("certificate", "show", record);
  expect([none.code, none.err]).toEqual([2, expect.stringMatching(/not certified yet/)]);
  // A writer that was killed here is made good as far as it can be; the place keeps nobody from the home.
  writeFileSync(mark(), "");
  await (await openSession(openHome(place.home), { passphrase, waitMs: 0 })).close();
  expect(existsSync(mark())).toBe(true);
});

it("back again it removes what it had, and its own signature is in the certificate", async () => {
  await partner.start([account]);
  expect((await cli("erase", record, "--as", "alice")).code).toBe(0);
  expect(partner.held).toEqual([]);
  expect(existsSync(mark())).toBe(false);
  const { copies } = (await cli("certificate", "show", record, "--json")).json();
  const theirs = copies.filter(
    ({ holder }: { holder: string }) => holder === toHex(partner.identity.account),
  );
  expect(theirs).toEqual([
    {
      copy: expect.stringMatching(/\/shard-[1-3]\+header-shard-[1-3]$/),
      holder: expect.anything(),
      valid: true,
    },
  ]);
  expect((await cli("provider", "place", "remove", "partner", "--json")).code).toBe(0);
  expect(keyring().places).toHaveLength(2);
});

it("an opened place signs by its seed, takes and gives, and for reading alone changes nothing", async () => {
  const holder = await Holder.create({
    attest: async ({ address }) => ({ holder: new Uint8Array(20), address, signature: new Uint8Array(64) }),
  });
  try {
    const access = { kind: "chartseal", url: holder.host.url, seed: toHex(peers[0].seed) } as const;
    expect(accountAt(access)).toBe(peers[0].keyId);
    const opened = openPlace({ name: "partner", region: "eu", ...access });
    await opened.store.put("a", source(patternBytes(3_000_000)));
    expect(await names(holder.store(peers[0]).list())).toEqual(["a"]);
    const reading = openPlace({ name: "partner", region: "eu", ...access }, { reading: true });
    expect(Buffer.compare(await collect(reading.store.get("a")), patternBytes(3_000_000))).toBe(0);
    await expect(reading.store.remove("a")).rejects.toThrow(/opened for reading/);
    expect(reading.attest).toBeUndefined();
    const erased = { recordId: new Uint8Array(32), names: ["a"], address: "x/shard-1" };
    expect(await opened.attest!(erased)).toMatchObject([{ address: "x/shard-1" }]);
    expect(await names(holder.store(peers[0]).list())).toEqual([]);
    const nobody = openPlace({ name: "partner", region: "eu", ...access, seed: toHex(stranger.seed) });
    await expect(nobody.store.stat("a")).rejects.toMatchObject({ code: "store-unreachable" });
  } finally {
    closePlaces();
    await holder.close();
  }
});
