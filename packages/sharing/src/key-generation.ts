/**
 * The committee's key generation, run by its nodes over the ledger (CRYPTO §2.3): every round is a transaction of the
 * genesis' authority nodes and the machine itself computes mpk, A0, D and every C_i; nobody claims them. Here all nodes
 * of one home run it together; a node alone does the same steps for its own index (apps/server).
 */
import {
  ChartsealError,
  type Conclusion,
  commitOf,
  conclude,
  decodeShare,
  encodeCommit,
  encodeDeal,
  encodeReveal,
  encodeShare,
  type Generation,
  generation,
  hpkeOpen,
  hpkeSeal,
  type KeySpace,
  type NodeShare,
  ownShare,
  revealOf,
  type Scalar,
  shareFits,
  shareFor,
  shareInfo,
  startDealing,
} from "@chartseal/crypto";
import type { Session } from "@chartseal/ledger";
import { keySpaces } from "./committee.ts";
import type { Identity, Surroundings } from "./parties.ts";
import { AccountWriter } from "./submit.ts";

/** A node of the genesis with its keys; `index` counts from 1. */
export interface NodeIdentity extends Identity {
  readonly index: number;
}

/** A node's three shares. Secret. */
export interface NodeShares {
  readonly reading: NodeShare;
  readonly signing: NodeShare;
  readonly audit: NodeShare;
}

interface Node {
  readonly identity: NodeIdentity;
  readonly writer: AccountWriter;
}

/** Runs the three generations one after the other and returns every node's shares, in the order of the nodes. */
export async function generateCommitteeKeys(
  surroundings: Surroundings,
  options: { readonly identities: readonly NodeIdentity[]; readonly threshold: number },
): Promise<NodeShares[]> {
  const { pairing } = surroundings;
  const nodes = options.identities.map((identity) => ({
    identity,
    writer: new AccountWriter(surroundings, identity),
  }));
  await Promise.all(
    nodes.map(({ identity, writer }) =>
      writer.submit({ kind: "set-hpke-key", hpkeKey: identity.hpkePublic }),
    ),
  );
  const spaces = keySpaces(pairing);
  const run = <P>(session: Session, space: KeySpace<P>) =>
    generate({ surroundings, nodes, session, space, threshold: options.threshold });
  const reading = await run("reading", spaces.reading);
  const signing = await run("signing", spaces.signing);
  const audit = await run("audit", spaces.audit);
  return nodes.map((_, at) => ({ reading: reading[at]!, signing: signing[at]!, audit: audit[at]! }));
}

async function generate<P>(options: {
  surroundings: Surroundings;
  nodes: readonly Node[];
  session: Session;
  space: KeySpace<P>;
  threshold: number;
}): Promise<NodeShare[]> {
  const { surroundings, nodes, session, space, threshold } = options;
  const attempt = 1;
  const { chainId } = surroundings.ledger;
  const run = generation(space, { chainId, nodes: nodes.length, threshold, attempt });
  const round = (kind: "keygen-commit" | "keygen-reveal" | "keygen-deal", messages: readonly Uint8Array[]) =>
    Promise.all(
      nodes.map(({ writer }, at) => writer.submit({ kind, session, attempt, message: messages[at]! })),
    );

  const dealings = nodes.map(({ identity }) => startDealing(run, identity.index));
  const commits = dealings.map((dealing) => commitOf(run, dealing));
  await round("keygen-commit", commits.map(encodeCommit));
  const reveals = dealings.map((dealing) => revealOf(run, dealing));
  await round(
    "keygen-reveal",
    reveals.map((reveal) => encodeReveal(run, reveal)),
  );
  const deals = await Promise.all(
    dealings.map(async (dealing) => ({
      dealer: dealing.dealer,
      envelopes: await Promise.all(
        nodes.map(({ identity }) =>
          hpkeSeal({
            receiver: identity.hpkePublic,
            info: shareInfo(run, dealing.dealer, identity.index),
            plaintext: encodeShare(shareFor(run, dealing, identity.index)),
          }),
        ),
      ),
    })),
  );
  await round("keygen-deal", deals.map(encodeDeal));
  const received = await Promise.all(
    nodes.map(({ identity }) => openShares(run, { identity, deals, reveals })),
  );
  await Promise.all(nodes.map(({ writer }) => writer.submit({ kind: "keygen-conclude", session, attempt })));
  const agreed: Conclusion<P> = conclude(run, { commits, reveals, deals, complaints: [], published: [] });
  if (agreed.kind === "aborted") throw new ChartsealError("issue-invalid", "the key generation gave no key");
  return nodes.map(({ identity }, at) =>
    ownShare(run, agreed, { index: identity.index, received: received[at]! }),
  );
}

/** A node's shares of every dealer. @throws ChartsealError `issue-invalid` with the dealer of a wrong one */
async function openShares<P>(
  run: Generation<P>,
  round: {
    identity: NodeIdentity;
    deals: readonly { readonly dealer: number; readonly envelopes: readonly Uint8Array[] }[];
    reveals: readonly Parameters<typeof shareFits<P>>[1][];
  },
): Promise<Map<number, Scalar>> {
  const { identity, deals, reveals } = round;
  const shares = new Map<number, Scalar>();
  for (const [at, { dealer, envelopes }] of deals.entries()) {
    const opened = await hpkeOpen({
      privateKey: identity.hpkeSecret,
      info: shareInfo(run, dealer, identity.index),
      sealed: envelopes[identity.index - 1]!,
    });
    const share = opened === null ? undefined : decodeShare(opened);
    if (share === undefined || !shareFits(run, reveals[at]!, identity.index, share)) {
      throw new ChartsealError("issue-invalid", "a dealer's share does not fit its commitments", {
        data: { dealer },
      });
    }
    shares.set(dealer, share);
  }
  return shares;
}
