/**
 * request-key: an account asks the committee for one key over the full set of its attributes (CRYPTO §2.2, §2.3). What
 * the ledger takes is granted: every attribute vouched for now, z proved, d computed here. Mode transform goes to a
 * registered provider. Mode full (z = 1) goes to the account itself and takes, but for its own ACCOUNT@self, a vouch for
 * this one d.
 */
import {
  decode,
  decodeBlindProof,
  equalBytes,
  type IssueRequest,
  issueDigest,
  selfAttribute,
  toHex,
  verifyBlind,
} from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import { append, entries, lists, load, roles, save } from "../state-kinds.ts";
import { committeeEpoch, demandCommittee } from "./committee.ts";
import { demandSorted } from "./namespaces.ts";
import { providerOf, type Rule, type Setting, signerWith } from "./setting.ts";
import { isVouched, isVouchedInFull } from "./vouch.ts";

export const requestKey: Rule<"request-key"> = (setting, action) => {
  const { state, block } = setting;
  const { account } = signerWith(setting, roles.member);
  const { requestId, proof, attributes, provider, mode, epoch } = action;
  demandCommittee(state);
  demand(load(state, entries.keyRequest, requestId) === undefined, "request-exists");
  demand(epoch === committeeEpoch(state), "epoch-wrong");
  demand(attributes.length > 0, "attributes-invalid");
  demandSorted(attributes);
  const keeper = mode === "full" ? equalBytes(provider, account) : providerOf(state, provider) !== undefined;
  demand(keeper, "provider-unknown");
  const request = issueOf(setting, account, action);
  const digest = issueDigest(block.pairing, request);
  for (const attribute of attributes)
    demandVouched(setting, account, attribute, mode === "full" ? digest : null);
  const { blinded } = request;
  const proved = decodeBlindProof(block.pairing, decode(proof, { sizeMax: 256 }));
  demand(verifyBlind(block.pairing, { blinded, digest, proof: proved, mode }), "key-proof-invalid");
  const { blinded: blindedBytes } = action;
  const stored = { account, blinded: blindedBytes, proof, attributes, provider, mode, epoch, digest };
  save(state, entries.keyRequest, requestId, { ...stored, height: block.height, keyId: null });
  append(state, lists.keyRequestsOfAccount, account, requestId);
};

function issueOf({ block }: Setting, account: Uint8Array, action: ActionOf<"request-key">): IssueRequest {
  const { requestId, attributes, provider, mode, epoch } = action;
  const blinded = block.pairing.g1.decode(action.blinded, { identity: "reject" });
  return { chainId: block.chainId, epoch, requestId, account, blinded, attributes, provider, mode };
}

/** `digest`: d, in mode full. */
function demandVouched(
  { state }: Setting,
  account: Uint8Array,
  attribute: string,
  digest: Uint8Array | null,
): void {
  const own = digest !== null && attribute === selfAttribute(toHex(account));
  const vouched =
    digest === null
      ? isVouched(state, account, attribute)
      : isVouchedInFull(state, account, attribute, digest);
  demand(own || vouched, "vouch-missing", { attribute });
}
