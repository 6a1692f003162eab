/** status: what a home holds, in numbers. Reads only. */
import { toHex } from "@chartseal/crypto";
import { emptyKey, entries, listKey, lists } from "@chartseal/ledger";
import { listEmergencies, listNamespaces, readEntry, readList } from "@chartseal/sharing";
import { listMembers } from "../home/home.ts";
import { openTombstones } from "../services/provider-stores.ts";
import type { ReadSession } from "../services/session.ts";
import { countOpenDisputes } from "./disputes.ts";
import { countOpenRecoveries } from "./recovery.ts";

export interface Status {
  readonly consortium: string;
  readonly chainId: string;
  readonly height: number;
  readonly hash: string;
  /** Of the last block, RFC 3339; null before the first. */
  readonly time: string | null;
  /** 0, and one more for every restore that lost a part of the chain. */
  readonly era: number;
  readonly nodes: number;
  readonly threshold: number;
  /** Members with a folder in this home. */
  readonly members: number;
  readonly namespaces: number;
  /** Records that are not erased. */
  readonly records: number;
  readonly erased: number;
  readonly disputed: number;
  /** Plaintext bytes of the records that are not erased. */
  readonly bytes: number;
  readonly tombstones: number;
  /** Records that an audit found failed and that none has found whole since. */
  readonly failedAudits: number;
  /** Alerts that ever were on the ledger. */
  readonly alerts: number;
  /** Open recoveries of members with a folder here, old or new. */
  readonly recoveries: number;
  /** About transforms that did not open, and not settled. */
  readonly disputes: number;
  /** In force now. */
  readonly emergencies: number;
  /** Over, and not reviewed by the owner or by an authority node. */
  readonly reviews: number;
}

export async function statusOf(session: ReadSession): Promise<Status> {
  const { home, ledger } = session;
  const emergencies = await listEmergencies(session);
  const head = await ledger.head();
  const counts = { records: 0, erased: 0, disputed: 0, bytes: 0, failedAudits: 0 };
  for (const recordId of await readList(ledger, lists.records, emptyKey)) {
    const record = await readEntry(ledger, entries.record, recordId);
    if (record === undefined) continue;
    if (record.erasedHeight !== null) counts.erased++;
    else {
      counts.records++;
      counts.bytes += record.current.payloadLength;
      if (record.disputed) counts.disputed++;
      if ((await readEntry(ledger, entries.auditMark, recordId)) !== undefined) counts.failedAudits++;
    }
  }
  const { consortium, chainId, nodes, threshold } = home.config;
  return {
    consortium,
    chainId,
    height: head.height,
    hash: toHex(head.hash),
    time: head.height === 0 ? null : new Date(head.timestampMs).toISOString(),
    era: (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0,
    nodes,
    threshold,
    members: listMembers(home).length,
    namespaces: (await listNamespaces(ledger)).length,
    ...counts,
    tombstones: (await openTombstones(home.paths).list()).length,
    alerts: (await readEntry(ledger, entries.listSize, listKey(lists.alerts, emptyKey))) ?? 0,
    recoveries: await countOpenRecoveries(session),
    disputes: await countOpenDisputes(session),
    emergencies: emergencies.filter(({ status }) => status === "in-force").length,
    reviews: emergencies.reduce((sum, { reviewsOpen }) => sum + reviewsOpen.length, 0),
  };
}
