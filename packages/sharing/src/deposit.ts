/**
 * The journey IN (DESIGN): file → policy → seal → sign → store → register. By the owner with its account signature, or
 * by an author under the owner's rule, anonymously, with an attribute-based signature through a relay (CRYPTO §3, §3.1).
 * Checks here are a courtesy for a clear error before a byte is sent; the ledger's rules are the lock.
 */
import {
  ChartsealError,
  ed25519KeyPair,
  extendsRule,
  type Policy,
  parsePolicy,
  randomBytes,
  recordDigest,
  type Suite,
  sameTree,
  sealPayload,
  sha256,
} from "@chartseal/crypto";
import { encodeTransaction, identifierOf, idOf, type Submitted, signOneTime } from "@chartseal/ledger";
import type { Placement } from "@chartseal/storage";
import { readCommittee } from "./committee.ts";
import type { MemberKeys, Provider, Surroundings, TakeOptions } from "./parties.ts";
import { makeHeader, type RecordMetadata, statementFor, toMetadata } from "./record.ts";
import { checkWays } from "./recovery.ts";
import { regionsFor } from "./residency.ts";
import { checkSigner, signWithAttributes } from "./signing.ts";
import { readRule } from "./state.ts";
import { AccountWriter, currentBody } from "./submit.ts";

export interface DepositOptions {
  /** Who signs: the owner, or an author. */
  readonly by: MemberKeys;
  /** The owner's account. */
  readonly owner: Uint8Array;
  /** An author's hospital; absent for the owner's own deposit. */
  readonly namespace?: string;
  /** The written policy. */
  readonly policy: Policy;
  /** Under which the record is signed; required of an author, beside the account signature of an owner. */
  readonly authorPolicy?: Policy;
  /** Of an owner's own record; default TREAT. */
  readonly purposes?: readonly string[];
  readonly source: AsyncIterable<Uint8Array>;
  /** Asked for after the source has ended, so that what it finds out while the bytes pass is in time. */
  readonly metadata: () => Promise<RecordMetadata>;
  readonly suite?: Suite;
  /** How the provider is to divide the payload; its regions within the owner's residency, which they are by default. */
  readonly placement?: Placement;
  /** Where it may lie, where no placement is given; within the owner's residency too. */
  readonly regions?: readonly string[];
  /** Bytes of plaintext sealed so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface Deposited {
  readonly recordId: Uint8Array;
  readonly address: string;
  readonly digest: Uint8Array;
  readonly bytes: number;
  readonly sealedBytes: number;
  readonly metadata: RecordMetadata;
  readonly submitted: Submitted;
}

/**
 * What the owner's rule says before anything is sealed.
 * @throws ChartsealError `rule-missing`, `rule-violated`
 */
export async function checkRule(
  { ledger, now }: Pick<Surroundings, "ledger" | "now">,
  deposit: { owner: Uint8Array; namespace: string; policy: Policy; authorPolicy: Policy },
): Promise<void> {
  const rule = await readRule(ledger, deposit.owner, deposit.namespace);
  const data = { namespace: deposit.namespace };
  if (rule === undefined || rule.revokedHeight !== null) {
    throw new ChartsealError("rule-missing", `the owner has set no rule for ${deposit.namespace}`, {
      data,
      hint: "The owner sets one with chartseal rule set.",
    });
  }
  if (rule.expiresMs !== null && now() >= rule.expiresMs) {
    throw new ChartsealError("rule-violated", `the owner's rule for ${deposit.namespace} has expired`, {
      data,
    });
  }
  if (!sameTree(deposit.authorPolicy.tree, parsePolicy(rule.writers).tree)) {
    throw new ChartsealError(
      "rule-violated",
      `the owner's rule takes records signed under: ${rule.writers}`,
      {
        data: { ...data, writers: rule.writers },
      },
    );
  }
  if (!extendsRule(deposit.policy, parsePolicy(rule.policy))) {
    throw new ChartsealError(
      "rule-violated",
      `the owner's rule allows the policy ${rule.policy}, or narrower`,
      {
        data: { ...data, policy: rule.policy },
      },
    );
  }
}

/** Counts what passes. */
async function* counted(
  source: AsyncIterable<Uint8Array>,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    onProgress?.(bytes);
    yield chunk;
  }
}

/**
 * Seals, stores and registers one record. Nothing is registered unless header and payload are durable at the provider;
 * what an interruption leaves there is an orphan that `gc` removes.
 * @throws ChartsealError `rule-missing`, `rule-violated`, `policy-unsatisfied`, `recovery-missing`, …
 */
export async function deposit(
  surroundings: Surroundings & { readonly provider: Provider },
  options: DepositOptions,
): Promise<Deposited> {
  const { pairing, ledger, provider } = surroundings;
  const { by, owner, namespace, policy, authorPolicy, purposes = ["TREAT"] } = options;
  if (namespace !== undefined) {
    if (authorPolicy === undefined) {
      throw new ChartsealError("input-invalid", "an author's deposit needs an author policy");
    }
    await checkRule(surroundings, { owner, namespace, policy, authorPolicy });
  }
  if (authorPolicy !== undefined) await checkSigner(surroundings, by, authorPolicy);
  // The ledger asks an owner; an author's deposit is anonymous, so here its own client does.
  await checkWays(ledger, by.account);
  const placement = await placementFor(ledger, options);
  if (Object.keys(placement).length > 0) await provider.demandRoom?.(placement);
  const committee = await readCommittee(ledger, pairing);
  const sealed = sealPayload({
    source: counted(options.source, options.onProgress),
    lend: provider.takesLent === true,
    ...(options.suite === undefined ? {} : { suite: options.suite }),
  });
  const { chunkBytes } = sealed.descriptor;
  const stored = await provider.takePayload(sealed.chunks, { chunkBytes, ...placement });
  const { length, digest } = await sealed.finished;
  const metadata = await options.metadata();
  const payload = { descriptor: sealed.descriptor, length, digest, keyCommitment: sealed.keyCommitment };
  const oneTime = ed25519KeyPair();
  const recordId = idOf(ledger.chainId, oneTime.publicKey);
  const secrets = { fileKey: sealed.fileKey, salt: randomBytes(32), metadata: toMetadata(metadata) };
  const mpk = committee.reading.publicKey;
  const header = await makeHeader(pairing, { mpk, recordId, owner, policy, payload, secrets });
  const anonymous = namespace !== undefined;
  const body = await currentBody(
    surroundings,
    {
      kind: "deposit",
      recordId,
      owner,
      namespace: namespace ?? null,
      policy: policy.text,
      authorPolicy: authorPolicy?.text ?? null,
      headerHash: sha256(header),
      address: stored.address,
      statement: statementFor(payload, secrets.salt, secrets.metadata),
      purposes: anonymous ? [] : purposes,
    },
    { anonymous },
  );
  const submitted = await register(surroundings, options, {
    body,
    oneTimeSeed: oneTime.seed,
    storageReceipt: await provider.takeHeader({ header, body }),
  });
  if (!anonymous) await provider.placed?.({ recordId });
  const facts = { recordId, address: stored.address, digest: recordDigest(header, digest), bytes: length };
  return { ...facts, sealedBytes: stored.bytes + header.length, metadata, submitted };
}

/** @throws ChartsealError `rule-violated` for regions outside of the owner's residency */
async function placementFor(
  ledger: Surroundings["ledger"],
  { owner, placement, regions: wanted }: DepositOptions,
): Promise<Pick<TakeOptions, "placement" | "regions">> {
  const regions = await regionsFor(ledger, owner, placement?.regions ?? wanted);
  if (placement !== undefined) return { placement: { ...placement, regions } };
  return regions.length === 0 ? {} : { regions };
}

async function register(
  surroundings: Surroundings & { readonly provider: Provider },
  { by, namespace, authorPolicy }: DepositOptions,
  made: {
    readonly body: Uint8Array;
    readonly oneTimeSeed: Uint8Array;
    readonly storageReceipt: { readonly provider: Uint8Array; readonly signature: Uint8Array };
  },
): Promise<Submitted> {
  const { body, oneTimeSeed, storageReceipt } = made;
  const identifier = identifierOf(body);
  const attributes =
    authorPolicy === undefined
      ? undefined
      : await signWithAttributes(surroundings, by, { policy: authorPolicy, kind: "deposit", identifier });
  if (namespace === undefined) {
    const extras = { oneTimeSeed, storageReceipt, ...(attributes === undefined ? {} : { attributes }) };
    return await new AccountWriter(surroundings, by).submitBody(body, extras);
  }
  const oneTime = signOneTime(oneTimeSeed, body);
  const parts = { oneTime, storageReceipt, ...(attributes === undefined ? {} : { attributes }) };
  return await surroundings.provider.relay(encodeTransaction(body, parts));
}
