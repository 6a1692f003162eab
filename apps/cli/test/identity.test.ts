/**
 * The commands about an identity provider, against a real one on this machine: the built command as a child process, the
 * browser played by the test.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HospitalProvider } from "../../../packages/oidc/test/hospital-provider.ts";
import { root } from "../../../test/tidy/tree.ts";
import { whyLines } from "../src/operations/identity.ts";
import { type Clinic, clinic, passphrase, run } from "./care-home.ts";

const bin = join(root, "apps/cli/bin/chartseal.js");
let place: Clinic;
let idp: HospitalProvider;

beforeAll(async () => {
  const built = spawnSync(process.execPath, [join(root, "node_modules/.bin/tsc"), "-b", "apps/cli"], {
    cwd: root,
  });
  expect(built.status).toBe(0);
  place = await clinic();
  idp = await HospitalProvider.start();
  idp.users.set("u-carol", { name: "Carol", groups: ["doctors", "heart"] });
  idp.users.set("u-bob", { name: "Bob", groups: ["doctors"] });
  const rules = [
    { claim: "groups", operator: "contains", value: "doctors", attributes: ["doctor@cedars"] },
    { claim: "groups", operator: "contains", value: "heart", attributes: ["cardiology@cedars"] },
  ];
  writeFileSync(join(place.folder, "mapping.json"), JSON.stringify({ version: 1, rules }));
  writeFileSync(join(place.folder, "secret"), `${idp.settings.clientSecret}\n`);
  const { issuer, clientId } = idp.settings;
  const about = ["--issuer", issuer, "--client-id", clientId, "--scopes", "openid,profile,offline_access"];
  const files = [
    "--mapping",
    join(place.folder, "mapping.json"),
    "--client-secret-file",
    join(place.folder, "secret"),
  ];
  expect(await here("namespace", "oidc", "set", "cedars", ...about, ...files)).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await idp.stop();
  place.remove();
});

const here = (...args: string[]) => run(["--home", place.home, ...args]);

interface Linked {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `namespace link`, with somebody at the browser who is told the address. */
function link(
  member: string,
  options: string[],
  browser: (url: string, type: (text: string) => void) => Promise<void>,
) {
  const args = [
    bin,
    "--home",
    place.home,
    "namespace",
    "link",
    "cedars",
    "--as",
    member,
    "--json",
    ...options,
  ];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, CHARTSEAL_PASSPHRASE: passphrase },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  let begun: Promise<void> | undefined;
  child.stdout.on("data", (bytes) => {
    said.out += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    said.err += String(bytes);
    const [url] = /http:\S+\/auth\?\S+(?=\n)/.exec(said.err) ?? [];
    if (url !== undefined) begun ??= browser(url, (text) => void child.stdin.end(`${text}\n`));
  });
  return new Promise<Linked>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      Promise.resolve(begun).then(() => resolve({ code, ...said }), reject);
    });
  });
}

/** Whoever is at the browser: follows the provider's redirects to this machine, and opens what they end at. */
const atThisMachine = (user: string) => async (url: string) => {
  const stray = new URL(await idp.signIn(url, user));
  // Somebody else's page comes first, with another login's state: it gets nothing and ends nothing.
  const wrong = new URL(stray);
  wrong.searchParams.set("state", "x");
  expect((await fetch(wrong)).status).toBe(404);
  expect((await fetch(stray)).status).toBe(200);
};

describe("a member", () => {
  test("is linked by a login on this machine; keys follow, and the record opens", async () => {
    const done = await link("carol", [], atThisMachine("u-carol"));
    expect(done.code, done.err).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({
      member: "carol",
      outcome: "current",
      vouched: ["cardiology@cedars", "doctor@cedars"],
    });
    expect((await here("open", place.record, "--as", "carol", "--json")).code).toBe(0);
    const why = await here("why", "carol", "cardiology@cedars");
    expect(why.out).toContain("in force, by the identity provider");
    expect(why.out).toContain("rule 1: groups contains heart");
    expect(why.out).toContain("identity u-carol at");
  });

  test("whose attribute was taken away by hand is not said to have lost it through the provider that brought it", () => {
    const act = { height: 7, transaction: "ab".repeat(32) };
    const brought = { attribute: "doctor@cedars", standing: false, by: "mapping", vouch: act } as const;
    const revoked = { ...act, atMs: null };
    const line = (reason: "by-hand" | "claim-gone"): string | undefined =>
      whyLines({ ...brought, match: null, identity: null, revoked: { ...revoked, reason } })[0];
    expect(line("by-hand")).toBe(
      "doctor@cedars: revoked by hand, by cedars; before, by the identity provider",
    );
    expect(line("claim-gone")).toContain("revoked through the identity provider; ");
  });

  test("is linked by an address that was pasted, as where the browser is elsewhere", async () => {
    const done = await link("bob", ["--paste"], async (url, type) =>
      type((await idp.signIn(url, "u-bob")).href),
    );
    expect(done.code, done.err).toBe(0);
    // Both were granted by hand before: nothing new, and they stay when the claim goes.
    expect(JSON.parse(done.out)).toMatchObject({ member: "bob", vouched: [] });
    expect((await here("why", "bob", "doctor@cedars")).out).toContain("granted by hand");
  });

  test("is refused an identity that another is linked to, and a pasted line that is no login's end", async () => {
    const taken = await link("alice", ["--paste"], async (url, type) =>
      type((await idp.signIn(url, "u-carol")).href),
    );
    expect(taken.code).toBe(3);
    expect(taken.err).toContain("chartseal: identity-refused: this identity is linked to another account");
    for (const line of ["nonsense", "http://127.0.0.1:1/callback?code=x&state=y"]) {
      const done = await link("alice", ["--paste"], async (_url, type) => type(line));
      expect([2, 3]).toContain(done.code);
      expect(done.err).toMatch(/chartseal: (?:input-invalid|identity-refused): /);
    }
  });

  test("whom nobody logs in waits as long as was said", async () => {
    const done = await link("alice", ["--timeout", "1"], async () => {});
    expect(done.code).toBe(5);
    expect(done.err).toContain("chartseal: identity-unreachable: nobody came back");
  });
});

describe("a sync", () => {
  test("revokes what is gone, tells why, and changes nothing while the provider is down", async () => {
    idp.users.set("u-carol", { name: "Carol", groups: ["doctors"] });
    idp.users.set("u-bob", { name: "Bob", groups: [] });
    await idp.stop();
    const down = await here("namespace", "sync", "cedars");
    expect(down.code).toBe(5);
    expect((await here("open", place.record, "--as", "carol", "--json")).code).toBe(0);
    await idp.restart();
    const synced = (await here("namespace", "sync", "cedars", "--json")).json();
    const of = (member: string) => synced.links.find((one: { member: string }) => one.member === member);
    expect(of("carol")).toMatchObject({ outcome: "current", revoked: ["cardiology@cedars"], vouched: [] });
    expect(of("bob")).toMatchObject({ outcome: "current", revoked: [] });
    const refused = await here("open", place.record, "--as", "carol", "--json");
    expect(refused.code).toBe(3);
    expect(refused.json().error.code).toBe("revoked");
    expect((await here("why", "carol", "cardiology@cedars")).out).toContain("the claim was gone");
  });

  test("brings what is new, and the member's client collects its key at next use", async () => {
    idp.users.set("u-carol", { name: "Carol", groups: ["doctors", "heart"] });
    const synced = (await here("namespace", "sync", "cedars", "--member", "carol", "--json")).json();
    expect(synced.links).toMatchObject([{ member: "carol", vouched: ["cardiology@cedars"] }]);
    expect((await here("open", place.record, "--as", "carol", "--json")).code).toBe(0);
  });

  test("after a user was disabled leaves nothing of what was mapped", async () => {
    idp.users.delete("u-carol");
    const synced = await here("namespace", "sync", "cedars", "--member", "carol");
    expect(synced.out).toContain("carol: gone (invalid_grant); revoked cardiology@cedars, doctor@cedars");
    expect((await here("attributes", "list", "carol", "--json")).json().attributes).toEqual([]);
    const reason = (await here("why", "carol", "doctor@cedars", "--json")).json();
    expect(reason.revoked.reason).toBe("identity-gone");
  });

  test("keeps the provider's settings from moving while somebody is linked", async () => {
    const moved = [
      "--issuer",
      "http://127.0.0.1:9",
      "--client-id",
      "x",
      "--mapping",
      join(place.folder, "mapping.json"),
    ];
    const refused = await here("namespace", "oidc", "set", "cedars", ...moved);
    expect(refused.err).toContain("input-invalid: members are linked through another provider");
    for (const member of ["bob", "carol"]) {
      expect((await here("namespace", "unlink", "cedars", "--member", member)).code).toBe(0);
    }
    expect((await here("attributes", "list", "bob", "--json")).json().attributes).toEqual([
      "cardiology@cedars",
      "doctor@cedars",
    ]);
    expect((await here("namespace", "oidc", "set", "cedars", ...moved)).code).toBe(0);
  });
});

test("nothing that a namespace keeps of an identity lies in clear", () => {
  const names = readdirSync(place.home, { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  for (const { parentPath, name } of names) {
    const bytes = readFileSync(join(parentPath, name)).toString("latin1");
    for (const secret of ["u-carol", "u-bob", idp.settings.clientSecret!, "heart"])
      expect(bytes).not.toContain(secret);
  }
});
