/** Who may act as a record's owner: that member and record exist is checked first, that the one owns the other last. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { requireRecord } from "@chartseal/sharing";
import { parseRecordId, requireMember } from "../home/home.ts";
import type { ReadSession } from "../services/session.ts";

/** Before a passphrase is asked for. @throws ChartsealError `member-unknown`, `record-unknown` */
export async function requireOwned(
  { home, ledger }: ReadSession,
  record: string,
  name: string,
): Promise<void> {
  requireMember(home, name);
  await requireRecord(ledger, parseRecordId(record));
}

/** After it: authorisation is the last check (CONTRACT, Order of checks). @throws ChartsealError `policy-unsatisfied` */
export async function demandOwner(
  { home, ledger }: ReadSession,
  record: string,
  name: string,
): Promise<void> {
  const { account } = requireMember(home, name);
  const { owner } = await requireRecord(ledger, parseRecordId(record));
  if (toHex(owner) === account) return;
  throw new ChartsealError("policy-unsatisfied", `${name} is not the owner of this record`, {
    data: { recordId: record, member: name },
  });
}
