/** `ledger prove` and `ledger check-proof`: offline, without a passphrase, and two histories convict their signer. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "@chartseal/crypto";
import { decodeGenesis, validatorSetHash } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clinic, clinic, copyHome, run, treeHash } from "./care-home.ts";

const none = { CHARTSEAL_PASSPHRASE: undefined };

describe("an inclusion receipt", () => {
  let place: Clinic;
  let receipt: string;
  let genesis: string;
  const at = (name: string): string => join(place.folder, name);
  const nowhere = (): Record<string, string | undefined> => ({ ...none, CHARTSEAL_HOME: at("no-home") });
  const rewritten = (name: string, change: (text: string) => string): string => {
    writeFileSync(at(name), change(readFileSync(receipt, "utf8")));
    return at(name);
  };

  beforeAll(async () => {
    place = await clinic();
    receipt = at("receipt.json");
    genesis = at("genesis.json");
    const before = treeHash(place.home);
    const made = await run(
      ["--home", place.home, "ledger", "prove", place.record, "--out", receipt, "--json"],
      none,
    );
    expect(made.json()).toMatchObject({ recordId: place.record, out: receipt });
    const printed = await run(["--home", place.home, "ledger", "genesis", "--json"], none);
    writeFileSync(genesis, printed.out);
    expect(treeHash(place.home)).toBe(before);
  });
  afterAll(() => place.remove());

  test("holds offline, against the genesis given, the home's, or its own with a warning", async () => {
    const given = await run(["ledger", "check-proof", receipt, "--genesis", genesis, "--json"], nowhere());
    expect([given.code, given.json()]).toEqual([
      0,
      expect.objectContaining({ ok: true, recordId: place.record, genesis: "given", findings: [] }),
    ]);
    const home = await run(["--home", place.home, "ledger", "check-proof", receipt, "--json"], none);
    expect(home.json()).toMatchObject({ ok: true, genesis: "home" });
    const own = await run(["ledger", "check-proof", receipt, "--json"], nowhere());
    expect(own.json()).toMatchObject({ ok: true, genesis: "receipt" });
    expect(own.err).toContain("no genesis was given");
  });

  test("is held to the set of validators that is trusted, where one is", async () => {
    const { genesis: hex } = JSON.parse(readFileSync(genesis, "utf8"));
    const own = toHex(validatorSetHash(decodeGenesis(fromHex(hex)).validators));
    const check = (...more: string[]) =>
      run(["ledger", "check-proof", receipt, "--genesis", genesis, ...more, "--json"], nowhere());
    expect((await check("--validators", own)).json()).toMatchObject({ ok: true });
    const other = await check("--validators", "00".repeat(32));
    expect([other.code, other.json().findings[0].kind]).toEqual([4, "commit"]);
    for (const wrong of [
      ["--validators", "00"],
      ["--trust-period", "0"],
      ["--trust-period", "soon"],
    ]) {
      expect((await check(...wrong)).code, wrong.join(" ")).toBe(2);
    }
  });

  test("takes a genesis as bytes and as hex too", async () => {
    const { genesis: hex } = JSON.parse(readFileSync(genesis, "utf8"));
    writeFileSync(at("genesis.hex"), `${hex}\n`);
    for (const file of [join(place.home, "genesis.cbor"), at("genesis.hex")]) {
      const checked = await run(["ledger", "check-proof", receipt, "--genesis", file, "--json"], nowhere());
      expect(checked.json().ok).toBe(true);
    }
  });

  test("printed on standard output is the same receipt", async () => {
    const printed = await run(["--home", place.home, "ledger", "prove", place.record, "--json"], none);
    expect(printed.json()).toEqual(JSON.parse(readFileSync(receipt, "utf8")));
  });

  test("does not hold with any of its parts altered: exit 4 and a finding", async () => {
    const flipHex = (field: string, offset: number) => (text: string) => {
      const from = text.indexOf(`"${field}":"`) + field.length + 4 + offset;
      return text.slice(0, from) + (text[from] === "0" ? "1" : "0") + text.slice(from + 1);
    };
    const changes: [string, (text: string) => string][] = [
      ["value", flipHex("value", 30)],
      ["transaction", flipHex("transaction", 100)],
      ["header", flipHex("header", 150)],
      ["signature", flipHex("signature", 20)],
      ["recordId", flipHex("recordId", 3)],
      ["chainId", flipHex("chainId", 3)],
      ["height", (text) => text.replace(/"index":\d+/, '"index":77')],
    ];
    for (const [part, change] of changes) {
      const file = rewritten(`bad-${part}.json`, change);
      const checked = await run(["ledger", "check-proof", file, "--genesis", genesis, "--json"], nowhere());
      expect([part, checked.code, checked.json().ok]).toEqual([part, 4, false]);
      expect(checked.json().findings.length).toBeGreaterThan(0);
      expect(checked.json().error.code).toBe("chain-altered");
      expect(checked.err).toMatch(/^chartseal: chain-altered: the receipt does not hold: .+\n$/);
    }
  });

  test("of a stolen leaf with another record's deposit does not hold", async () => {
    const stolen = rewritten("stolen.json", (text) => {
      const value = JSON.parse(text);
      value.transactions = [];
      return JSON.stringify(value);
    });
    const checked = await run(["ledger", "check-proof", stolen, "--genesis", genesis, "--json"], nowhere());
    expect(checked.json()).toMatchObject({ ok: false, findings: [{ kind: "record" }] });
  });

  test("of two histories convicts whoever signed both", async () => {
    const other = copyHome(place.home, at("other-home"));
    for (const [home, name] of [
      [place.home, "mercy"],
      [other, "north"],
    ] as const) {
      expect((await run(["--home", home, "namespace", "add", name])).code).toBe(0);
      await run(["--home", home, "ledger", "prove", place.record, "--out", at(`${name}.json`)], none);
    }
    const both = [at("mercy.json"), at("north.json")];
    const checked = await run(["ledger", "check-proof", ...both, "--genesis", genesis, "--json"], nowhere());
    const [finding] = checked.json().findings;
    expect(checked.code).toBe(4);
    expect(finding).toMatchObject({
      kind: "two-commits",
      detail: expect.stringContaining("proof against it"),
    });
    expect(new Set(finding.hashes).size).toBe(2);
    // One receipt against the ledger at hand shows it as well, and so does one against an export of the other history.
    const beside = await run(
      ["--home", place.home, "ledger", "check-proof", at("north.json"), "--json"],
      none,
    );
    expect(beside.json().findings).toContainEqual(expect.objectContaining({ kind: "two-commits" }));
    const exported = await run(["--home", other, "ledger", "export"], none);
    writeFileSync(at("other.jsonl"), exported.out);
    const against = [at("mercy.json"), at("other.jsonl"), "--genesis", genesis, "--json"];
    const lines = await run(["ledger", "check-proof", ...against], nowhere());
    expect(lines.json().findings).toContainEqual(expect.objectContaining({ kind: "two-commits" }));
  });

  test("is refused as malformed input where it is none", async () => {
    const cases: [string, string][] = [
      ["absent.json", ""],
      ["text.json", "hello\n"],
      ["empty.json", "{}"],
      ["half.json", readFileSync(receipt, "utf8").slice(0, 500)],
    ];
    for (const [name, text] of cases) {
      if (text !== "") writeFileSync(at(name), text);
      const checked = await run(["ledger", "check-proof", at(name), "--json"], nowhere());
      expect([name, checked.code, checked.json().error.code]).toEqual([name, 2, "input-invalid"]);
    }
    const bad = await run(
      ["ledger", "check-proof", receipt, "--genesis", at("text.json"), "--json"],
      nowhere(),
    );
    expect(bad.json().error.code).toBe("input-invalid");
  });

  test("of a record that is not there or cannot be is record-unknown; without a home, home-missing", async () => {
    for (const record of ["0".repeat(64), "xyz"]) {
      const made = await run(["--home", place.home, "ledger", "prove", record, "--json"], none);
      expect([made.code, made.json().error.code]).toEqual([2, "record-unknown"]);
    }
    const homeless = await run(["ledger", "prove", place.record, "--json"], nowhere());
    expect([homeless.code, homeless.json().error.code]).toEqual([2, "home-missing"]);
  });
});
