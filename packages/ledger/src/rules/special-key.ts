/**
 * request-special-key, and what key-issued does for it: a key for one attribute and one emergency or proxy, to a provider
 * only, beside the account's one live key and never counted as it (CRYPTO §3.1, Emergency leaf). Asking again gives a
 * new key in the place of the one before, as for a client that lost its secret.
 */
import { decode, decodeBlindProof, equalBytes, issueDigest, verifyBlind } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import { append, type EntryValue, entries, lists, load, roles, save } from "../state-kinds.ts";
import { committeeEpoch, demandCommittee } from "./committee.ts";
import { providerOf, type Rule, type Setting, signerWith } from "./setting.ts";
import { demandGrant, type SpecialGrant } from "./special-grants.ts";

export const requestSpecialKey: Rule<"request-special-key"> = (setting, action) => {
  const { state, block } = setting;
  const { account } = signerWith(setting, roles.member);
  const { requestId, blinded, proof, attributes, provider, mode, grantId, epoch } = action;
  demandCommittee(state);
  const used =
    load(state, entries.specialRequest, requestId) !== undefined ||
    load(state, entries.keyRequest, requestId) !== undefined;
  demand(!used, "request-exists");
  demand(epoch === committeeEpoch(state), "epoch-wrong");
  demand(providerOf(state, provider) !== undefined, "provider-unknown");
  const grant = demandGrant(state, { mode, grantId, timestampMs: block.timestampMs });
  demandReader(grant, account);
  demandKeeper(setting, grant, provider);
  demand(attributes.length === 1 && attributes[0] === grant.attribute, "attributes-invalid");
  const point = block.pairing.g1.decode(blinded, { identity: "reject" });
  const { chainId } = block;
  const request = { chainId, epoch, requestId, account, blinded: point, attributes, provider, mode, grantId };
  const digest = issueDigest(block.pairing, request);
  const proved = decodeBlindProof(block.pairing, decode(proof, { sizeMax: 256 }));
  const holds = verifyBlind(block.pairing, { blinded: point, digest, proof: proved, mode });
  demand(holds, "key-proof-invalid");
  save(state, entries.specialRequest, requestId, {
    account,
    blinded,
    proof,
    attributes,
    provider,
    mode,
    grantId,
    epoch,
    digest,
    height: block.height,
    keyId: null,
  });
  append(state, lists.keyRequestsOfAccount, account, requestId);
};

function demandReader({ mode, reader }: SpecialGrant, account: Uint8Array): void {
  demand(equalBytes(account, reader), mode === "emergency" ? "emergency-reader" : "proxy-missing");
}

/** An emergency's key is for a provider that holds a record which it names, and for no bystander. */
function demandKeeper({ state }: Setting, { records }: SpecialGrant, provider: Uint8Array): void {
  if (records === undefined) return;
  const keeps = records.some((recordId) => {
    const record = load(state, entries.record, recordId);
    return record !== undefined && equalBytes(record.provider, provider);
  });
  demand(keeps, "provider-unknown");
}

/** The key of that request is made: it is the grant's one key from here on. Who and how many nodes was checked. */
export function specialKeyIssued(
  setting: Setting,
  request: EntryValue<typeof entries.specialRequest>,
  { requestId, keyId, nodes }: ActionOf<"key-issued">,
): void {
  const { state, block } = setting;
  const { account, mode, grantId, provider, epoch } = request;
  const { height, timestampMs } = block;
  // One that ended between request and issue leaves no key behind.
  demandGrant(state, { mode, grantId, timestampMs });
  const before = load(state, entries.specialKey, grantId);
  const key = before === undefined ? undefined : load(state, entries.key, before.keyId);
  if (before !== undefined && key !== undefined)
    save(state, entries.key, before.keyId, { ...key, retiredHeight: height });
  const value = load(state, entries.account, account);
  demand(value, "account-unknown");
  const { publicKey } = value;
  const live = { keyId, requestId, account, publicKey, mode, provider, epoch, height };
  save(state, entries.specialKey, grantId, live);
  save(state, entries.specialRequest, requestId, { ...request, keyId });
  save(state, entries.key, keyId, { account, requestId, mode, nodes, height, retiredHeight: null });
}
