/** Who may act as a record's owner, checked before a passphrase is asked for. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { requireRecord } from "@chartseal/sharing";
import { parseRecordId, requireMember } from "../home/home.ts";
import type { ReadSession } from "../services/session.ts";

/** The member exists, the record exists, and the one owns the other. @throws ChartsealError */
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
