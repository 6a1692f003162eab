/** Recoveries in the world of world.ts: guardians, a paper kit, new keys, and accounts brought to each point. */
import { ed25519KeyPairFromSeed, sha256, utf8 } from "@chartseal/crypto";
import { signNewKey } from "../src/account-keys.ts";
import type { ActionOf } from "../src/actions.ts";
import { signAdmission } from "../src/authorisation.ts";
import { settingsOf } from "../src/rules/set-settings.ts";
import { encodeTransaction } from "../src/transaction.ts";
import { doctor, hospital, type Identity, identity, owner, service, type World } from "./world.ts";

export const paper = identity("paper kit");
export const delayMs = 7 * 24 * 60 * 60_000;

/** Two guardians, ascending by account: a person and an institution. */
export const guardians = [doctor, hospital].sort((a, b) => Buffer.compare(a.account, b.account));
export const guardianAccounts = guardians.map(({ account }) => account);

/** The same account with another key. */
export function withKey(who: Identity, label: string): Identity {
  const seed = sha256(utf8(`new key ${label}`));
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  return { seed, publicKey, account: who.account, hpkeKey: sha256(utf8(`new hpke ${label}`)) };
}

export function offered(
  world: World,
  to: Identity,
): Pick<ActionOf<"replace-key">, "publicKey" | "hpkeKey" | "proof"> {
  const { seed, publicKey, hpkeKey, account } = to;
  return { publicKey, hpkeKey, proof: signNewKey(seed, { chainId: world.chainId, account, hpkeKey }) };
}

export function replacement(world: World, to: Identity, changes: object = {}): ActionOf<"replace-key"> {
  return { kind: "replace-key", ...offered(world, to), ...changes };
}

export function ways(changes: object = {}): ActionOf<"set-recovery"> {
  const paperKey = paper.publicKey;
  return { kind: "set-recovery", guardians: guardianAccounts, threshold: 2, paperKey, ...changes };
}

export function start(world: World, to: Identity, changes: object = {}): ActionOf<"start-recovery"> {
  return { kind: "start-recovery", account: to.account, ...offered(world, to), ...changes };
}

/** The owner's two ways are set. */
export function protect(world: World, changes: object = {}): void {
  world.do(owner, ways(changes));
}

/** Started by a guardian, and approved by both where `whole`. @returns the recovery's id */
export function started(world: World, to: Identity, { whole = true } = {}): Uint8Array {
  protect(world);
  const recoveryId = world.do(guardians[0]!, start(world, to));
  if (whole) world.do(guardians[1]!, { kind: "approve-recovery", recoveryId });
  return recoveryId;
}

export function startedByPaper(world: World, to: Identity): Uint8Array {
  protect(world);
  return world.do(paper, start(world, to));
}

/** The consortium asks for two ways, or waits otherwise. */
export function settle(world: World, changes: object): void {
  const body = world.body({ kind: "set-settings", ...settingsOf(world.state), ...changes });
  world.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
}
