/** The demo's prologue and its first four acts: a consortium, deposit, grant, denied, the outsourced open. */
import { join } from "node:path";
import { fromHex, type OperationCounts, parsePolicy, toHex } from "@chartseal/crypto";
import {
  askTransform,
  checkHeader,
  open,
  readCommittee,
  request,
  setRule,
  type Transformed,
} from "@chartseal/sharing";
import { addMember, addNamespace, grantAttributes } from "../operations/members.ts";
import { deliver } from "../operations/output-file.ts";
import { refreshKeys } from "../services/session.ts";
import { consortium, nodeDies, nodeReturns } from "./acts-authority.ts";
import { hospitalsByVote, institutionDies, institutionReturns, network } from "./acts-consortium.ts";
import { clinicians, hospitals, newcomer, type Patient, patients, recordBytes } from "./cast.ts";
import { holds, type Stage } from "./stage.ts";
import { demoPassphrase, type Sealed, sha256Hex, type World } from "./world.ts";

/** What an act hands to the next one: the records by patient. */
export type Records = Map<string, Sealed>;

const list = (items: readonly string[]): string => items.join(", ");

export async function prologue(stage: Stage, world: World): Promise<void> {
  await (world.institutions === undefined ? consortium(stage, world) : network(stage, world));
  await (world.institutions === undefined ? hospitalsAtOnce(stage, world) : hospitalsByVote(stage, world));
  await stage.step({
    told: `five patients: ${list(patients.map(({ name }) => name))}`,
    command: "chartseal member add clara",
    work: () =>
      enrolAll(
        world,
        patients.map(({ name }) => name),
      ),
  });
  await stage.step({
    told: `three clinicians: ${list(clinicians.map(({ name }) => name))}; their hospitals vouch for them`,
    command: "chartseal member add amy && chartseal attributes grant amy doctor@cedars cardiology@cedars",
    work: async () => {
      await enrolAll(
        world,
        clinicians.map(({ name }) => name),
      );
      for (const { name, attributes } of clinicians) {
        await grantAttributes(world.session, world.member(name), attributes);
      }
    },
  });
  stage.details(clinicians.map(({ name, attributes }) => [name, list(attributes)]));
}

function hospitalsAtOnce(stage: Stage, world: World): Promise<void> {
  return stage.step({
    told: `three hospitals, each with keys of its own: ${list(hospitals)}`,
    command: "chartseal namespace add cedars",
    work: async () => {
      for (const hospital of hospitals) await addNamespace(world.session, hospital);
    },
  });
}

async function enrolAll(world: World, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { keys } = await addMember(world.session, { name, passphrase: demoPassphrase });
    world.members.push(keys);
  }
}

export async function deposit(stage: Stage, world: World): Promise<Records> {
  const records: Records = new Map();
  await stage.step({
    told: "each patient sets a rule: which hospital writes about them, and who may read it",
    command:
      'chartseal rule set --owner clara --namespace cedars --policy "doctor@cedars and cardiology@cedars"',
    work: async () => {
      for (const { name, hospital, policy, writers } of patients) {
        await setRule(world.session, {
          owner: world.member(name).keys,
          namespace: hospital,
          policy: parsePolicy(policy),
          ...(writers === undefined ? {} : { writers: parsePolicy(writers) }),
        });
      }
    },
  });
  await stage.step({
    told: "five records are validated, sealed, signed by attributes and registered",
    command: "chartseal seal clara-history.json --owner clara --as amy",
    work: async () => {
      for (const patient of patients) records.set(patient.name, await sealOf(world, patient));
    },
  });
  stage.details(
    patients.map(({ name, format, policy }) => {
      const { recordId, bytes, validation } = records.get(name)!;
      return [
        name,
        format,
        `${(bytes / 1000).toFixed(1)} kB`.padStart(8),
        validation,
        policy,
        `${recordId.slice(0, 8)}…`,
      ];
    }),
  );
  holds(
    [...records.values()].every(({ validation }) => validation !== "invalid"),
    "every sample record is valid in its format",
  );
  return records;
}

function sealOf(world: World, { name, author, file }: Patient): Promise<Sealed> {
  return world.seal({ owner: world.file(name), author: world.file(author), requireValid: false }, file);
}

export async function grant(stage: Stage, world: World): Promise<void> {
  const { name, attributes } = newcomer;
  await stage.step({
    told: "bob joins cedars: an account, and keys that only he has",
    command: `chartseal member add ${name}`,
    work: () => enrolAll(world, [name]),
  });
  await nodeDies(stage, world);
  await institutionDies(stage, world);
  const nodes = world.institutions === undefined ? "two of three" : "three of four";
  const granted = await stage.step({
    told: `cedars vouches on the ledger; ${nodes} nodes issue, and nobody holds a whole key`,
    command: `chartseal attributes grant ${name} ${attributes.join(" ")}`,
    work: () => grantAttributes(world.session, world.member(name), attributes),
  });
  holds(granted.attributes.length === attributes.length, "bob holds both attributes");
  stage.details([
    [name, list(granted.attributes)],
    ["his transform key", "with the provider, useless alone"],
    ["his recovery key", "with him, useless alone"],
  ]);
  await nodeReturns(stage, world);
  await institutionReturns(stage, world);
}

export async function denied(stage: Stage, world: World, records: Records): Promise<void> {
  const { recordId } = records.get("clara")!;
  const refused = await stage.refused({
    told: "dora, a doctor of cedars and no cardiologist, asks for clara's history",
    command: `chartseal open ${recordId} --as dora`,
    code: "policy-unsatisfied",
    work: () => world.read("dora", fromHex(recordId, 32)),
  });
  const missing = refused.data.missing as string[][];
  const grantedBy = refused.data.grantedBy as string[];
  holds(list(missing.flat()) === "cardiology@cedars", "cardiology@cedars is what dora lacks");
  holds(list(grantedBy) === "cedars", "cedars can grant it");
  stage.details([[`missing: ${list(missing.flat())}`, `who can grant it: ${list(grantedBy)}`]]);
}

export async function outsourcedOpen(stage: Stage, world: World, records: Records): Promise<void> {
  const { session, counters } = world;
  const { recordId: id } = records.get("clara")!;
  const recordId = fromHex(id, 32);
  const member = world.member("bob");
  const granted = await stage.step({
    told: "bob proves the policy on the ledger, which learns neither who he is nor how he meets it",
    command: `chartseal request ${id} --as bob`,
    work: async () => {
      await refreshKeys(session, member);
      return await request(session, { member: member.keys, recordId });
    },
  });
  const ask = (): Promise<Transformed> => askTransform(session, { member: member.keys, granted });
  counters.provider.reset();
  const transformed = await stage.step({
    told: "the provider leaves a receipt on the ledger and does the heavy part, learning nothing",
    command: `chartseal transform ${toHex(granted.requestId)} --as bob --out clara-history.json`,
    work: ask,
  });
  const withReceipt = counters.provider.counts();
  // The same reveal is answered again without another receipt, so that the transform is counted alone.
  counters.provider.reset();
  await ask();
  const transform = counters.provider.counts();
  const { reading } = await readCommittee(session.ledger, session.pairing);
  const registered = { ...granted.record, recordId, statement: granted.record.current };
  counters.reader.reset();
  checkHeader(session.pairing, { bytes: transformed.header, registered, mpk: reading.publicKey });
  const headerCheck = counters.reader.counts();
  const digest = await stage.step({
    told: "bob checks header, author and transform, and opens the record as a verified stream",
    command: `chartseal open ${id} --as bob --out clara-history.json`,
    work: async () => {
      counters.reader.reset();
      const opened = await open(session, { member: member.keys, granted, transformed });
      holds(opened.author.kind === "attributes" && opened.author.verified, "the author's signature holds");
      return (await deliver(opened.read(), { file: join(world.folder, "clara-history.json") })).sha256;
    },
  });
  holds(digest === sha256Hex(recordBytes("clara-history.json")), "what bob reads is what amy sealed");
  showCosts(stage, {
    receipt: less(withReceipt, transform),
    transform,
    headerCheck,
    opening: less(counters.reader.counts(), headerCheck),
  });
}

const operations = ["P", "F", "ET", "E2", "E1"] as const;
type Costs = Pick<OperationCounts, (typeof operations)[number]>;

function less(whole: Costs, part: Costs): Costs {
  const pairs = operations.map((operation) => [operation, whole[operation] - part[operation]]);
  return Object.fromEntries(pairs) as unknown as Costs;
}

/** The measured operations, held to what the paper claims and this project adds (CRYPTO §2.2). */
function showCosts(
  stage: Stage,
  costs: Readonly<Record<"receipt" | "transform" | "headerCheck" | "opening", Costs>>,
): void {
  const { receipt, transform, headerCheck, opening } = costs;
  holds(
    transform.P === 3 && transform.F === 1,
    "the transform costs 3 Miller loops and 1 final exponentiation",
  );
  const light = opening.P === 0 && opening.F === 1 && opening.ET === 1 && opening.E2 === 1;
  holds(light, "the reader's step costs 1 ET, 1 E2, 1 F and no Miller loop");
  const headings = ["Miller loops", "final exps", "in GT", "in G2", "in G1"];
  const row = (who: string, cost: Costs): string[] => {
    const cells = operations.map((operation) => (cost[operation] === 0 ? "·" : String(cost[operation])));
    return [who, ...cells.map((cell, column) => cell.padStart(headings[column]!.length))];
  };
  stage.details([
    ["counted", ...headings],
    row("provider: receipt", receipt),
    row("provider: transform", transform),
    row("bob: checks the header", headerCheck),
    row("bob: opens", opening),
  ]);
}
