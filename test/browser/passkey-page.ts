/**
 * The page of a passkey: makes a credential with the PRF extension of WebAuthn, puts it beside the passphrase of a vault
 * that Node made, and unlocks the vault by it; the key comes back as Node knows it. Answers `prf: false` where the
 * authenticator offers none.
 */
import {
  addPasskey,
  fromHex,
  type KeySlots,
  newPrfInput,
  openWithPasskey,
  openWithPassphrase,
  randomBytes,
  removeSlot,
  toHex,
} from "@chartseal/crypto";

export interface PasskeyJob {
  readonly slots: KeySlots;
  readonly passphrase: string;
}

export interface PasskeyAnswer {
  readonly prf: boolean;
  readonly slots?: KeySlots;
  /** The vault key, as the passphrase and as the passkey gave it; hex. */
  readonly keys?: readonly (string | null)[];
  readonly removing?: string;
}

interface PrfCredential {
  readonly rawId: ArrayBuffer;
  getClientExtensionResults(): {
    readonly prf?: { readonly enabled?: boolean; readonly results?: { readonly first: ArrayBuffer } };
  };
}
/** WebAuthn as far as this page uses it. */
interface Credentials {
  create(options: object): Promise<PrfCredential | null>;
  get(options: object): Promise<PrfCredential | null>;
}
declare const navigator: { readonly credentials: Credentials };

async function makeCredential(): Promise<PrfCredential> {
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { id: "localhost", name: "Chartseal" },
      user: { id: randomBytes(16), name: "alice", displayName: "alice" },
      challenge: randomBytes(32),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }],
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      extensions: { prf: {} },
    },
  });
  if (made === null) throw new Error("no credential was made");
  return made;
}

/** The PRF of that credential on that input, 32 bytes. */
async function evaluate(credentialId: Uint8Array, input: Uint8Array): Promise<Uint8Array> {
  const shown = await navigator.credentials.get({
    publicKey: {
      rpId: "localhost",
      challenge: randomBytes(32),
      allowCredentials: [{ type: "public-key", id: credentialId }],
      userVerification: "required",
      extensions: { prf: { eval: { first: input } } },
    },
  });
  const first = shown?.getClientExtensionResults().prf?.results?.first;
  if (first === undefined) throw new Error("the authenticator evaluated no PRF");
  return new Uint8Array(first);
}

async function work(): Promise<PasskeyAnswer> {
  const { slots, passphrase } = (await (await fetch("/job")).json()) as PasskeyJob;
  const made = await makeCredential();
  if (made.getClientExtensionResults().prf?.enabled !== true) return { prf: false };
  const credentialId = new Uint8Array(made.rawId);
  const key = await openWithPassphrase(slots, passphrase);
  if (key === null) throw new Error("the passphrase does not open Node's vault");
  const input = newPrfInput();
  const both = await addPasskey(slots, key, {
    credentialId,
    input,
    output: await evaluate(credentialId, input),
  });
  // Another time, from what the file holds: this is how a page unlocks.
  const stored = both.passkeys![0]!;
  const output = await evaluate(fromHex(stored.credentialId), fromHex(stored.prfInput));
  const unlocked = await openWithPasskey(both, { credentialId, output });
  let removing = "";
  try {
    removeSlot(both, "passphrase");
  } catch (error) {
    removing = (error as { code: string }).code;
  }
  return { prf: true, slots: both, keys: [toHex(key), unlocked === null ? null : toHex(unlocked)], removing };
}

const answer = await work().then(
  (result) => JSON.stringify(result),
  (error: unknown) => JSON.stringify({ error: error instanceof Error ? error.stack : String(error) }),
);
await fetch("/answer", { method: "POST", body: answer });
