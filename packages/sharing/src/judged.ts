/**
 * A rule of the ledger's machine, asked about the state at the head: so that nodes, provider and clients judge by the very
 * code that the ledger judges by. A rule reads the state at once and a ledger answers in its own time: what the rule lacks
 * is read, and the rule begins again.
 */
import { toHex } from "@chartseal/crypto";
import type { StateAccess, StateKind } from "@chartseal/ledger";
import type { Reader } from "./state.ts";
import { refusalForUsers } from "./submit.ts";

class Lacking extends Error {
  readonly kind: StateKind;
  readonly key: Uint8Array;

  constructor(kind: StateKind, key: Uint8Array) {
    super("an entry that is not read yet");
    this.kind = kind;
    this.key = key;
  }
}

/** What the rule gives. @throws the rule's Refusal under the code that users know it by */
export async function judged<T>(ledger: Reader, rule: (state: Pick<StateAccess, "get">) => T): Promise<T> {
  const known = new Map<string, Uint8Array | undefined>();
  const place = (kind: StateKind, key: Uint8Array): string => `${kind} ${toHex(key)}`;
  const get = (kind: StateKind, key: Uint8Array): Uint8Array | undefined => {
    if (!known.has(place(kind, key))) throw new Lacking(kind, key);
    return known.get(place(kind, key));
  };
  for (;;) {
    try {
      return rule({ get });
    } catch (error) {
      if (!(error instanceof Lacking)) throw refusalForUsers(error);
      known.set(place(error.kind, error.key), await ledger.read(error.kind, error.key));
    }
  }
}

/** The time by which an emergency or a proxy is judged: block time or one's own clock, whichever is later. */
export async function judgingMs({
  ledger,
  now,
}: {
  readonly ledger: { head(): Promise<{ readonly timestampMs: number }> };
  now(): number;
}): Promise<number> {
  return Math.max((await ledger.head()).timestampMs, now());
}
