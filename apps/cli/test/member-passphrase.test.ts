/** A member's keys under another passphrase than the home's: who needs which, with and without a server, and who is told. */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { root } from "../../../test/tidy/tree.ts";
import { KeyVault } from "../src/home/key-vault.ts";
import { cases, passphrase, plaintext, type Ran, run } from "./care-home.ts";

const { place, at } = cases();
const bobs = "bob's own";
const withHomes = { CHARTSEAL_PASSPHRASE: passphrase };
const withBobs = { CHARTSEAL_PASSPHRASE: bobs };
const withBoth = { ...withHomes, CHARTSEAL_MEMBER_PASSPHRASE: bobs };
type Environment = Readonly<Record<string, string | undefined>>;

const cli = (env: Environment, ...argv: string[]): Promise<Ran> =>
  run(["--home", place.home, ...argv, "--json"], env);
const open = (env: Environment, ...more: string[]): Promise<Ran> =>
  cli(env, "open", place.record, "--as", "bob", ...more);
function done(ran: Ran): unknown {
  expect(ran.code, ran.err).toBe(0);
  return ran.json();
}

const ofServices = { code: "passphrase-wrong", keys: "service", message: /the home's services/ };
const ofMember = (member: string) => ({
  code: "passphrase-wrong",
  keys: "member",
  member,
  message: new RegExp(`member ${member}$`),
});

function refused(ran: Ran, { message, ...data }: { readonly message: RegExp }): void {
  expect(ran.code).toBe(3);
  const { error } = ran.json();
  expect(error).toMatchObject(data);
  expect(error.message).toMatch(message);
  expect(error.hint).toContain("CHARTSEAL_MEMBER_PASSPHRASE or --member-passphrase-file");
}

async function changeBobs(): Promise<Ran> {
  const argv = ["--home", place.home, "passphrase", "change", "--member", "bob"];
  return await run(argv, { CHARTSEAL_NEW_PASSPHRASE: bobs });
}

/** Whose vaults a command opened, each time that it derived a key. */
async function derived(command: () => Promise<Ran>): Promise<string[]> {
  const { open: real } = KeyVault;
  const folders: string[] = [];
  let running = 0;
  let most = 0;
  const spy = vi.spyOn(KeyVault, "open").mockImplementation(async (folder, ...rest) => {
    folders.push(basename(folder));
    most = Math.max(most, ++running);
    try {
      return await real.call(KeyVault, folder, ...rest);
    } finally {
      running--;
    }
  });
  try {
    done(await command());
  } finally {
    spy.mockRestore();
  }
  // Side by side, where there are two.
  expect(most).toBe(folders.length);
  return folders.sort();
}

describe("after passphrase change --member bob", () => {
  beforeEach(async () => {
    const changed = await changeBobs();
    expect([changed.code, changed.out]).toEqual([0, "Changed: bob.\n"]);
    expect(changed.err).toMatch(/warning: from now on .*CHARTSEAL_MEMBER_PASSPHRASE.*while a server runs/);
  });

  test("his commands take the home's and his own", async () => {
    done(await open(withBoth));
    const note = at("note.txt");
    writeFileSync(note, "a note");
    const sealed = await cli(withBoth, "seal", note, "--owner", "alice", "--as", "bob");
    expect(done(sealed)).toMatchObject({ bytes: 6 });
    done(await cli(withBoth, "keys", "renew", "bob"));
    const kit = await cli(withBoth, "recovery", "kit", "bob");
    expect(done(kit)).toMatchObject({ member: "bob" });
    expect(kit.err).toContain("Paper kit of bob");
    done(await cli(withHomes, "open", place.record, "--as", "alice"));
  });

  test("a file serves as well as the variable, and is read by the same rules", async () => {
    const file = at("bobs.txt");
    writeFileSync(file, `${bobs}\n`);
    done(await open(withHomes, "--member-passphrase-file", file));
    const attempts: [Ran, string][] = [
      [await open(withHomes, "--member-passphrase-file", at("absent")), "input-invalid"],
      [await open({ CHARTSEAL_MEMBER_PASSPHRASE: "" }), "passphrase-missing"],
      [await open({ ...withBoth, CHARTSEAL_PASSPHRASE: undefined }), "passphrase-missing"],
    ];
    for (const [ran, code] of attempts) expect([ran.code, ran.json().error.code]).toEqual([2, code]);
  });

  test("a wrong one is named: whose keys it did not open, and where theirs goes", async () => {
    refused(await open(withHomes), ofMember("bob"));
    refused(await open({ ...withBoth, CHARTSEAL_MEMBER_PASSPHRASE: "wrong" }), ofMember("bob"));
    refused(await open(withBobs), ofServices);
    refused(await open({ ...withBoth, CHARTSEAL_PASSPHRASE: "wrong" }), ofServices);
    refused(await open({ CHARTSEAL_PASSPHRASE: "neither" }), ofServices);
    const again = { CHARTSEAL_NEW_PASSPHRASE: "third" };
    refused(await cli(again, "passphrase", "change", "--member", "bob"), ofMember("bob"));
  });

  test("each vault's key is derived once a command, the two side by side", async () => {
    expect(await derived(() => open(withBoth))).toEqual(["bob", "service"]);
    const alice = () => cli(withHomes, "open", place.record, "--as", "alice");
    expect(await derived(alice)).toEqual(["alice", "service"]);
  });

  test("the home's change leaves his and says so; his own is brought back by a change of his", async () => {
    const next = { CHARTSEAL_NEW_PASSPHRASE: "the next" };
    const changed = await run(["--home", place.home, "passphrase", "change"], next);
    expect(changed.out).toBe("Changed: alice, carol, service. Left, with another passphrase: bob.\n");
    const json = { CHARTSEAL_PASSPHRASE: "the next", CHARTSEAL_NEW_PASSPHRASE: passphrase };
    expect(done(await cli(json, "passphrase", "change"))).toEqual({
      changed: ["alice", "carol", "service"],
      unchanged: ["bob"],
    });
    const back = { ...withBoth, CHARTSEAL_NEW_PASSPHRASE: passphrase };
    done(await cli(back, "passphrase", "change", "--member", "bob"));
    done(await open(withHomes));
  });
});

describe("member add", () => {
  const kims = { ...withHomes, CHARTSEAL_MEMBER_PASSPHRASE: "kim's own" };

  test("sets the member's own where both are given, else the one for both", async () => {
    done(await cli(kims, "member", "add", "kim"));
    refused(await cli(withHomes, "keys", "renew", "kim"), ofMember("kim"));
    done(await cli(kims, "keys", "renew", "kim"));
    done(await cli(withHomes, "member", "add", "lea"));
    done(await cli(withHomes, "keys", "renew", "lea"));
  });

  test("is refused with another than the home's alone, which is named, and nothing is made", async () => {
    refused(await cli({ CHARTSEAL_PASSPHRASE: "other" }, "member", "add", "kim"), ofServices);
    expect(existsSync(join(place.home, "members", "kim"))).toBe(false);
  });
});

describe("a recovery", () => {
  const hers = { ...withHomes, CHARTSEAL_MEMBER_PASSPHRASE: "hers" };
  const protect = async (): Promise<string> => {
    done(await cli(withHomes, "settings", "set", "--recovery-delay", "0m"));
    const kit = at("kit.txt");
    writeFileSync(kit, (await run(["--home", place.home, "recovery", "kit", "alice"])).err);
    done(await cli(withHomes, "guardians", "set", "alice", "--guardian", "bob", "--threshold", "1"));
    return kit;
  };

  test("by the paper kit puts the new keys under the member's own passphrase", async () => {
    const kit = await protect();
    done(await cli(hers, "recovery", "start", "alice", "--by-paper-kit", kit));
    refused(await cli(withHomes, "recovery", "finish", "alice"), ofMember("alice"));
    done(await cli(hers, "recovery", "finish", "alice"));
    done(await cli(hers, "open", place.record, "--as", "alice"));
  });

  test("by a guardian does not put them under the guardian's", async () => {
    await protect();
    await changeBobs();
    done(await cli(withBoth, "recovery", "start", "alice", "--guardian", "bob"));
    done(await cli(withHomes, "recovery", "finish", "alice"));
    done(await cli(withHomes, "open", place.record, "--as", "alice"));
  });
});

describe("while a server runs on the home", () => {
  let stop: () => Promise<void>;
  beforeEach(async () => {
    await changeBobs();
    const command = [join(root, "apps/cli/bin/chartseal.js"), "--home", place.home, "serve", "--json"];
    const server = spawn(process.execPath, command, {
      env: { ...process.env, ...withHomes },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
    await Promise.race([new Promise((resolve) => server.stdout.once("data", resolve)), ended]);
    stop = async () => {
      server.kill("SIGTERM");
      await ended;
      expect(server.exitCode).toBe(0);
    };
  });
  afterEach(() => stop());

  test("his own passphrase is enough, as the ordinary one or beside the home's; no other key is derived", async () => {
    expect(done(await open(withBobs))).toMatchObject({ bytes: plaintext.length });
    expect(await derived(() => open(withBobs))).toEqual(["bob"]);
    expect(await derived(() => open(withBoth))).toEqual(["bob"]);
    done(await open({ CHARTSEAL_PASSPHRASE: undefined, CHARTSEAL_MEMBER_PASSPHRASE: bobs }));
    const note = at("note.txt");
    writeFileSync(note, "a note");
    done(await cli(withBobs, "seal", note, "--owner", "alice", "--as", "bob"));
    done(await cli(withBobs, "keys", "renew", "bob"));
    done(await cli(withBobs, "recovery", "kit", "bob"));
  });

  test("a wrong one is named; what is done for no member takes the home's", async () => {
    refused(await open(withHomes), ofMember("bob"));
    refused(await cli(withBobs, "namespace", "add", "lakeside"), ofServices);
    done(await cli(withHomes, "namespace", "add", "lakeside"));
  });

  test("member add sets the passphrase given to it, whatever the home's is", async () => {
    const kims = { CHARTSEAL_PASSPHRASE: "kim's own" };
    done(await cli(kims, "member", "add", "kim"));
    done(await cli(kims, "keys", "renew", "kim"));
    refused(await cli(withHomes, "keys", "renew", "kim"), ofMember("kim"));
    const none = await cli({ CHARTSEAL_PASSPHRASE: undefined }, "member", "add", "lea");
    expect([none.code, none.json().error.code]).toEqual([2, "passphrase-missing"]);
    expect(existsSync(join(place.home, "members", "lea"))).toBe(false);
  });
});

describe("on a terminal", () => {
  /** Types an answer for each question. Returns the questions. */
  async function typing(answers: readonly string[], command: () => Promise<Ran>): Promise<[Ran, string[]]> {
    const left = [...answers];
    const setRawMode = (isRaw: boolean): void => {
      if (isRaw) setImmediate(() => terminal.write(`${left.shift() ?? ""}\r`));
    };
    const terminal = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
    const spy = vi.spyOn(process, "stdin", "get").mockReturnValue(terminal as never);
    try {
      const ran = await command();
      return [ran, ran.err.match(/Passphrase.*?: /g) ?? []];
    } finally {
      spy.mockRestore();
    }
  }
  const none = { CHARTSEAL_PASSPHRASE: undefined };

  test("whichever is missing or wrong is asked for, and nothing that is at hand", async () => {
    const [same, once] = await typing([passphrase], () => open(none));
    done(same);
    expect(once).toEqual(["Passphrase: "]);
    await changeBobs();
    const again = "Passphrase of bob (the one given is another): ";
    const attempts: [Environment, string[], string[]][] = [
      [none, [passphrase, bobs], ["Passphrase: ", again]],
      [withHomes, [bobs], [again]],
      [{ ...none, CHARTSEAL_MEMBER_PASSPHRASE: bobs }, [passphrase], ["Passphrase of the home's services: "]],
      [withBobs, [passphrase], ["Passphrase of the home's services (the one given is another): "]],
      [withBoth, [], []],
    ];
    for (const [env, answers, questions] of attempts) {
      const [ran, asked] = await typing(answers, () => open(env));
      done(ran);
      expect(asked).toEqual(questions);
    }
    const [wrong] = await typing(["wrong"], () => open(withHomes));
    refused(wrong, ofMember("bob"));
  });

  test("a new member's is asked for beside the home's; no question comes before the other checks", async () => {
    const [added, asked] = await typing([passphrase, "kim's own"], () => cli(none, "member", "add", "kim"));
    done(added);
    expect(asked).toEqual(["Passphrase: ", "Passphrase of kim: "]);
    for (const env of [none, { CHARTSEAL_PASSPHRASE: "wrong" }]) {
      const unknown = () => cli(env, "open", "0".repeat(64), "--as", "bob");
      const [ran, questions] = await typing([], unknown);
      expect([ran.json().error.code, questions]).toEqual(["record-unknown", []]);
    }
  });
});
