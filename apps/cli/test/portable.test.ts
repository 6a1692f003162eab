/** `keys full`, `export` and `open --file`: with the network off, and against whoever altered the file. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, loadPairing, sha256, toHex } from "@chartseal/crypto";
import { decodeTransaction } from "@chartseal/ledger";
import { decodeFullKey, issueFullKey, readPortable } from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { openPortableFile } from "../src/operations/portable.ts";
import { memberOf, openSession } from "../src/services/session.ts";
import { type Clinic, clinic, passphrase, plaintext, policyText, run, treeHash } from "./care-home.ts";

const digest = createHash("sha256").update(plaintext).digest("hex");

describe("a portable record", () => {
  let place: Clinic;
  let file: string;
  const at = (name: string): string => join(place.folder, name);
  const cli = (...argv: string[]) => run(["--home", place.home, ...argv, "--json"]);
  const openAs = (name: string, path: string, ...more: string[]) =>
    cli("open", "--file", path, "--as", name, ...more);

  beforeAll(async () => {
    place = await clinic();
    file = at("record.csp");
    const before = await cli("open", "--file", place.record, "--as", "bob");
    expect(before.json().error.code).toBe("input-invalid");
    const exported = await cli("export", place.record, "--as", "bob", "--out", file);
    expect(exported.json()).toMatchObject({ recordId: place.record, out: file, version: 1 });
  });
  afterAll(() => place.remove());

  test("does not open without a full key, and says how to get one", async () => {
    const opened = await openAs("bob", file);
    expect([opened.code, opened.json().error.code]).toEqual([3, "policy-unsatisfied"]);
    expect(opened.json().error.hint).toContain("keys full");
  });

  test("leaves the provider only by a proved request that stands in the access log", async () => {
    const log = await cli("access-log", place.record, "--as", "alice");
    const lines = log.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(expect.objectContaining({ event: "transformed", reader: "bob" }));
    const refused = await cli("export", place.record, "--as", "carol", "--out", at("carol.csp"));
    expect([refused.code, refused.json().error.code]).toEqual([3, "policy-unsatisfied"]);
    expect(existsSync(at("carol.csp"))).toBe(false);
  });

  test("opens with a full key after everything but the member's folder is gone, and changes no byte", async () => {
    const issued = await cli("keys", "full", "bob");
    const account = (await cli("member", "show", "bob")).json().account;
    expect(issued.json()).toMatchObject({
      member: "bob",
      attributes: [`${account}@self`, "cardiology@cedars", "doctor@cedars"].sort(),
      keyId: expect.stringMatching(/^[0-9a-f]{64}$/),
      height: expect.any(Number),
    });
    const hidden = at("hidden");
    mkdirSync(hidden);
    for (const part of ["ledger", "provider", "service"])
      renameSync(join(place.home, part), join(hidden, part));
    const before = treeHash(place.home);
    try {
      const opened = await openAs("bob", file);
      expect(opened.json()).toEqual({
        recordId: place.record,
        bytes: plaintext.length,
        sha256: digest,
        mediaType: "text/plain",
        author: { policy: policyText, verified: true },
        name: "fox.txt",
        validation: "not-checked",
      });
      const out = await openAs("bob", file, "--out", at("fox.txt"));
      expect(out.code).toBe(0);
      expect(readFileSync(at("fox.txt"), "utf8")).toBe(plaintext);
      const shown = await run(["--home", place.home, "open", "--file", file, "--as", "bob"]);
      expect(shown.out).toBe(plaintext);
      expect(treeHash(place.home)).toBe(before);
    } finally {
      for (const part of readdirSync(hidden)) renameSync(join(hidden, part), join(place.home, part));
    }
  });

  test("gives a range, and refuses one beyond its end", async () => {
    const some = await openAs("bob", file, "--range", "300000-300009", "--out", at("part.txt"));
    expect(some.json().bytes).toBe(10);
    expect(readFileSync(at("part.txt"), "utf8")).toBe(plaintext.slice(300_000, 300_010));
    const beyond = await openAs("bob", file, "--range", `0-${plaintext.length}`);
    expect([beyond.code, beyond.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("says that the author is not verified under another chain's genesis", async () => {
    const other = await clinicGenesis();
    const opened = await openAs("bob", file, "--genesis", other);
    expect(opened.json()).toMatchObject({ sha256: digest, author: { verified: false } });
    expect(opened.err).toContain("not verified");
  });

  /** Another consortium's genesis, made by a change that stays well-formed: the name. */
  async function clinicGenesis(): Promise<string> {
    const bytes = readFileSync(join(place.home, "genesis.cbor"));
    const name = bytes.indexOf("clinic");
    bytes.write("clynic", name);
    writeFileSync(at("other.cbor"), bytes);
    return at("other.cbor");
  }

  test("altered anywhere does not open, and nothing is left behind", async () => {
    const whole = readFileSync(file);
    const parts = await readPortable(openPortableFile(file));
    const receiptAt = 8 + 8 + parts.header.length + 8;
    const places: [string, number, string][] = [
      ["header's context", 8 + 8 + 60, "header-altered"],
      ["header's end", 8 + 8 + parts.header.length - 3, "header-altered"],
      ["receipt's first block", receiptAt + 120, "chain-altered"],
      ["receipt's middle", receiptAt + Math.floor(parts.receipt.length / 2), "chain-altered"],
      ["receipt's end", receiptAt + parts.receipt.length - 5, "chain-altered"],
      ["payload's first byte", parts.payload.offset, "object-altered"],
      ["payload's last byte", whole.length - 1, "object-altered"],
    ];
    for (const [what, offset, code] of places) {
      const altered = Buffer.from(whole);
      altered[offset] = altered[offset]! ^ 1;
      writeFileSync(at("altered.csp"), altered);
      rmSync(at("altered.txt"), { force: true });
      const opened = await openAs("bob", at("altered.csp"), "--out", at("altered.txt"));
      expect([what, opened.code, opened.json().error.code]).toEqual([what, 4, code]);
      expect(existsSync(at("altered.txt"))).toBe(false);
    }
    expect(readdirSync(place.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("cut, lengthened or of another kind is no portable record", async () => {
    const whole = readFileSync(file);
    const cases: [string, Uint8Array][] = [
      ["cut", whole.subarray(0, whole.length - 1)],
      ["lengthened", Buffer.concat([whole, Buffer.of(0)])],
      ["text", Buffer.from("a letter")],
      ["empty", Buffer.alloc(0)],
      ["a huge part", Buffer.concat([whole.subarray(0, 8), Buffer.alloc(8, 255), whole.subarray(16)])],
    ];
    for (const [what, bytes] of cases) {
      writeFileSync(at("cut.csp"), bytes);
      const opened = await openAs("bob", at("cut.csp"));
      expect([what, opened.code, opened.json().error.code]).toEqual([what, 2, "input-invalid"]);
    }
    const absent = await openAs("bob", at("nothing.csp"));
    expect([absent.code, absent.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("with another record's receipt does not open", async () => {
    const sealed = at("second.txt");
    writeFileSync(sealed, "another text");
    const second = await cli("seal", sealed, "--owner", "alice", "--as", "bob", "--policy", policyText);
    const { recordId } = second.json();
    await cli("export", recordId, "--as", "bob", "--out", at("second.csp"));
    const [own, strange] = [
      await readPortable(openPortableFile(file)),
      await readPortable(openPortableFile(at("second.csp"))),
    ];
    const u64 = (length: number): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(length));
      return bytes;
    };
    const whole = readFileSync(file);
    const payload = whole.subarray(own.payload.offset);
    const mixed = [
      whole.subarray(0, 8),
      u64(own.header.length),
      own.header,
      u64(strange.receipt.length),
      strange.receipt,
    ];
    writeFileSync(at("mixed.csp"), Buffer.concat([...mixed, u64(payload.length), payload]));
    const opened = await openAs("bob", at("mixed.csp"));
    expect([opened.code, opened.json().error.code]).toEqual([4, "header-altered"]);
  });

  test("after rekeys shows the owner's hand, and the older file still opens as what it was", async () => {
    await cli("rekey", place.record, "--as", "alice", "--payload");
    await cli("rekey", place.record, "--as", "alice");
    await cli("export", place.record, "--as", "alice", "--out", at("third.csp"));
    const third = await openAs("bob", at("third.csp"));
    expect(third.json()).toMatchObject({
      sha256: digest,
      author: { verified: false, reencryptedBy: "owner" },
    });
    expect((await openAs("bob", file)).json().author).toEqual({ policy: policyText, verified: true });
  });

  test("checks usage before member, member before passphrase, passphrase before authorisation", async () => {
    const none = { CHARTSEAL_PASSPHRASE: undefined };
    const without = (...argv: string[]) => run(["--home", place.home, ...argv, "--json"], none);
    expect((await without("open", "--file", file, "--as", "nobody")).json().error.code).toBe(
      "member-unknown",
    );
    expect((await without("open", "--file", file, "--as", "bob")).json().error.code).toBe(
      "passphrase-missing",
    );
    const wrong = { CHARTSEAL_PASSPHRASE: "wrong" };
    const refused = await run(["--home", place.home, "open", "--file", file, "--as", "bob", "--json"], wrong);
    expect([refused.code, refused.json().error.code]).toEqual([3, "passphrase-wrong"]);
    expect((await without("open", place.record, "--file", file, "--as", "bob")).json().error.code).toBe(
      "input-invalid",
    );
    expect((await without("export", "abc", "--as", "bob", "--out", at("x.csp"))).json().error.code).toBe(
      "record-unknown",
    );
    const nowhere = ["--as", "bob", "--out", at("no/such/folder/x.csp")];
    expect((await without("export", place.record, ...nowhere)).json().error.code).toBe("input-invalid");
  });

  test("of a full key: the ledger shows the request and each hospital's vouch for this one issue", async () => {
    const exported = await run(["--home", place.home, "ledger", "export"]);
    const actions = exported.out
      .trim()
      .split("\n")
      .flatMap((line) => JSON.parse(line).transactions as string[])
      .map((bytes) => decodeTransaction(fromHex(bytes)).body.action);
    const asked = actions.find((action) => action.kind === "request-key" && action.mode === "full");
    const vouched = actions.find((action) => action.kind === "vouch" && action.mode === "full");
    expect(asked).toMatchObject({
      kind: "request-key",
      attributes: expect.arrayContaining(["doctor@cedars"]),
    });
    expect(vouched).toMatchObject({
      namespace: "cedars",
      attributes: ["cardiology@cedars", "doctor@cedars"],
    });
    const stranger = await cli("keys", "full", "carol", "doctor@cedars");
    expect([stranger.code, stranger.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("of a full key: without the hospital's vouch the ledger refuses, whatever the client does", async () => {
    const session = await openSession(openHome(place.home), {
      passphrase,
      members: ["bob", "carol"],
      waitMs: 0,
    });
    try {
      const saved: Uint8Array[] = [];
      const asking = (name: string, attributes: readonly string[]) =>
        issueFullKey(session, {
          member: memberOf(session, name).keys,
          attributes,
          nodes: session.nodes,
          vouch: async () => {},
          saved: async ({ keyId }) => void saved.push(keyId),
        });
      await expect(asking("bob", ["doctor@cedars"])).rejects.toMatchObject({ family: "refused" });
      await expect(asking("carol", ["doctor@cedars"])).rejects.toMatchObject({ family: "refused" });
      expect(saved).toEqual([]);
      const own = await asking("carol", []);
      expect(own.attributes).toEqual([`${toHex(memberOf(session, "carol").keys.account)}@self`]);
    } finally {
      await session.close();
    }
  });

  test("of a full key: it lies sealed in the vault, whole, and a damaged file says so", async () => {
    const path = join(place.home, "members", "bob", "full-key.sealed");
    const session = await openSession(openHome(place.home), { passphrase, members: ["bob"], waitMs: 0 });
    const value = (await memberOf(session, "bob").vault.load("full-key.sealed")) as readonly unknown[];
    await session.close();
    const pairing = await loadPairing();
    const [full] = (value[1] as never[]).map((one) => decodeFullKey(pairing, one));
    expect([...(full?.key.k2.keys() ?? [])]).toContain("doctor@cedars");
    const sealed = readFileSync(path);
    expect(sealed.includes(Buffer.from("doctor@cedars"))).toBe(false);
    expect(sealed.includes(Buffer.from(sha256(pairing.gt.encode(full!.mpk))))).toBe(false);
    sealed[40] = sealed[40]! ^ 1;
    writeFileSync(path, sealed);
    const opened = await openAs("bob", file);
    expect([opened.code, opened.json().error.code]).toEqual([4, "chain-altered"]);
  });
});
