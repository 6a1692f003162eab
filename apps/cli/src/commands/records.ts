/** records, record show, access-log, rekey, record dispute: what the ledger knows, and what an owner may do. */
import { fromHex, type Policy, toHex } from "@chartseal/crypto";
import { emptyKey, entries, lists, type RecordValue } from "@chartseal/ledger";
import {
  AccountWriter,
  accessLog,
  readEntry,
  readList,
  readPlacement,
  rekey,
  requireRecord,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { type Home, parseRecordId, requireMember } from "../home/home.ts";
import { demandOwner, requireOwned } from "../operations/owners.ts";
import { demandNamespaces } from "../operations/policies.ts";
import { counted } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession, refreshKeys } from "../services/session.ts";
import { example, ownerName, writtenPolicy } from "./shared.ts";

/** A record as `records` prints it. */
function recordLine(home: Home, recordId: Uint8Array, record: RecordValue): Record<string, unknown> {
  return {
    recordId: toHex(recordId),
    owner: ownerName(home, record.owner),
    ownerAccount: toHex(record.owner),
    address: record.address,
    digest: toHex(record.digest),
    policy: record.policy,
    height: record.height,
    version: record.version,
    erased: record.erasedHeight !== null,
    disputed: record.disputed,
  };
}

/** The block of the last audit that found the record failed, where no later one took it back. */
async function failedAudit(
  ledger: ReadSession["ledger"],
  recordId: Uint8Array,
  { erasedHeight }: RecordValue,
): Promise<{ readonly failedAudit?: number }> {
  if (erasedHeight !== null) return {};
  const mark = await readEntry(ledger, entries.auditMark, recordId);
  return mark === undefined ? {} : { failedAudit: mark.height };
}

/** The dispute in which the authority's nodes found that the record's present header does not fit its policy. */
async function spoiledHeader(
  ledger: ReadSession["ledger"],
  recordId: Uint8Array,
  { version }: RecordValue,
): Promise<{ readonly spoiledBy?: string }> {
  const mark = await readEntry(ledger, entries.spoiledHeader, recordId);
  return mark === undefined || mark.version !== version ? {} : { spoiledBy: toHex(mark.disputeId) };
}

export function addRecordCommands(program: Command): void {
  addListing(program);
  addShow(program.command("record").description("one record: show, dispute"));
  addAccessLog(program);
  addRekey(program);
}

function addListing(program: Command): void {
  const list = program
    .command("records")
    .description("the records that the ledger knows, one a line")
    .option("--owner <name>", "of one owner")
    .action(async (options: { owner?: string }) => {
      const globals = globalsOf(list);
      await reading(globals, async ({ home, ledger }) => {
        const owner = options.owner === undefined ? undefined : requireMember(home, options.owner);
        const ids =
          owner === undefined
            ? await readList(ledger, lists.records, emptyKey)
            : await readList(ledger, lists.recordsOfOwner, fromHex(owner.account, 20));
        for (const recordId of ids) {
          const record = await requireRecord(ledger, recordId);
          const failed = await failedAudit(ledger, recordId, record);
          const placement = await placementOf(ledger, recordId);
          const value: Record<string, unknown> = {
            ...recordLine(home, recordId, record),
            ...failed,
            ...(placement === null ? {} : { placement }),
          };
          const { failedAudit: height } = failed;
          const audit = height === undefined ? "" : `, failed the audit of block ${height}`;
          const placed = placement === null ? "" : `, ${placedText(placement)}`;
          const disputed = record.disputed ? ", disputed" : "";
          const state =
            value.erased === true
              ? `erased${disputed}`
              : `version ${String(value.version)}${placed}${audit}${disputed}`;
          globals.output.line(
            value,
            `${String(value.recordId)}  ${String(value.owner)}  ${state}  ${String(value.policy)}`,
          );
        }
      });
    });
  example(list, "chartseal records --owner alice --json");
}

/** As the provider said last. */
async function placementOf(
  ledger: ReadSession["ledger"],
  recordId: Uint8Array,
): Promise<{ k: number; n: number; regions: readonly string[]; version: number } | null> {
  const found = await readPlacement(ledger, recordId);
  if (found === undefined) return null;
  const { k, n, regions, version } = found;
  return { k, n, regions, version };
}

function placedText(placement: Awaited<ReturnType<typeof placementOf>>): string {
  return placement === null ? "null" : `${placement.k}of${placement.n} in ${placement.regions.join(", ")}`;
}

function addShow(group: Command): void {
  const show = group
    .command("show <record>")
    .description("what the ledger knows of one record")
    .action(async (record: string) => {
      const globals = globalsOf(show);
      const value = await reading(globals, async ({ home, ledger }) => {
        const recordId = parseRecordId(record);
        const found = await requireRecord(ledger, recordId);
        return {
          ...recordLine(home, recordId, found),
          ...(await failedAudit(ledger, recordId, found)),
          ...(await spoiledHeader(ledger, recordId, found)),
          namespace: found.namespace,
          authorPolicy: found.authorPolicy,
          purposes: found.purposes,
          bytes: found.current.payloadLength,
          payloadDigest: toHex(found.current.payloadDigest),
          headerHash: toHex(found.headerHash),
          deposit: toHex(found.deposit),
          rekey: found.rekey === null ? null : toHex(found.rekey),
          provider: toHex(found.provider),
          relay: found.relay === null ? null : toHex(found.relay),
          erasedHeight: found.erasedHeight,
          placement: await placementOf(ledger, recordId),
          logEntries: found.logCount,
          logChain: toHex(found.logHash),
        };
      });
      const text = Object.entries(value).map(
        ([name, one]) =>
          `${name.padEnd(14)} ${name === "placement" ? placedText(value.placement) : String(one)}`,
      );
      globals.output.value(value, text.join("\n"));
    });
  example(show, "chartseal record show 5f0c…");
  const dispute = group
    .command("dispute <record>")
    .description("mark a record as disputed; every reader sees it, and the relay that brought it")
    .requiredOption("--as <owner>", "the owner")
    .action(async (record: string, options: { as: string }) => {
      const globals = globalsOf(dispute);
      const check = (session: ReadSession): Promise<void> => requireOwned(session, record, options.as);
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        await demandOwner(session, record, options.as);
        const recordId = parseRecordId(record);
        const { relay, provider } = await requireRecord(session.ledger, recordId);
        const writer = new AccountWriter(session, memberOf(session, options.as).keys);
        const { height } = await writer.submit({ kind: "mark-disputed", recordId, relay: relay ?? provider });
        return { recordId: record, disputed: true, relay: toHex(relay ?? provider), height };
      });
      globals.output.value(value, `Record ${record} is marked as disputed.`);
    });
  example(dispute, "chartseal record dispute 5f0c… --as alice");
}

function addAccessLog(program: Command): void {
  const log = program
    .command("access-log <record>")
    .description(
      "every proved request, refusal and transform of a record, with the readers' identities for its owner",
    )
    .requiredOption("--as <owner>", "the record's owner")
    .action(async (record: string, options: { as: string }) => {
      const globals = globalsOf(log);
      const check = (session: ReadSession): Promise<void> => requireOwned(session, record, options.as);
      await writing(globals, { members: [options.as], check }, async (session) => {
        await demandOwner(session, record, options.as);
        const owner = memberOf(session, options.as).keys;
        const { entries, count, chain, height, unused } = await accessLog(session.ledger, {
          recordId: parseRecordId(record),
          owner,
        });
        for (const { timestampMs, reader, ...entry } of entries) {
          const time = new Date(timestampMs).toISOString();
          const who =
            reader === undefined
              ? {}
              : { reader: ownerName(session.home, reader), readerAccount: toHex(reader) };
          const value = { ...entry, time, ...who };
          const name = reader === undefined ? "" : ownerName(session.home, reader);
          globals.output.line(
            value,
            `${time}  ${entry.event.padEnd(18)} ${name} ${entry.purpose ?? entry.outcome ?? ""}`.trimEnd(),
          );
        }
        const proof = { complete: true, entries: count, chain: toHex(chain), height, unused };
        globals.output.line(
          proof,
          `Complete: ${count} ${count === 1 ? "entry" : "entries"}, chain ${proof.chain.slice(0, 16)}… at block ${height}.`,
        );
      });
    });
  example(log, "chartseal access-log 5f0c… --as alice");
}

function addRekey(program: Command): void {
  const command = program
    .command("rekey <record>")
    .description("a fresh key encapsulation, the payload stays; --payload re-encrypts it too")
    .requiredOption("--as <owner>", "the record's owner")
    .option("--policy <p>", "another policy from now on")
    .option("--payload", "re-encrypt the payload under a new key")
    .action(async (record: string, options: { as: string; policy?: string; payload?: boolean }) => {
      const globals = globalsOf(command);
      let policy: Policy | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        policy = options.policy === undefined ? undefined : writtenPolicy(session.home, options.policy);
        if (policy !== undefined) await demandNamespaces(session.ledger, policy);
        await requireOwned(session, record, options.as);
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        await demandOwner(session, record, options.as);
        const owner = memberOf(session, options.as);
        await refreshKeys(session, owner);
        const made = await rekey(session, {
          owner: owner.keys,
          recordId: parseRecordId(record),
          ...(policy === undefined ? {} : { policy }),
          payload: options.payload === true,
        });
        const { digest, bytesWritten, submitted } = made;
        return { recordId: record, digest: toHex(digest), height: submitted.height, bytesWritten };
      });
      globals.output.value(
        value,
        `Record ${record} has a new key; ${counted(value.bytesWritten, "byte")} written.`,
      );
    });
  example(command, "chartseal rekey 5f0c… --as alice --policy doctor@cedars");
}
