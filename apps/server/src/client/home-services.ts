/** The services of a home whose server runs, as its commands reach them: with the machine's token, by HTTP. */
import { ed25519KeyPairFromSeed, equalBytes, randomBytes, toHex } from "@chartseal/crypto";
import type { Submitted } from "@chartseal/ledger";
import type { Admitter, AuthorityNode, Hospital, Registration, SealedAnswer } from "@chartseal/sharing";
import { helloProof } from "../hello.ts";
import type { RequestSigner } from "../signature/message.ts";
import type { Connection } from "./connection.ts";
import { bytesOf, type Fields, wholeOf } from "./fields.ts";

/** The key that commands sign with. `token`: 32 bytes. */
export function tokenSigner(token: Uint8Array): RequestSigner {
  return { keyId: toHex(ed25519KeyPairFromSeed(token).publicKey), seed: token };
}

/** Whether the server is this home's: another program may have taken its port. Never throws for one that is not there. */
export async function isServerOf(
  connection: Connection,
  { token, folder }: { readonly token: Uint8Array; readonly folder: string },
): Promise<boolean> {
  const nonce = randomBytes(32);
  try {
    const { proof } = await connection.json({ target: "/v1/home/hello", json: { nonce: toHex(nonce) } });
    return equalBytes(bytesOf(proof, "proof", 32), helloProof({ token, nonce, folder }));
  } catch {
    return false;
  }
}

export interface HomeClient {
  readonly nodes: readonly AuthorityNode[];
  readonly validator: Admitter;
  namespace(name: string): Promise<Hospital | undefined>;
  addNamespace(name: string): Promise<Registration>;
  /** The home's provider signs and submits this body of an audit. */
  submitAudit(body: Uint8Array): Promise<Submitted>;
  /** The home's operator signs and submits this body of a proposal, a vote, or of what it does with its stake. */
  submitOperation(body: Uint8Array): Promise<Submitted>;
}

/** `connection` signs with the token. */
export function homeClient(connection: Connection, options: { readonly nodes: number }): HomeClient {
  const ask = (path: string, json: unknown): Promise<Record<string, unknown>> =>
    connection.json({ target: `/v1/home/${path}`, json });
  return {
    nodes: Array.from({ length: options.nodes }, (_, at) => nodeOf(ask, at + 1)),
    async validator(body) {
      const { validator, signature } = await ask("admissions", { body: toHex(body) });
      return {
        validator: bytesOf(validator, "validator", 32),
        signature: bytesOf(signature, "signature", 64),
      };
    },
    async namespace(name) {
      const { account } = await connection.json({ target: `/v1/home/namespaces/${name}` });
      return account === null ? undefined : hospitalOf(ask, name, bytesOf(account, "account", 20));
    },
    async addNamespace(name) {
      const { proposalId } = await ask("namespaces", { name });
      if (proposalId === null) return { registered: true };
      return { registered: false, proposalId: bytesOf(proposalId, "proposalId", 32) };
    },
    submitAudit: async (body) => submittedOf(await ask("audits", { body: toHex(body) })),
    submitOperation: async (body) => submittedOf(await ask("operations", { body: toHex(body) })),
  };
}

type Ask = (path: string, json: unknown) => Promise<Record<string, unknown>>;

function nodeOf(ask: Ask, index: number): AuthorityNode {
  const answered = ({ node, sealed }: Fields): SealedAnswer => ({
    node: wholeOf(node, "node"),
    sealed: bytesOf(sealed, "sealed"),
  });
  return {
    index,
    answer: async (requestId) =>
      answered(await ask(`nodes/${index}/answers`, { requestId: toHex(requestId) })),
    basePartial: async (account) =>
      answered(await ask(`nodes/${index}/base-partials`, { account: toHex(account) })),
  };
}

function hospitalOf(ask: Ask, name: string, account: Uint8Array): Hospital {
  const path = `namespaces/${name}`;
  return {
    name,
    account,
    async signingKeys(input) {
      const json = { account: toHex(input.account), baseKey: toHex(input.baseKey) };
      return bytesOf((await ask(`${path}/signing-keys`, json)).sealed, "sealed");
    },
    vouch: async (of, attributes) =>
      submittedOf(await ask(`${path}/vouches`, { account: toHex(of), attributes, digest: null })),
    vouchFull: async (of, attributes, digest) =>
      submittedOf(await ask(`${path}/vouches`, { account: toHex(of), attributes, digest: toHex(digest) })),
    extend: async (columns) => submittedOf(await ask(`${path}/columns`, { columns })),
    revoke: async (of, attributes) =>
      submittedOf(await ask(`${path}/revocations`, { account: toHex(of), attributes })),
  };
}

function submittedOf({ height, index, identifier, blockHash }: Fields): Submitted {
  return {
    height: wholeOf(height, "height"),
    index: wholeOf(index, "index"),
    identifier: bytesOf(identifier, "identifier", 32),
    blockHash: bytesOf(blockHash, "blockHash", 32),
  };
}
