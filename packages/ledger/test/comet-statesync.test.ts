/**
 * State sync on real nodes: a new node joins by a snapshot of its peers, one that liars give chunks to does not, one that was
 * killed in the middle begins again, and a validator whose database is damaged comes back by it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isFamily, sha256, toHex, utf8 } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import type { Action } from "../src/actions.ts";
import { openComet, type StateSyncSettings, trustFromGenesis } from "../src/comet/index.ts";
import {
  entries,
  isCometCommit,
  type Ledger,
  ledgerRules,
  type Rules,
  type Submitted,
  verifyCommit,
  verifyStateProof,
} from "../src/index.ts";
import { validatorsInForce } from "../src/rules/validators.ts";
import { CometNetwork } from "./comet-network.ts";
import { admissionsOf, stakeWorld, validators } from "./stake-world.ts";
import { identity, type World } from "./world.ts";

const four = validators.slice(0, 4);
const child = fileURLToPath(new URL("./comet-join-child.ts", import.meta.url));

const institution = (number: number) => identity(`institution ${number}`);

/** Admits an institution, by a vote of all. */
async function admit(world: World, ledger: Ledger, number: number): Promise<Submitted> {
  const who = institution(number);
  const action: Action = { kind: "register-node", publicKey: who.publicKey, hpkeKey: who.hpkeKey };
  const { height, hash } = await ledger.head();
  const head = height === 0 ? { height, hash: world.chainId } : { height, hash };
  const body = world.body(action, { head, lastValidMs: Date.now() + 1_800_000 });
  const transaction = world.signed(who, action, { body, admissions: admissionsOf(body, four) });
  for (;;) {
    try {
      return await ledger.submit(transaction);
    } catch (error) {
      // A busy machine lets a connection to its node lapse.
      if (!isFamily(error, "unavailable")) throw error;
    }
  }
}

async function isAdmitted(ledger: Ledger, number: number): Promise<boolean> {
  return (await ledger.read(entries.account.kind, institution(number).account)) !== undefined;
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error(`${what}: it did not come to that`);
}

/** The folders of a member's whole snapshots. */
function snapshotsOf(directory: string): string[] {
  const folder = join(directory, "ledger", "snapshots");
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => !name.endsWith(".part"));
  return names.map((name) => join(folder, name));
}

/** Turns one bit over in the second chunk of each; doing it again mends it. */
function flip(directory: string): void {
  for (const folder of snapshotsOf(directory)) {
    const path = join(folder, "1");
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
  }
}

/** Four validators, none of them begun, and the folder of a fifth node that is no validator. */
async function folders(program: string, blocks: number) {
  const world = await stakeWorld([100, 100, 100, 100]);
  const rules = ledgerRules(world.pairing, world.genesis);
  const all = validatorsInForce(world.state).map((one) => {
    const { seed } = validators.find(({ publicKey }) => toHex(publicKey) === toHex(one.publicKey))!;
    return { ...one, seed };
  });
  const further = [sha256(utf8("a node that is no validator"))];
  const options = { program, rules, validators: all, further, emptyBlocksMs: 250 };
  const network = await CometNetwork.make({ ...options, snapshots: { blocks, chunkBytes: 16_384 } });
  const rpcUrls = [network.rpcUrl(0), network.rpcUrl(1)] as const;
  const stateSync = async (): Promise<StateSyncSettings> => {
    const asked = { chainId: rules.chainId, validators: all, rpcUrls, nowMs: Date.now() };
    const { height: trustHeight, hash: trustHash } = await trustFromGenesis(asked);
    return { rpcUrls, trustHeight, trustHash };
  };
  return { world, rules, network, stateSync };
}

/** The four come up, take so many transactions in batches, and have their snapshots of two blocks. */
async function begin(network: CometNetwork, world: World, batches: { count: number; size: number }) {
  const ups = await Promise.all([0, 1, 2, 3].map((at) => network.up(at)));
  await Promise.all([0, 1, 2, 3].map((at) => network.ready(at)));
  const { ledger } = ups[0]!;
  let number = 0;
  let first: Submitted | undefined;
  for (let batch = 0; batch < batches.count; batch++) {
    const sent = Array.from({ length: batches.size }, () => admit(world, ledger, number++));
    first ??= (await Promise.all(sent))[0]!;
    await Promise.all(sent);
  }
  for (const { directory } of network.members.slice(0, 4)) {
    await until("two snapshots", () => snapshotsOf(directory).length === 2);
  }
  return { ledger, first: first! };
}

/** The application in another process, which is killed with its node once a part of the snapshot is restored. */
async function killedInTheMiddle(network: CometNetwork, rules: Rules, stateSync: StateSyncSettings) {
  const { directory } = network.members[4]!;
  const args = ["--conditions=chartseal-source", child, directory, network.rpcUrl(4), toHex(rules.genesis)];
  const application: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const abciPort = await new Promise<number>((resolve) => {
    application.stdout!.once("data", (line: Buffer) => resolve(Number(line.toString())));
  });
  network.write(4, { stateSync });
  network.restart(4, undefined, abciPort);
  const file = join(directory, "ledger", "restoring.sqlite");
  await until("a restore under way", () => existsSync(file) && statSync(file).size > 20_000);
  const ended = new Promise((resolve) => application.once("exit", resolve));
  application.kill("SIGKILL");
  await network.members[4]!.node!.kill();
  await ended;
  return file;
}

describeTool("cometbft", "state sync", (program) => {
  it("joins by a snapshot though most lie, after a kill too, and gives proofs", {
    timeout: 600_000,
  }, async () => {
    const { world, rules, network, stateSync } = await folders(program, 10);
    try {
      const { ledger, first } = await begin(network, world, { count: 25, size: 12 });
      const settings = await stateSync();
      // Nobody has the second chunk as it should be: the restore cannot go on.
      for (const { directory } of network.members.slice(0, 4)) flip(directory);
      const left = await killedInTheMiddle(network, rules, settings);
      expect(existsSync(left)).toBe(true);
      // Three still lie.
      flip(network.members[2]!.directory);
      const joined = await network.up(4, { settings: { stateSync: settings } });
      await until("the joining node's head", async () => (await joined.ledger.head()).height > 0);
      const number = 1_000;
      const more = await admit(world, joined.ledger, number);
      await network.level(more.height);
      const [head, theirs] = [await joined.ledger.head(), await ledger.head()];
      expect(toHex(head.stateRoot)).toBe(toHex(theirs.stateRoot));
      expect(toHex(head.hash)).toBe(toHex(theirs.hash));
      expect(network.members[4]!.refused.every((error) => String(error).includes("snapshot"))).toBe(true);
      expect(existsSync(left)).toBe(false);
      for (const one of [0, 150, 299, number]) expect(await isAdmitted(joined.ledger, one)).toBe(true);
      expect(await isAdmitted(joined.ledger, 301)).toBe(false);
      await holdsProof(rules, joined.ledger);
      await knowsNothingBefore(joined.ledger, first);
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });

  it("brings back a validator whose database is damaged", { timeout: 600_000 }, async () => {
    const { world, rules, network, stateSync } = await folders(program, 4);
    try {
      const { ledger } = await begin(network, world, { count: 10, size: 20 });
      await network.down(3);
      const { directory } = network.members[3]!;
      const file = join(directory, "ledger", "comet.sqlite");
      const size = statSync(file).size;
      const descriptor = openSync(file, "r+");
      writeSync(descriptor, Buffer.alloc(size >> 1, 0xa5), 0, size >> 1, size >> 2);
      const options = { directory, rules, rpcUrl: network.rpcUrl(3), abciPort: 0, now: Date.now };
      await expect(openComet({ ...options, failed: () => {} })).rejects.toMatchObject({
        code: "chain-altered",
      });
      // The others go on without it. What it signed last stays: without that it might sign twice.
      await admit(world, ledger, 400);
      rmSync(join(directory, "ledger"), { recursive: true });
      const data = join(directory, "data");
      for (const name of readdirSync(data)) {
        if (name !== "priv_validator_state.json") rmSync(join(data, name), { recursive: true });
      }
      const { ledger: back } = await network.up(3, { settings: { stateSync: await stateSync() } });
      await until("the validator's head", async () => (await back.head()).height > 0);
      const { height } = await admit(world, back, 401);
      await until("the same head", async () => (await back.head()).height >= height);
      for (const one of [0, 400, 401]) expect(await isAdmitted(back, one)).toBe(true);
      // It votes again: without one of the others, the chain goes on with it.
      await network.down(2);
      await admit(world, ledger, 402);
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });
});

async function holdsProof(rules: Rules, ledger: Ledger): Promise<void> {
  const { kind } = entries.account;
  const { account } = institution(7);
  const { value, proof, header, commit } = await ledger.prove(kind, account);
  expect(verifyStateProof(header.stateRoot, kind, account, value, proof)).toBe(true);
  const { hash } = await ledger.head();
  expect(isCometCommit(commit) && verifyCommit(rules.chainId, header, hash, commit)).toBe(true);
}

/** What was before the snapshot is an error that says so, and no damage. */
async function knowsNothingBefore(ledger: Ledger, { identifier }: Submitted): Promise<void> {
  const before = { code: "input-invalid", hint: expect.stringContaining("joined by a snapshot") };
  await expect(ledger.block(1)).rejects.toMatchObject(before);
  await expect(ledger.prove(entries.account.kind, institution(7).account, 2)).rejects.toMatchObject(before);
  await expect(ledger.transaction(identifier)).rejects.toMatchObject(before);
  const all = (async () => {
    for await (const _ of ledger.blocks(1));
  })();
  await expect(all).rejects.toMatchObject(before);
}
