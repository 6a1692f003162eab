/**
 * What a proposal is about, as typed on the command line: a kind that a vote decides and its fields as name=value. Byte
 * strings are hex, lists comma-separated, times such as 7d.
 */
import { ChartsealError, fromHex, hasCode, toHex } from "@chartseal/crypto";
import { type Action, actionTable, votableKinds } from "@chartseal/ledger";
import { encodeProposed } from "@chartseal/sharing";
import { commaList, durationOf } from "../commands/shared.ts";

const hex = (text: string): Uint8Array => fromHex(text.toLowerCase());
const whole = (text: string): number => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN);
const asText = (text: string): string => text;
const time = (text: string): number => durationOf("a time", text);

/** Field → how its value is read; the ledger's own encoding then says whether it can be. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  publicKey: hex,
  hpkeKey: hex,
  operator: hex,
  account: hex,
  lists: hex,
  proof: hex,
  weight: whole,
  threshold: whole,
  slashPermille: whole,
  absenceBlocks: whole,
  absencePermille: whole,
  role: asText,
  name: asText,
  namespace: asText,
  change: asText,
  nodes: (text) => commaList(text).map(hex),
  dealers: (text) => commaList(text).map(whole),
  emergencyAttributes: commaList,
  recoveryRequired: (text) => (text === "on" ? true : text === "off" ? false : text),
  recoveryDelayMs: time,
  emergencyLifetimeMs: time,
  unbondingMs: time,
  jailMs: time,
  proposalMs: time,
};
/** Fields that may be left out. */
const absent: Readonly<Record<string, null>> = { namespace: null };

/** @throws ChartsealError `input-invalid` */
export function proposedAction(kind: string, assignments: readonly string[]): Action {
  const known = votableKinds.find((one) => one === kind);
  if (known === undefined) {
    throw new ChartsealError("input-invalid", `no vote decides ${JSON.stringify(kind)}`, {
      hint: `Kinds: ${votableKinds.join(", ")}.`,
    });
  }
  const fields = (actionTable[known][1] as { readonly fields?: readonly string[] }).fields ?? [];
  const given = new Map(assignments.map((one) => split(one)));
  const unknown = [...given.keys()].find((name) => !fields.includes(name));
  if (unknown !== undefined || given.size !== assignments.length) throw wrongFields(known, fields);
  const values = fields.map((name) => {
    const text = given.get(name);
    if (text === undefined && !Object.hasOwn(absent, name)) throw wrongFields(known, fields);
    return [name, text === undefined ? null : readers[name]?.(text)] as const;
  });
  const action = { kind: known, ...Object.fromEntries(values) } as unknown as Action;
  try {
    encodeProposed(action);
  } catch (error) {
    if (!hasCode(error, "encoding-invalid")) throw error;
    throw new ChartsealError("input-invalid", `a field of ${known} has no such value`, { cause: error });
  }
  return action;
}

function split(assignment: string): readonly [string, string] {
  const at = assignment.indexOf("=");
  if (at < 1)
    throw new ChartsealError("input-invalid", `write name=value, not ${JSON.stringify(assignment)}`);
  return [assignment.slice(0, at), assignment.slice(at + 1)];
}

function wrongFields(kind: string, fields: readonly string[]): ChartsealError {
  return new ChartsealError("input-invalid", `${kind} takes each of its fields once`, {
    hint: `Fields: ${fields.map((name) => `${name}=…`).join(" ")}`,
  });
}

/** An action for people and for JSON: byte strings in hex. */
export function actionValue({ kind, ...fields }: Action): Record<string, unknown> {
  const shown = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return toHex(value);
    return Array.isArray(value) ? value.map(shown) : value;
  };
  return { kind, ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shown(value)])) };
}
