/**
 * set-settings: what a consortium changes about itself by a vote of more than 2/3 of the stake: the attributes that count
 * in an emergency and how long one may last, whether recovery is required and how long it takes. Until the first one the
 * genesis' list of attributes and the defaults here stand.
 */
import { namespaceOf, selfNamespace } from "@chartseal/crypto";
import type { Settings } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { emptyKey, entries, load, type Parameters, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { demandKnown, demandSorted } from "./namespaces.ts";
import { consortiumOf, type Rule } from "./setting.ts";

const hourMs = 60 * 60_000;
const yearMs = 366 * 24 * hourMs;

/** The settings of a consortium that has not changed any. */
export function defaultSettings({ emergencyAttributes }: Parameters): Settings {
  return {
    emergencyAttributes,
    recoveryRequired: false,
    recoveryDelayMs: 7 * 24 * hourMs,
    emergencyLifetimeMs: 24 * hourMs,
  };
}

/** The settings in force. */
export function settingsOf(state: Pick<StateAccess, "get">): Settings {
  return load(state, entries.settings, emptyKey) ?? defaultSettings(consortiumOf(state).parameters);
}

export const setSettings: Rule<"set-settings"> = (setting, action) => {
  const { state } = setting;
  demandAdmission(setting);
  const { emergencyAttributes, recoveryRequired, recoveryDelayMs, emergencyLifetimeMs } = action;
  demandSorted(emergencyAttributes);
  demandKnown(state, emergencyAttributes);
  const noPerson = emergencyAttributes.every((attribute) => namespaceOf(attribute) !== selfNamespace);
  demand(noPerson, "settings-invalid", { field: "emergencyAttributes" });
  demand(recoveryDelayMs <= yearMs, "settings-invalid", { field: "recoveryDelayMs" });
  const lasts = emergencyLifetimeMs > 0 && emergencyLifetimeMs <= yearMs;
  demand(lasts, "settings-invalid", { field: "emergencyLifetimeMs" });
  save(state, entries.settings, emptyKey, {
    emergencyAttributes,
    recoveryRequired,
    recoveryDelayMs,
    emergencyLifetimeMs,
  });
};
