/**
 * The commits that carry trust from the genesis' validators to those of a later block: none under the embedded engine, and
 * none where enough of the validators stayed. Found by halving, as a light client does; two neighbouring blocks always do,
 * since the one names the validators of the other.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type CometCommit,
  type Commit,
  cometChainId,
  cometValidators,
  decodeGenesis,
  decodeHeader,
  isCometCommit,
  type Ledger,
  lightStepFault,
  type TrustedHeader,
  validatorSetHash,
} from "@chartseal/ledger";
import type { CommittedHeader } from "./evidence.ts";

interface Trusted {
  readonly height: number;
  readonly header: TrustedHeader;
}

interface Wanted {
  readonly height: number;
  readonly commit: CometCommit;
}

/** @throws ChartsealError `chain-altered` where the ledger's own commits do not follow from its genesis */
export async function bridgeCommits(
  ledger: Ledger,
  blocks: readonly CommittedHeader[],
): Promise<{ header: BlockHeader; commit: Commit }[]> {
  const wanted = blocks.flatMap(({ header, commit }): Wanted[] =>
    isCometCommit(commit) ? [{ height: decodeHeader(header).height, commit }] : [],
  );
  wanted.sort((a, b) => a.height - b.height);
  const found: { header: BlockHeader; commit: Commit }[] = [];
  let at = genesisTrust(ledger.genesis);
  for (const target of wanted) at = await reach(ledger, at, target, found);
  return found;
}

function genesisTrust(bytes: Uint8Array): Trusted {
  const { validators, createdMs } = decodeGenesis(bytes);
  const time = { seconds: Math.floor(createdMs / 1000) - 1, nanos: 0 };
  const nextValidatorsHash = validatorSetHash(validators);
  const header = { header: { height: 0, time, nextValidatorsHash }, validators: cometValidators(validators) };
  return { height: 0, header };
}

async function reach(
  ledger: Ledger,
  from: Trusted,
  target: Wanted,
  found: { header: BlockHeader; commit: Commit }[],
): Promise<Trusted> {
  const forEver = { nowMs: Number.POSITIVE_INFINITY, trustPeriodMs: Number.POSITIVE_INFINITY };
  let at = from;
  const waiting = [target];
  while (waiting.length > 0) {
    const next = waiting.at(-1)!;
    const fault = lightStepFault(at.header, next.commit, {
      chainId: cometChainId(toHex(ledger.chainId)),
      ...forEver,
    });
    if (fault === undefined) {
      const { signedHeader, validators } = next.commit;
      at = { height: next.height, header: { header: signedHeader.header, validators } };
      waiting.pop();
      continue;
    }
    const middle = Math.floor((at.height + next.height) / 2);
    const between = fault.verdict === "trust" && middle > at.height ? await ledger.block(middle) : undefined;
    if (between === undefined || !isCometCommit(between.commit)) {
      const data = { height: next.height, field: "commit" };
      throw new ChartsealError("chain-altered", `a commit does not follow: ${fault.detail}`, { data });
    }
    found.push({ header: between.header, commit: between.commit });
    waiting.push({ height: middle, commit: between.commit });
  }
  return at;
}
