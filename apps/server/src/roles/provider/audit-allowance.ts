/**
 * What audits may take: anyone may ask for chunks of a record, and an answer holds them, so an audit must not be a way to
 * download a record for nothing. Bounded by bytes of an address and by chunks of a record in a day. An account that signs
 * has an allowance of its own, so that strangers who use theirs up stop no owner. The machine's token is no stranger.
 */

import { auditAnswerBytes, toHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { type AuditChallenge, auditedPayload, challengedChunks, demandChallenge } from "@chartseal/sharing";
import { RateLimiter } from "../../host/rate-limit.ts";
import type { Signer } from "../../host/role.ts";

export interface AuditLimits {
  /** Bytes of answers that one address, or one account, gets in a day. */
  readonly auditBytesPerDay: number;
  /** Chunks of one record that go out in a day, to all who do not sign together, and to each account. */
  readonly auditChunksPerDay: number;
}

/** Two audits of 460 chunks of each record; of 10^5 chunks that is 1 %. */
export const auditDefaults: AuditLimits = { auditBytesPerDay: 2 ** 33, auditChunksPerDay: 1000 };

const daySeconds = 86_400;
/** Records and askers that are remembered. */
const keysMax = 100_000;

/** Who asks: a signer, or an address. */
export interface Asker {
  readonly signer: Signer | undefined;
  readonly address: string;
}

export class AuditAllowance {
  readonly #ledger: Ledger;
  readonly #bytes: RateLimiter;
  readonly #chunks: RateLimiter;

  constructor(ledger: Ledger, { auditBytesPerDay, auditChunksPerDay }: AuditLimits, now: () => number) {
    const perDay = (burst: number) => new RateLimiter({ perSecond: burst / daySeconds, burst }, now, keysMax);
    this.#ledger = ledger;
    this.#bytes = perDay(auditBytesPerDay);
    this.#chunks = perDay(auditChunksPerDay);
  }

  /** Takes what the answer will cost. @throws ChartsealError `rate-limited`; as the provider, for no answerable challenge */
  async spend(challenge: AuditChallenge, { signer, address }: Asker): Promise<void> {
    if (signer?.kind === "local") return;
    const record = await demandChallenge(this.#ledger, challenge);
    const chunks = challengedChunks(challenge, record);
    const bytes = auditAnswerBytes(auditedPayload(record), chunks);
    const who = signer === undefined ? "" : toHex(signer.account);
    this.#chunks.spend(`${toHex(challenge.recordId)} ${who}`, chunks.length);
    this.#bytes.spend(who === "" ? address : who, bytes);
  }
}
