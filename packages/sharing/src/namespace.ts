/**
 * A hospital's side: its namespace's registration, vouches, periods, signing keys and revocations (CRYPTO §2.3, §3).
 * Vouches stand on the ledger until revoked; signing keys travel sealed to the account, which collects them at next use.
 */
import {
  attributeKeys,
  ChartsealError,
  columnsDefault,
  encodeNamespaceLists,
  encodeNamespaceProof,
  encodeSigningKeys,
  fixed,
  fromUtf8,
  hpkeSeal,
  type NamespaceSecret,
  namespaceKeys,
  namespaceLists,
  namespaceOf,
  signingAttribute,
  sortAttributes,
  tagged,
  utf8,
} from "@chartseal/crypto";
import { type ActionOf, emptyKey, entries, type Ledger, lists, type Submitted } from "@chartseal/ledger";

import { readCommittee } from "./committee.ts";
import { type HoldOptions, liftHold, placeHold, setKeepUntil } from "./keeping.ts";
import type { Hospital, Identity, Surroundings } from "./parties.ts";
import { quarterNow, rollPeriods } from "./periods.ts";
import { currentPeriod } from "./signing.ts";
import { isVouched, readAccount, readEntry, readList } from "./state.ts";
import { AccountWriter, type Admitter, type SubmitExtras } from "./submit.ts";

/** HPKE info of signing keys on their way to an account. */
export function signingKeysInfo(chainId: Uint8Array, namespace: string, account: Uint8Array): Uint8Array {
  return tagged("sharing/signing-key", fixed(chainId), utf8(namespace), fixed(account));
}

/** The attributes that a namespace vouches for now, for an account. */
export async function attributesInForce(
  ledger: Pick<Ledger, "read">,
  account: Uint8Array,
): Promise<string[]> {
  const ever = (await readList(ledger, lists.vouchesOfAccount, account)).map(fromUtf8);
  const standing: string[] = [];
  for (const attribute of ever) if (await isVouched(ledger, account, attribute)) standing.push(attribute);
  return standing;
}

export interface NewNamespace {
  readonly name: string;
  readonly identity: Identity;
  /** Of an earlier attempt. */
  readonly secret?: NamespaceSecret;
  /** Called with the secret before anything is said on the ledger, so that a crash cannot lose it. */
  readonly saved: (secret: NamespaceSecret) => Promise<void>;
}

/** A namespace's keys, and the registration of their public lists. */
export async function newNamespace(
  { pairing, ledger }: Surroundings,
  { name, identity, secret: earlier, saved }: NewNamespace,
): Promise<{ readonly secret: NamespaceSecret; readonly action: ActionOf<"register-namespace"> }> {
  const { account, hpkePublic: hpkeKey } = identity;
  const place = { chainId: ledger.chainId, namespace: name, account };
  const made =
    earlier === undefined
      ? namespaceKeys(pairing, place)
      : { secret: earlier, ...namespaceLists(pairing, place, earlier, columnsDefault) };
  await saved(made.secret);
  const lists = encodeNamespaceLists(pairing, made.lists);
  const proof = encodeNamespaceProof(made.proof);
  return {
    secret: made.secret,
    action: { kind: "register-namespace", name, account, hpkeKey, lists, proof },
  };
}

/** The hospital's own transaction, after that of its account where the ledger does not know it. */
export async function submitRegistration(
  surroundings: Surroundings,
  { identity, action }: { readonly identity: Identity; readonly action: ActionOf<"register-namespace"> },
  extras: SubmitExtras = {},
): Promise<void> {
  const writer = new AccountWriter(surroundings, identity);
  if ((await readAccount(surroundings.ledger, identity.account)) === undefined) {
    await writer.submit({ kind: "enrol", publicKey: identity.publicKey, hpkeKey: identity.hpkePublic });
  }
  await writer.submit(action, extras);
}

/** Makes a namespace's keys and registers it, admitted by validators. @returns its secret (a, b) */
export async function registerNamespace(
  surroundings: Surroundings,
  options: NewNamespace & { readonly admittedBy: readonly Admitter[] },
): Promise<NamespaceSecret> {
  const { secret, action } = await newNamespace(surroundings, options);
  const { identity, admittedBy } = options;
  await submitRegistration(surroundings, { identity, action }, { admittedBy });
  return secret;
}

/** What a hospital does by hand, and not because of a claim. */
export interface Hands {
  granted(account: Uint8Array, attributes: readonly string[]): Promise<void>;
  revoked(account: Uint8Array, attributes: readonly string[]): Promise<void>;
}

export class HospitalNamespace implements Hospital {
  readonly #surroundings: Surroundings;
  readonly #identity: Identity;
  readonly #secret: NamespaceSecret;
  readonly #writer: AccountWriter;
  readonly #hands: Hands | undefined;

  constructor(
    surroundings: Surroundings,
    own: { identity: Identity; secret: NamespaceSecret },
    /** Told of what is done by hand before it is done, so that it is kept apart from what claims bring (vouching/). */
    hands?: Hands,
  ) {
    this.#hands = hands;
    this.#surroundings = surroundings;
    this.#identity = own.identity;
    this.#secret = own.secret;
    this.#writer = new AccountWriter(surroundings, own.identity);
  }

  get name(): string {
    return this.#secret.namespace;
  }

  get account(): Uint8Array {
    return this.#identity.account;
  }

  /** Vouches by hand for attributes of this namespace; what an identity provider brought is by hand from then on too. */
  async vouch(account: Uint8Array, attributes: readonly string[]): Promise<Submitted> {
    await this.#hands?.granted(account, attributes);
    return await this.vouchMapped(account, attributes);
  }

  /** Vouches for attributes of this namespace, opening a signing period for those that have none. */
  async vouchMapped(account: Uint8Array, attributes: readonly string[]): Promise<Submitted> {
    const { ledger } = this.#surroundings;
    const sorted = sortAttributes(attributes);
    const foreign = sorted.find((attribute) => namespaceOf(attribute) !== this.name);
    if (foreign !== undefined) {
      throw new ChartsealError("input-invalid", `${foreign} is not ${this.name}'s to give`, {
        data: { attribute: foreign },
      });
    }
    const label = await quarterNow(this.#surroundings);
    const missing: string[] = [];
    for (const attribute of sorted) {
      if ((await currentPeriod(ledger, attribute)) === undefined) missing.push(attribute);
    }
    const opened = missing.map((attribute) =>
      this.#writer.submit({ kind: "open-period", namespace: this.name, attribute, label }),
    );
    const vouched = this.#writer.submit({
      kind: "vouch",
      namespace: this.name,
      account,
      attributes: sorted,
      mode: "transform",
      digest: null,
    });
    const [submitted] = await Promise.all([vouched, ...opened]);
    return submitted;
  }

  /** Opens the present quarter's signing periods where they are behind. @returns the attributes that it did this for */
  async rollPeriods(): Promise<string[]> {
    return await rollPeriods(this.#surroundings, { name: this.name, writer: this.#writer });
  }

  /**
   * Lengthens the namespace's public lists, which bound the columns of policies over its attributes (CRYPTO §3).
   * @throws ChartsealError `policy-limit` for no number of columns; `input-invalid` where they are as long already
   */
  async extend(columns: number): Promise<Submitted> {
    const { pairing, ledger } = this.#surroundings;
    const present = await readEntry(ledger, entries.namespace, utf8(this.name));
    if (present !== undefined && present.columns >= columns) {
      throw new ChartsealError("input-invalid", `the lists of ${this.name} have ${present.columns} columns`, {
        data: { namespace: this.name, columns: present.columns },
      });
    }
    const place = { chainId: ledger.chainId, namespace: this.name, account: this.account };
    const made = namespaceLists(pairing, place, this.#secret, columns);
    return await this.#writer.submit({
      kind: "extend-namespace",
      name: this.name,
      lists: encodeNamespaceLists(pairing, made.lists),
      proof: encodeNamespaceProof(made.proof),
    });
  }

  /** Vouches for one issue in mode full, named by its d: whoever holds such a key reads without a provider. */
  async vouchFull(
    account: Uint8Array,
    attributes: readonly string[],
    digest: Uint8Array,
  ): Promise<Submitted> {
    return await this.#writer.submit({
      kind: "vouch",
      namespace: this.name,
      account,
      attributes: sortAttributes(attributes),
      mode: "full",
      digest,
    });
  }

  /** Ends vouches by hand; no attributes: all of this namespace. The next period of each opens in the same block. */
  async revoke(account: Uint8Array, attributes: readonly string[]): Promise<Submitted> {
    if (this.#hands !== undefined) await this.#hands.revoked(account, await this.#meant(account, attributes));
    return await this.revokeMapped(account, attributes);
  }

  async #meant(account: Uint8Array, attributes: readonly string[]): Promise<readonly string[]> {
    if (attributes.length > 0) return attributes;
    const standing = await attributesInForce(this.#surroundings.ledger, account);
    return standing.filter((attribute) => namespaceOf(attribute) === this.name);
  }

  /** Ends vouches because a claim ended. */
  async revokeMapped(account: Uint8Array, attributes: readonly string[]): Promise<Submitted> {
    return await this.#writer.submit({
      kind: "revoke",
      namespace: this.name,
      account,
      attributes: sortAttributes(attributes),
    });
  }

  /** Until when a record that was deposited under its rule must be kept; null ends the duty (keeping.ts). */
  keepUntil(recordId: Uint8Array, keepUntilMs: number | null): Promise<Submitted> {
    return setKeepUntil({ writer: this.#writer, recordId, keepUntilMs });
  }

  placeHold(hold: Pick<HoldOptions, "recordId" | "holdId" | "reason">): Promise<Submitted> {
    return placeHold({ writer: this.#writer, ...hold });
  }

  liftHold(hold: Pick<HoldOptions, "recordId" | "holdId" | "reason">): Promise<Submitted> {
    return liftHold({ writer: this.#writer, ...hold });
  }

  async signingKeys(input: { account: Uint8Array; baseKey: Uint8Array }): Promise<Uint8Array> {
    const { pairing, ledger } = this.#surroundings;
    const { account } = input;
    const value = await readAccount(ledger, account);
    if (value?.hpkeKey == null)
      throw new ChartsealError("issue-refused", "the account has no key to seal to");
    const attributes: string[] = [];
    for (const attribute of await attributesInForce(ledger, account)) {
      if (namespaceOf(attribute) !== this.name) continue;
      const period = await currentPeriod(ledger, attribute);
      if (period !== undefined) attributes.push(signingAttribute(attribute, period));
    }
    const base = pairing.g1.decode(input.baseKey, { identity: "reject" });
    const committeeKey = (await readCommittee(ledger, pairing)).signing.publicKey;
    const keys = attributeKeys(pairing, { secret: this.#secret, attributes, account, base, committeeKey });
    return await hpkeSeal({
      receiver: value.hpkeKey,
      info: signingKeysInfo(ledger.chainId, this.name, account),
      plaintext: encodeSigningKeys(pairing, { account, base, attributes: keys }),
    });
  }
}

/** Names of every registered namespace. */
export async function listNamespaces(ledger: Pick<Ledger, "read">): Promise<string[]> {
  return (await readList(ledger, lists.namespaces, emptyKey)).map(fromUtf8);
}

export async function namespaceExists(ledger: Pick<Ledger, "read">, name: string): Promise<boolean> {
  return (await readEntry(ledger, entries.namespace, utf8(name))) !== undefined;
}
