/** Refusals about retention, holds and erasures that are due. */
import { sha256, utf8 } from "@chartseal/crypto";
import type { Action } from "../../src/actions.ts";
import { keepMsMax } from "../../src/rules/keeping.ts";
import { doctor, hospital, owner, service, stranger, type World } from "../world.ts";
import { type Case, nobody } from "./making.ts";

const holdId = sha256(utf8("a hold"));

/** Deposited by the doctor, under the rule of cedars. */
export function authored(w: World): Uint8Array {
  w.submit(w.authorDeposit("kept", w.keys));
  return w.oneTime("kept").id;
}

export const keep = (recordId: Uint8Array, keepUntilMs: number | null): Action => ({
  kind: "set-retention",
  recordId,
  part: "keep",
  keepUntilMs,
  eraseAfterMs: null,
});

export const eraseAfter = (recordId: Uint8Array, eraseAfterMs: number | null): Action => ({
  kind: "set-retention",
  recordId,
  part: "erase",
  keepUntilMs: null,
  eraseAfterMs,
});

export const hold = (recordId: Uint8Array, id = holdId): Action => ({
  kind: "place-hold",
  recordId,
  holdId: id,
  reason: "a lawsuit",
});

export const lift = (recordId: Uint8Array, id = holdId): Action => ({
  kind: "lift-hold",
  recordId,
  holdId: id,
  reason: "settled",
});

export const keeping: readonly Case[] = [
  [
    "record-held",
    "erased under a hold",
    (w) => {
      const recordId = authored(w);
      w.do(hospital, hold(recordId));
      return w.signed(owner, { kind: "erase", recordId });
    },
  ],
  [
    "record-kept",
    "erased before its time",
    (w) => {
      const recordId = authored(w);
      w.do(hospital, keep(recordId, w.timestampMs + 60_000));
      return w.signed(owner, { kind: "erase", recordId });
    },
  ],
  [
    "record-held",
    "erased as due under a hold",
    (w) => {
      const recordId = authored(w);
      w.do(owner, eraseAfter(recordId, w.timestampMs));
      w.do(hospital, hold(recordId));
      return w.signed(service, { kind: "erase-due", recordId });
    },
  ],
  [
    "retention-invalid",
    "for longer than anybody lives",
    (w) => w.signed(hospital, keep(authored(w), w.timestampMs + keepMsMax + 60_000)),
  ],
  [
    "retention-invalid",
    "the owner's keeping",
    (w) => w.signed(owner, { ...keep(authored(w), w.timestampMs), part: "erase" } as Action),
  ],
  [
    "retention-invalid",
    "the namespace's erasing",
    (w) => w.signed(hospital, { ...eraseAfter(authored(w), w.timestampMs), part: "keep" } as Action),
  ],
  ["role-missing", "a retention by the reader", (w) => w.signed(doctor, keep(authored(w), w.timestampMs))],
  [
    "role-missing",
    "kept by a hospital that has nothing to do with it",
    (w) => {
      w.submit(w.ownerDeposit("own"));
      return w.signed(hospital, keep(w.oneTime("own").id, w.timestampMs));
    },
  ],
  [
    "role-missing",
    "an end set by another",
    (w) => w.signed(stranger, eraseAfter(authored(w), w.timestampMs)),
  ],
  ["admission-missing", "a hold by a stranger", (w) => w.signed(stranger, hold(authored(w)))],
  ["admission-missing", "a hold by the owner", (w) => w.signed(owner, hold(authored(w)))],
  [
    "hold-invalid",
    "the same hold twice",
    (w) => {
      const recordId = authored(w);
      w.do(hospital, hold(recordId));
      return w.signed(hospital, hold(recordId));
    },
  ],
  [
    "hold-invalid",
    "a seventeenth hold",
    (w) => {
      const recordId = authored(w);
      for (let at = 0; at < 16; at++) w.do(hospital, hold(recordId, sha256(Uint8Array.of(at))));
      return w.signed(hospital, hold(recordId));
    },
  ],
  ["hold-invalid", "lifted where none stands", (w) => w.signed(hospital, lift(authored(w)))],
  [
    "admission-missing",
    "the consortium's hold lifted by the hospital",
    (w) => {
      const recordId = authored(w);
      w.submit(w.admitted(stranger, hold(recordId)));
      return w.signed(hospital, lift(recordId));
    },
  ],
  [
    "erasure-not-due",
    "without a time",
    (w) => w.signed(service, { kind: "erase-due", recordId: authored(w) }),
  ],
  [
    "erasure-not-due",
    "before its time",
    (w) => {
      const recordId = authored(w);
      w.do(owner, eraseAfter(recordId, w.timestampMs + 60_000));
      return w.signed(service, { kind: "erase-due", recordId });
    },
  ],
  [
    "role-missing",
    "due, and not the provider's to do",
    (w) => {
      const recordId = authored(w);
      w.do(owner, eraseAfter(recordId, w.timestampMs));
      return w.signed(owner, { kind: "erase-due", recordId });
    },
  ],
  [
    "record-erased",
    "kept when it is gone",
    (w) => {
      const recordId = authored(w);
      w.do(owner, { kind: "erase", recordId });
      return w.signed(hospital, keep(recordId, w.timestampMs));
    },
  ],
  ["signer-unknown", "a retention by nobody", (w) => w.signed(nobody, keep(authored(w), w.timestampMs))],
];
