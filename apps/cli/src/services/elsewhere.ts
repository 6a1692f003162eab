/**
 * What a member's command reaches at other institutions of its consortium: the provider that all members use, where that
 * is another's, and hospitals' services for signing keys, which an account collects itself.
 */
import { ChartsealError, fromHex, hasCode, isFamily, toHex, utf8 } from "@chartseal/crypto";
import { accountOf, entries, type Ledger } from "@chartseal/ledger";
import { Connection, HttpNamespace, HttpProvider, type Transport } from "@chartseal/server/client";
import { type Hospital, type Identity, type Provider, readEntry } from "@chartseal/sharing";
import { institutionOf, type NetworkFile } from "../home/network-file.ts";
import { waitMs as aheadMs, levelled, untilTheyKnow } from "./level.ts";
import type { SessionMember } from "./session.ts";

interface Place {
  readonly network: NetworkFile;
  readonly ledger: Ledger;
  readonly transport: Transport;
  readonly members: readonly SessionMember[];
  readonly now: () => number;
}

/**
 * The members' provider at its own institution; undefined where that is this one. It is asked in the name of this
 * institution's own provider: a new member has no account yet, and what counts is signed by itself.
 */
export function providerElsewhere(place: Place, asker: Identity): Provider | undefined {
  const { network, ledger, transport, now } = place;
  if (network.provider === network.name) return undefined;
  const { url, provider } = institutionOf(network, network.provider);
  const signer = { keyId: toHex(asker.account), seed: asker.seed };
  const connection = new Connection({ url, transport, now, unreachable: "provider-unreachable", signer });
  const asked = new HttpProvider({
    ...{ connection, account: accountOf(fromHex(provider, 32)), ledger },
    aheadMs,
  });
  return levelled(asked, connection, ledger);
}

const signerOf = ({ keys }: SessionMember) => ({ keyId: toHex(keys.account), seed: keys.seed });

/** A hospital of another institution: it gives its members' signing keys, and takes no orders from here. */
export async function hospitalElsewhere(place: Place, name: string): Promise<Hospital | undefined> {
  const { network, ledger, transport, members, now } = place;
  const found = await readEntry(ledger, entries.namespace, utf8(name));
  if (found === undefined) return undefined;
  const others = network.institutions.filter((one) => one.name !== network.name);
  const refuse = async (): Promise<never> => {
    throw new ChartsealError("input-invalid", `the namespace ${name} is another institution's`, {
      data: { namespace: name },
      hint: "Run this at the institution that added it.",
    });
  };
  return {
    name,
    account: found.account,
    vouch: refuse,
    vouchFull: refuse,
    extend: refuse,
    revoke: refuse,
    async signingKeys(input) {
      let unreachable: unknown;
      for (const { url } of others) {
        const connection = new Connection({ url, transport, now, unreachable: "provider-unreachable" });
        const service = new HttpNamespace({
          connection,
          name,
          signerOf: (account) => {
            const member = members.find(({ keys }) => toHex(keys.account) === toHex(account));
            return member === undefined ? undefined : signerOf(member);
          },
        });
        try {
          await untilTheyKnow(connection, ledger);
          return await service.signingKeys(input);
        } catch (error) {
          if (isFamily(error, "unavailable")) unreachable = error;
          else if (!hasCode(error, "attribute-unknown")) throw error;
        }
      }
      throw unreachable ?? new ChartsealError("provider-unreachable", `no institution serves ${name}`);
    },
  };
}
