/** Scenes of emergencies and proxies in the small consortium: an owner, clinicians, a carer, and whole journeys. */
import { encode, fixed, hash } from "@chartseal/crypto";
import { encodeTransaction, signAdmission } from "@chartseal/ledger";
import {
  appointProxy,
  confirmEmergency,
  currentBody,
  declareEmergency,
  type GrantName,
  type Opened,
  obtainSpecialKey,
  readDeclaration,
  retrieveSpecially,
  type SpecialKey,
  type SpecialSecret,
  StorageProvider,
  setSettings,
} from "../src/index.ts";
import type { Member, World } from "./world.ts";

export const listed = "emergency-physician@cedars";
export const hourMs = 3_600_000;

/** cedars, whose emergency physicians the consortium lists. */
export async function hospitalOf(world: World): Promise<void> {
  await world.hospital("cedars");
  await setSettings(world, {
    changes: { emergencyAttributes: [listed] },
    admittedBy: [world.validatorSeed],
  });
}

export interface Scene {
  readonly owner: Member;
  readonly first: Member;
  readonly second: Member;
  readonly records: readonly Uint8Array[];
}

interface Terms {
  readonly aheadMs?: number;
  /** The listed one that both hold. */
  readonly attribute?: string;
}

export async function declared(world: World, scene: Scene, terms: Terms = {}): Promise<Uint8Array> {
  const { owner, first, records } = scene;
  const { aheadMs = hourMs, attribute = listed } = terms;
  const declaration = {
    owner: owner.account,
    records,
    reason: "cannot be asked, case 4711",
    endMs: world.now() + aheadMs,
    attribute,
  };
  return (await declareEmergency(world, { clinician: first, declaration })).emergencyId;
}

export async function confirmed(
  world: World,
  { second }: Scene,
  { emergencyId, attribute = listed }: { readonly emergencyId: Uint8Array; readonly attribute?: string },
): Promise<void> {
  const { identifier: declaration } = await readDeclaration(world.ledger, emergencyId);
  await confirmEmergency(world, { clinician: second, emergencyId, declaration, attribute });
}

/** An emergency in force. */
export async function inForce(world: World, scene: Scene, terms: Terms = {}): Promise<GrantName> {
  const grantId = await declared(world, scene, terms);
  await confirmed(world, scene, { emergencyId: grantId, ...terms });
  return { mode: "emergency", grantId };
}

/** A carer in force. */
export async function carerFor(
  world: World,
  parties: { readonly owner: Member; readonly carer: Member },
  aheadMs = hourMs,
): Promise<GrantName> {
  const { owner, carer } = parties;
  const { proxyId: grantId } = await appointProxy(world, {
    owner,
    proxy: carer.account,
    endMs: world.now() + aheadMs,
    may: ["read", "rules"],
  });
  return { mode: "proxy", grantId };
}

/** The special key, with what the client keeps of it. */
export async function keyFor(
  world: World,
  member: Member,
  grant: GrantName,
): Promise<SpecialKey & SpecialSecret> {
  let kept: SpecialSecret | undefined;
  const saved = async (secret: SpecialSecret): Promise<void> => {
    kept = secret;
  };
  return { ...(await obtainSpecialKey(world, { member, grant, saved })), requestId: kept!.requestId };
}

export function reading(
  world: World,
  options: { member: Member; grant: GrantName; key: SpecialKey; recordId: Uint8Array; purpose?: string },
): Promise<Opened & { readonly requestId: Uint8Array }> {
  return retrieveSpecially(world, options);
}

/** The same provider, whose clock is ahead of the ledger's block time. */
export function providerAhead(world: World, aheadMs: number): StorageProvider {
  const now = (): number => world.now() + aheadMs;
  const surroundings = { ...world.surroundings, now };
  return new StorageProvider({ surroundings, identity: world.providerIdentity, stores: world.stores });
}

/** As after a restore that lost a tail. */
export async function raiseEra(world: World): Promise<void> {
  const lost = await world.ledger.head();
  const body = await currentBody(world, {
    kind: "raise-era",
    lostHeight: lost.height + 1,
    lostHash: hash("ledger/block", fixed(encode([lost.height]))),
    missing: [],
    tombstones: [],
  });
  const admissions = [signAdmission(world.validatorSeed, body)];
  await world.ledger.submit(encodeTransaction(body, { admissions }));
}
