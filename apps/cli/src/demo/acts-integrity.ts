/**
 * The demo's seventh act: one byte is changed in the cloud's copy of a record and one in the ledger's store; forensics
 * finds and locates both, and what was changed is put back.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "@chartseal/crypto";
import { type Finding, requireRecord } from "@chartseal/sharing";
import { type ForensicsOutcome, runForensics } from "../operations/forensics.ts";
import { verifyHome } from "../operations/verify.ts";
import { ledgerFileOf } from "../services/ledger-files.ts";
import type { Records } from "./acts-sharing.ts";
import { holds, type Stage } from "./stage.ts";
import type { World } from "./world.ts";

/** Where the cloud's copy is changed: in its second chunk of 262,144 bytes. */
const alteredOffset = 300_000;

/** Changes one bit; returns what undoes it. */
function flip(path: string, wanted: number): () => void {
  const before = readFileSync(path);
  // A shard is shorter than the object that it is of.
  const offset = wanted < before.length ? wanted : before.length >> 1;
  const after = Uint8Array.from(before);
  after[offset]! ^= 1;
  writeFileSync(path, after);
  return () => writeFileSync(path, before);
}

/** Where the ledger's file holds the middle of a transaction. */
async function placeInLedger(world: World, path: string, recordId: string): Promise<number> {
  const { ledger } = world.session;
  const record = await requireRecord(ledger, fromHex(recordId, 32));
  const found = await ledger.transaction(record.deposit);
  holds(found !== undefined, "the deposit is in the chain");
  const file = readFileSync(path);
  // A row may lie in several pages of the store: one stretch of 64 bytes that lies in one page is looked for.
  for (let at = 64; at + 64 <= found!.bytes.length; at += 64) {
    const place = file.indexOf(found!.bytes.subarray(at, at + 64));
    if (place !== -1) return place + 32;
  }
  throw new Error("the ledger's file does not hold the transaction");
}

/** The cloud's copy of an object: where it is divided, the largest shard in the cellar. */
function copyOf(world: World, address: string): string {
  const { clouds } = world;
  if (clouds === undefined) return join(world.home.paths.objects, address);
  const shards = readdirSync(clouds.cellar, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const sizes = new Map(shards.map((path) => [path, statSync(path).size]));
  return shards.sort((a, b) => sizes.get(b)! - sizes.get(a)!)[0]!;
}

export async function tampering(stage: Stage, world: World, records: Records): Promise<void> {
  const { paths } = world.home;
  const ledgerFile = ledgerFileOf(paths);
  const { address } = records.get("clara")!;
  const place = await placeInLedger(world, ledgerFile, records.get("noor")!.recordId);
  await world.close();
  const undo = await stage.step({
    told: world.clouds
      ? "one bit of a record's shard is changed in the cellar, one bit in the ledger: verify sees it"
      : "one bit of clara's history is changed in the cloud, one bit in the ledger: verify sees it",
    command: "chartseal verify",
    work: async () => {
      const changes = [flip(copyOf(world, address), alteredOffset), flip(ledgerFile, place)];
      const verified = await verifyHome(world.homeFolder);
      holds(!verified.ok, "verify sees that something was changed");
      return changes;
    },
  });
  const outcome = await stage.step({
    told: "forensics says what, where and what repairs it",
    command: `chartseal forensics --out ${world.folder}`,
    work: () => {
      const options = { out: world.folder, repair: false, waitMs: 0, now: Date.now };
      return runForensics(world.homeFolder, options);
    },
  });
  showFindings(stage, outcome, { records, divided: world.clouds !== undefined });
  await stage.step({
    told: "both are put back; chain and every stored object hold together again",
    command: "chartseal verify",
    work: async () => {
      for (const change of undo) change();
      const { ok, findings } = await verifyHome(world.homeFolder);
      holds(ok && findings.length === 0, "nothing is found once the bytes are back");
      await world.open();
      await world.knowCommittee();
    },
  });
}

function showFindings(
  stage: Stage,
  { report }: ForensicsOutcome,
  { records, divided }: { readonly records: Records; readonly divided: boolean },
): void {
  const { findings } = report;
  if (divided) {
    const shard = findings.find(({ kind }) => kind === "shard-altered");
    holds(shard?.place === "cellar", "the finding names the place of the shard");
    holds(shard?.recordId !== undefined, "the finding names the record");
  } else {
    const object = findings.find(({ kind }) => kind === "object-altered");
    holds(object?.recordId === records.get("clara")!.recordId, "the finding names clara's record");
    holds(object?.chunk === 1, "the finding names the second chunk");
  }
  const ledger = findings.find(({ kind }) => kind.startsWith("chain-"));
  holds(ledger?.height !== undefined, "the finding names the block");
  const owners = new Map([...records].map(([name, { recordId }]) => [recordId, name]));
  stage.details(
    findings.map((finding) => {
      const owner = owners.get(finding.recordId ?? "");
      return [finding.kind, placeOf(finding), owner === undefined ? "" : `${owner}'s record`];
    }),
  );
}

function placeOf({ height, transaction, chunk, offset, place, shard }: Finding): string {
  if (shard !== undefined) return `shard ${shard + 1}, at ${place ?? "a place"}`;
  if (chunk !== undefined) return `chunk ${chunk}, from byte ${offset ?? 0} of the object`;
  const block = height === undefined ? "" : `block ${height}`;
  return transaction === undefined ? block : `${block}, transaction ${transaction}`;
}
