/** status, doctor and passphrase change. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cases, copyHome, plaintext, run, treeHash } from "./care-home.ts";

const { place, at, cli } = cases();
const none = { CHARTSEAL_PASSPHRASE: undefined };

describe("status", () => {
  test("says in numbers what the home holds, without a passphrase, and changes no byte", async () => {
    const before = treeHash(place.home);
    const status = await run(["--home", place.home, "status", "--json"], none);
    expect(status.json()).toEqual({
      consortium: "clinic",
      chainId: expect.stringMatching(/^[0-9a-f]{64}$/),
      height: expect.any(Number),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      era: 0,
      nodes: 3,
      threshold: 2,
      members: 3,
      namespaces: 1,
      records: 1,
      erased: 0,
      disputed: 0,
      disputes: 0,
      bytes: plaintext.length,
      tombstones: 0,
      failedAudits: 0,
      alerts: 0,
      recoveries: 0,
      emergencies: 0,
      reviews: 0,
    });
    const text = await run(["--home", place.home, "status"], none);
    expect(text.out).toMatch(/^consortium +clinic$/m);
    expect(treeHash(place.home)).toBe(before);
  });

  test("counts erasures", async () => {
    await cli("erase", place.record, "--as", "alice");
    expect((await cli("status")).json()).toMatchObject({ records: 0, erased: 1, bytes: 0, tombstones: 1 });
  });

  test("without a home is home-missing", async () => {
    const missing = await run(["--home", at("nowhere"), "status", "--json"]);
    expect([missing.code, missing.json().error.code]).toEqual([2, "home-missing"]);
  });
});

describe("doctor", () => {
  test("lists what is installed and what is missing, with a home and without one", async () => {
    const report = (await run(["--home", place.home, "doctor", "--json"], none)).json();
    const names = report.checks.map(({ name }: { name: string }) => name);
    const wanted = ["node", "sqlite", "wasm", "scrypt", "cometbft", "chromium", "versitygw", "ftps server"];
    expect(names).toEqual([...wanted, "home", "space"]);
    expect(report.ok).toBe(true);
    const absent = report.checks.filter(({ ok }: { ok: boolean }) => !ok);
    expect(report.missing).toEqual(absent.map(({ name }: { name: string }) => name));
    const homeless = await run(["--home", at("nowhere"), "doctor", "--json"], none);
    expect([homeless.code, homeless.json().ok]).toEqual([0, true]);
  });

  test("finds programs on PATH alone, and says what is not done without them", async () => {
    const report = (await run(["doctor", "--json"], { PATH: "", HOME: at("nobody") })).json();
    const cometbft = report.checks.find(({ name }: { name: string }) => name === "cometbft");
    expect(cometbft).toMatchObject({
      ok: false,
      required: false,
      code: "tool-missing",
      detail: expect.stringMatching(/^not found.*go install .*cometbft@v/),
    });
  });

  test("says that a home is damaged: exit 4", async () => {
    writeFileSync(join(place.home, "ledger", "ledger.sqlite"), "no database");
    const report = await run(["--home", place.home, "doctor", "--json"], none);
    expect([report.code, report.json().ok, report.json().missing]).toEqual([
      4,
      false,
      expect.arrayContaining(["home"]),
    ]);
    copyHome(place.home, at("copy"));
    rmSync(join(at("copy"), "genesis.cbor"));
    expect((await run(["--home", at("copy"), "doctor", "--json"], none)).code).toBe(4);
  });
});

describe("passphrase change", () => {
  const open = (passphrase: string) =>
    run(["--home", place.home, "open", place.record, "--as", "bob", "--json"], {
      CHARTSEAL_PASSPHRASE: passphrase,
    });

  test("opens the same keys under the new passphrase and never again under the old one", async () => {
    const argv = ["--home", place.home, "passphrase", "change", "--json"];
    const changed = await run(argv, { CHARTSEAL_NEW_PASSPHRASE: "the new one" });
    expect(changed.json()).toEqual({ changed: ["alice", "bob", "carol", "service"], unchanged: [] });
    expect((await open("the new one")).json().bytes).toBe(plaintext.length);
    const old = await cli("open", place.record, "--as", "bob");
    expect([old.code, old.json().error.code]).toEqual([3, "passphrase-wrong"]);
    expect((await run(argv, { CHARTSEAL_NEW_PASSPHRASE: "third" })).json().error.code).toBe(
      "passphrase-wrong",
    );
  });

  test("of one member touches its vault alone, from a file too", async () => {
    const file = at("new.txt");
    writeFileSync(file, "bob's own\n");
    const service = readFileSync(join(place.home, "service", "vault.json"), "utf8");
    const changed = await cli("passphrase", "change", "--member", "bob", "--new-passphrase-file", file);
    expect(changed.json()).toEqual({ changed: ["bob"], unchanged: [] });
    expect(readFileSync(join(place.home, "service", "vault.json"), "utf8")).toBe(service);
    // Whoever runs it for all the others now leaves bob's as it is, and says so.
    const rest = await run(["--home", place.home, "passphrase", "change", "--json"], {
      CHARTSEAL_NEW_PASSPHRASE: "z",
    });
    expect(rest.json()).toEqual({ changed: ["alice", "carol", "service"], unchanged: ["bob"] });
  });

  test("is refused, nothing changed, without a passphrase, with a wrong one, with the same, for nobody", async () => {
    const before = treeHash(place.home);
    const change = (env: Record<string, string | undefined>, ...more: string[]) =>
      run(["--home", place.home, "passphrase", "change", ...more, "--json"], env);
    const next = { CHARTSEAL_NEW_PASSPHRASE: "new" };
    const attempts: [Awaited<ReturnType<typeof run>>, number, string][] = [
      [await change({ ...next, CHARTSEAL_PASSPHRASE: "wrong" }), 3, "passphrase-wrong"],
      [await change({ ...next, CHARTSEAL_PASSPHRASE: "wrong" }, "--member", "bob"), 3, "passphrase-wrong"],
      [await change({ ...next, CHARTSEAL_PASSPHRASE: undefined }), 2, "passphrase-missing"],
      [await change({ CHARTSEAL_NEW_PASSPHRASE: undefined }), 2, "passphrase-missing"],
      [await change({ CHARTSEAL_NEW_PASSPHRASE: "" }), 2, "passphrase-missing"],
      [await change({ CHARTSEAL_NEW_PASSPHRASE: "same", CHARTSEAL_PASSPHRASE: "same" }), 2, "input-invalid"],
      [await change(next, "--member", "nobody"), 2, "member-unknown"],
      [await change({}, "--new-passphrase-file", at("absent.txt")), 2, "input-invalid"],
    ];
    for (const [{ code, json }, exit, error] of attempts)
      expect([code, json().error.code]).toEqual([exit, error]);
    expect(treeHash(place.home)).toBe(before);
  });
});
