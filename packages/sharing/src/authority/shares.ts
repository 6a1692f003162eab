/**
 * A node's shares from the ledger: the envelopes that the good dealers sealed to it, or what a complaint brought to light,
 * added up and checked against the node's public value. So a node that was away for the end of a run, or for whole
 * epochs, follows, as long as it has the keys that the shares were sealed to.
 */
import {
  ChartsealError,
  decodeDeal,
  decodePublishedShare,
  decodeShare,
  equalBytes,
  type Generation,
  hpkeOpen,
  type NodeShare,
  ownShare,
  type Scalar,
  shareInfo,
} from "@chartseal/crypto";
import type { KeygenValue, Session } from "@chartseal/ledger";
import type { Surroundings } from "../parties.ts";
import { type CommitteeView, type MadeRun, readMadeRun, readMessage } from "./committee-view.ts";
import type { NodeSecrets, ReceivingKey } from "./node-store.ts";

/** Accounts have indices from 1; 0 is none. */
export function indexIn(accounts: readonly Uint8Array[], account: Uint8Array): number {
  return accounts.findIndex((one) => equalBytes(one, account)) + 1;
}

/** What a dealer's envelope holds, or undefined where it holds no share for this receiver. */
export async function openEnvelope<P>(
  run: Generation<P>,
  envelope: {
    readonly dealer: number;
    readonly receiver: number;
    readonly sealed: Uint8Array;
    readonly keys: readonly ReceivingKey[];
  },
): Promise<Scalar | undefined> {
  const { dealer, receiver, sealed, keys } = envelope;
  const info = shareInfo(run, dealer, receiver);
  for (const { secret } of [...keys].reverse()) {
    const opened = await hpkeOpen({ privateKey: secret, info, sealed });
    if (opened !== null) return decodeShare(opened);
  }
  return undefined;
}

/** The dealers that count: the machine verified each message as it took it. */
function qualified({ commits, reveals, deals, complaints, answers }: KeygenValue): number[] {
  const answered = (dealer: number): boolean =>
    complaints
      .filter((one) => one.dealer === dealer)
      .every(({ receiver }) => answers.some((one) => one.dealer === dealer && one.receiver === receiver));
  return commits
    .filter((dealer) => reveals.includes(dealer) && deals.includes(dealer) && answered(dealer))
    .sort((a, b) => a - b);
}

/**
 * A node's share of a session in an epoch: the stored one, else the one that the ledger's messages give, which is stored.
 * Undefined for an account outside that committee, and where what was sealed to it does not give its share.
 */
export async function shareOf(
  self: {
    readonly surroundings: Surroundings;
    readonly account: Uint8Array;
    readonly secrets: NodeSecrets;
  },
  view: CommitteeView,
  place: { readonly session: Session; readonly epoch: number },
): Promise<NodeShare | undefined> {
  const { surroundings, account, secrets } = self;
  const stored = await secrets.share(place.session, place.epoch);
  if (stored !== undefined) return stored;
  const made = await readMadeRun(surroundings, view, place);
  const index = indexIn(made.past.nodes, account);
  if (index === 0) return undefined;
  const before = { session: place.session, epoch: place.epoch - 1 };
  const previous = made.past.origin === "refresh" ? await shareOf(self, view, before) : undefined;
  if (made.past.origin === "refresh" && previous === undefined) return undefined;
  const share = await assemble(self, made, { index, previous });
  if (share !== undefined) await secrets.saveShare(place.session, share);
  return share;
}

async function assemble(
  { surroundings, secrets }: { readonly surroundings: Surroundings; readonly secrets: NodeSecrets },
  made: MadeRun,
  own: { readonly index: number; readonly previous: NodeShare | undefined },
): Promise<NodeShare | undefined> {
  const { ledger } = surroundings;
  const { run, key, past, session } = made;
  const { index, previous } = own;
  const place = { session, attempt: run.attempt };
  const keys = await secrets.receivingKeys();
  const dealers = qualified(past.run);
  const received = new Map<number, Scalar>();
  for (const dealer of dealers) {
    const { envelopes } = decodeDeal(run, await readMessage(ledger, place, { round: "deal", dealer }));
    const share = await openEnvelope(run, { dealer, receiver: index, sealed: envelopes[index - 1]!, keys });
    if (share !== undefined) received.set(dealer, share);
  }
  const shown = past.run.answers.filter((one) => one.receiver === index && dealers.includes(one.dealer));
  const published = await Promise.all(
    shown.map(async (pair) =>
      decodePublishedShare(await readMessage(ledger, place, { round: "answer", ...pair })),
    ),
  );
  const agreed = { kind: "agreed", key, qualified: dealers, excluded: [], published } as const;
  try {
    return ownShare(run, agreed, { index, received, ...(previous === undefined ? {} : { previous }) });
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "input-invalid") return undefined;
    throw error;
  }
}
