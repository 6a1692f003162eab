/** An author who seals crookedly: a header that is registered and proved like any other, and whose rows do not fit. */
import {
  ed25519KeyPair,
  encapsulate,
  encodeContext,
  encodeEncapsulation,
  parsePolicy,
  type RecordContext,
  randomBytes,
  sealedPolicy,
  sealHeader,
  sealPayload,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { encodeTransaction, identifierOf, idOf, signOneTime } from "@chartseal/ledger";
import { masterKeyHash, readCommittee } from "../src/committee.ts";
import { currentBody } from "../src/index.ts";
import { statementFor, toMetadata } from "../src/record.ts";
import { signWithAttributes } from "../src/signing.ts";
import { type Member, source, type World } from "./world.ts";

const metadata = { name: "", mediaType: "", validation: "not-checked" } as const;

/** An author's deposit whose encapsulation was made under other attributes in the same places. */
export async function crookedDeposit(
  world: World,
  sealing: {
    readonly author: Member;
    readonly owner: Member;
    readonly policy: string;
    readonly rows: string;
  },
): Promise<Uint8Array> {
  const { author, owner, policy, rows } = sealing;
  const { pairing, ledger, provider } = world;
  const made = sealPayload({ source: source(utf8("crooked")) });
  const { address } = await provider.takePayload(made.chunks, { chunkBytes: made.descriptor.chunkBytes });
  const { length, digest } = await made.finished;
  const { descriptor, keyCommitment, fileKey } = made;
  const payload = { descriptor, length, digest, keyCommitment };
  const oneTime = ed25519KeyPair();
  const recordId = idOf(ledger.chainId, oneTime.publicKey);
  const secrets = { fileKey, salt: randomBytes(32), metadata: toMetadata(metadata) };
  const { reading } = await readCommittee(ledger, pairing);
  const context: RecordContext = {
    ...descriptor,
    masterKeyHash: masterKeyHash(pairing, reading.publicKey),
    policy: sealedPolicy(parsePolicy(policy), toHex(owner.account)).text,
    recordId,
    owner: owner.account,
    length,
    digest,
    keyCommitment,
  };
  const binding = { mpk: reading.publicKey, policy: parsePolicy(rows), context: encodeContext(context) };
  const { message, transcript, encapsulation } = encapsulate(pairing, binding);
  const header = await sealHeader({
    message,
    transcript,
    context,
    encapsulation: encodeEncapsulation(pairing, encapsulation),
    ...secrets,
  });
  const body = await currentBody(
    world,
    {
      kind: "deposit",
      recordId,
      owner: owner.account,
      namespace: "cedars",
      policy,
      authorPolicy: policy,
      headerHash: sha256(header),
      address,
      statement: statementFor(payload, secrets.salt, secrets.metadata),
      purposes: [],
    },
    { anonymous: true },
  );
  const storageReceipt = await provider.takeHeader({ header, body });
  const attributes = await signWithAttributes(world, author, {
    policy: parsePolicy(policy),
    kind: "deposit",
    identifier: identifierOf(body),
  });
  const parts = { oneTime: signOneTime(oneTime.seed, body), storageReceipt, attributes };
  await provider.relay(encodeTransaction(body, parts));
  return recordId;
}
