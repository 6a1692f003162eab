/**
 * set-recovery: who may give the signer's account a new key: k of at most 16 guardians, the key of a paper kit. It
 * replaces what was set before; none of both is allowed, and leaves the account without a way back.
 */
import { compareBytes, equalBytes } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { accountOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { entries, load, roles, save } from "../state-kinds.ts";
import { demandNoRecovery } from "./recovery.ts";
import { type Rule, type Setting, signerWith } from "./setting.ts";

export const setRecovery: Rule<"set-recovery"> = (setting, action) => {
  const { state, block } = setting;
  const { account } = signerWith(setting, roles.member);
  const { guardians, threshold, paperKey } = action;
  demandGuardians(setting, account, action);
  if (paperKey !== null) demandPaperKey(setting, account, { guardians, paperKey });
  demandNoRecovery(setting, account);
  save(state, entries.recoveryWays, account, { guardians, threshold, paperKey, height: block.height });
};

/** Accounts with an office of their own, ascending, the member's own not among them; 1 ≤ k ≤ n, 0 of none. */
function demandGuardians(
  { state }: Setting,
  account: Uint8Array,
  { guardians, threshold }: ActionOf<"set-recovery">,
): void {
  const count = guardians.length;
  demand(count === 0 ? threshold === 0 : threshold >= 1 && threshold <= count, "ways-invalid");
  for (const [at, guardian] of guardians.entries()) {
    const next = guardians[at + 1];
    demand(next === undefined || compareBytes(guardian, next) < 0, "ways-invalid");
    demand(!equalBytes(guardian, account), "ways-invalid");
    demand((load(state, entries.account, guardian)?.roles ?? 0) !== 0, "account-unknown");
  }
}

/** A key that is nobody's account: a kit that is a guardian too would be one way and not two. */
function demandPaperKey(
  { state }: Setting,
  account: Uint8Array,
  { guardians, paperKey }: { readonly guardians: readonly Uint8Array[]; readonly paperKey: Uint8Array },
): void {
  const own = accountOf(paperKey);
  const used = load(state, entries.account, own);
  const free = used === undefined || used.roles === 0;
  const apart = !equalBytes(own, account) && !guardians.some((one) => equalBytes(one, own));
  demand(free && apart && load(state, entries.accountKey, paperKey) === undefined, "ways-invalid");
}
