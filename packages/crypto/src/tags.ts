/**
 * Every domain-separation tag of the system: ASCII, one NUL at the end and none inside (CRYPTO, Tags).
 * spec/tags.md prints this table; a test holds the two together and every tag unique.
 */

/** part → its uses and what each one is for. */
export const tagTable = {
  cpabe: {
    base: "hash to G1: the base b of FABEO",
    attr: "hash to G1: the point H(u) of an attribute u",
    fo: "HKDF-Extract salt: the scalars of an encapsulation from m",
    transcript: "SHA-256: context and ciphertext elements of an encapsulation",
    mask: "HKDF info: the mask of m from K",
    "encaps-pok": "H_p: challenge of the proof of knowledge of s1",
  },
  authority: {
    "issue-pok": "H_p: challenge of the proof of knowledge of z behind Z",
    issue: "SHA-256: d, what one issue is for",
    answer: "Ed25519: a node's answer to an issue",
    "answer-proof": "H_p: Chaum–Pedersen challenge of a node's X_i",
    "issue-batch": "SHA-256: weights of the check of an answer",
    base: "SHA-256: d of a partial of K_base",
    "dkg-commit": "SHA-256: round 1 of key generation, a hash of the commitments",
    "dkg-pok": "H_p: challenge of a dealer's proof of its constant term",
    "dkg-share": "HPKE info: a share on its way to its receiver",
    "audit-base": "hash to G1: the second base of TDH2",
    "audit-pad": "HKDF info: the pad of a TDH2 ciphertext",
    "audit-proof": "H_p: challenge of a TDH2 ciphertext",
    "audit-share": "H_p: challenge of a TDH2 decryption share",
  },
  abs: {
    "abs-g": "hash to G1: the base g",
    "abs-c": "hash to G1: the base C",
    "abs-h": "hash to G2: the bases h_0 … h_T",
    "abs-user": "hash to G1: K_0 of an account",
    "abs-weights": "H_p: weights of the proof behind (A, B)",
    "abs-dleq": "H_p: Chaum–Pedersen challenge of the proof behind (A, B)",
    "abs-attr": "H_p: the scalar u of an attribute with its period",
    "abs-msg": "H_p: the scalar μ of what is signed",
    "abs-namespaces": "SHA-256: the row namespaces' public lists",
    "abs-batch": "SHA-256: weights of a batch",
    "abs-batch-seed": "SHA-256: E, all that a batch of signatures is checked over",
    "abs-row-bases": "SHA-256: the row bases of a policy, as they enter E",
  },
  file: {
    payload: "HKDF info: the payload key",
    commit: "HKDF info: the key commitment",
    wrap: "HKDF info: the key that wraps fk",
    meta: "HKDF info: the key of the metadata",
    metadata: "SHA-256: the metadata commitment",
    record: "SHA-256: the record's digest",
  },
  ledger: {
    account: "SHA-256: an account from its Ed25519 key",
    genesis: "SHA-256: the chain id",
    block: "Ed25519: an embedded commit",
    "state-key": "SHA-256: a path in the state tree",
    tx: "Ed25519: an account's signature",
    "tx-id": "SHA-256: a transaction's identifier",
    id: "SHA-256: a record or request id from its one-time key",
    "one-time": "Ed25519: a one-time key's signature",
    relay: "Ed25519: a relay's envelope",
    admission: "Ed25519: a validator's vote for an admission",
    "storage-receipt": "Ed25519: a provider's receipt for a stored header and payload",
    log: "SHA-256: the chain of a record's log",
    "new-key": "Ed25519: a new key of an account shows that it is held",
  },
  keys: {
    "sealed-file": "HKDF info: the key of one sealed key file",
    "passkey-slot": "HKDF info: the key that seals a vault's key, from a passkey's PRF",
  },
  storage: {
    "shard-names": "HKDF info: the key of shards' pseudonyms, from a home's placement secret",
    "shard-blocks": "HKDF info: the key from which each shard's own is made",
    "shard-manifests": "HKDF info: the key that seals manifests",
  },
  sharing: {
    reveal: "Ed25519: who reads, shown to the provider",
    "transform-answer": "Ed25519: the provider's statement that this is its T",
    "receipt-box": "HPKE info: the key of a receipt's box, to the owner",
    "answer-box": "HPKE info: an authority node's answer, to the provider",
    "signing-key": "HPKE info: attribute signing keys, to their account",
    "full-key": "HPKE info: a full key, to its account",
    "transform-key": "SHA-256: the id of a transform key, over its parts",
    "transform-part": "SHA-256: one attribute's part of a transform key",
    link: "Ed25519: an account's wish to be linked to its identity at a namespace's identity provider",
    "link-nonce": "SHA-256: the nonce that binds an ID token to that wish",
    certificate: "Ed25519: a copy's erasure attested by its holder",
  },
  audit: {
    nonce: "SHA-256: the auditor's nonce, committed to by an opening",
    challenge: "SHA-256: the chunks that an audit asks for",
    outcome: "RFC 6962 leaf: what an audit found of one record",
  },
  dispute: {
    judge: "HPKE info: the key of what one side of a dispute shows, to one judge",
    recovered: "H_p: Chaum–Pedersen challenge of a reader's K",
  },
  server: {
    request: "RFC 9421: the parameter `tag` of a signed request, without the NUL",
    hello: "SHA-256: a server's proof that it is the one of a home",
  },
} as const;

type Table = typeof tagTable;
/** "<part>/<use>" of the table. */
export type TagUse = { [P in keyof Table]: `${P}/${keyof Table[P] & string}` }[keyof Table];

/** "chartseal-v1/<part>/<use>\0" */
export function tag(use: TagUse): string {
  return `chartseal-v1/${use}\0`;
}
