/** Refusals about emergencies, proxies and their keys. */
import { sha256, utf8 } from "@chartseal/crypto";
import {
  appointment,
  clinicians,
  confirmationOf,
  declarationOf,
  emergencyId,
  emergencyIn,
  ownRecord,
  proxyId,
  proxyIn,
  raiseEra,
  specialKeyRequest,
  specialRead,
} from "../special.ts";
import { doctor, owner, service, stranger } from "../world.ts";
import type { Case } from "./making.ts";

const mode = "emergency";

export const special: readonly Case[] = [
  [
    "emergency-exists",
    "an appointment under the id of an emergency",
    (w) => {
      emergencyIn(w);
      return w.signed(owner, appointment(w, { proxyId: emergencyId }));
    },
  ],
  [
    "emergency-attribute",
    "a clinician of nothing that is listed",
    (w) => w.signed(doctor, declarationOf(w, [ownRecord(w, "r")])),
  ],
  [
    "emergency-records",
    "no record",
    (w) => {
      clinicians(w);
      return w.signed(doctor, declarationOf(w, []));
    },
  ],
  [
    "emergency-time",
    "an end that is past",
    (w) => {
      clinicians(w);
      return w.signed(doctor, declarationOf(w, [ownRecord(w, "r")], { endMs: 1 }));
    },
  ],
  [
    "emergency-clinicians",
    "one clinician as both",
    (w) => {
      clinicians(w);
      w.do(doctor, declarationOf(w, [ownRecord(w, "r")]));
      return w.signed(doctor, confirmationOf(w));
    },
  ],
  [
    "emergency-declaration",
    "another text",
    (w) => {
      clinicians(w);
      w.do(doctor, declarationOf(w, [ownRecord(w, "r")]));
      return w.signed(stranger, confirmationOf(w, { declaration: sha256(utf8("another")) }));
    },
  ],
  [
    "emergency-confirmed",
    "twice",
    (w) => {
      emergencyIn(w);
      return w.signed(stranger, confirmationOf(w));
    },
  ],
  [
    "emergency-unconfirmed",
    "one clinician alone",
    (w) => {
      clinicians(w);
      w.do(doctor, declarationOf(w, [ownRecord(w, "r")]));
      return w.signed(doctor, specialKeyRequest(w, doctor, { mode }));
    },
  ],
  [
    "emergency-over",
    "ended",
    (w) => {
      const recordId = emergencyIn(w);
      w.do(owner, { kind: "end-emergency", emergencyId });
      return specialRead(w, doctor, { mode, recordId });
    },
  ],
  [
    "emergency-void",
    "of an earlier era",
    (w) => {
      const recordId = emergencyIn(w);
      raiseEra(w);
      return specialRead(w, doctor, { mode, recordId });
    },
  ],
  [
    "emergency-record",
    "a record that it does not name",
    (w) => {
      emergencyIn(w);
      return specialRead(w, doctor, { mode, recordId: ownRecord(w, "other") });
    },
  ],
  [
    "emergency-reader",
    "the second clinician",
    (w) => specialRead(w, stranger, { mode, recordId: emergencyIn(w) }),
  ],
  [
    "review-invalid",
    "before the end",
    (w) => {
      emergencyIn(w);
      return w.signed(owner, { kind: "review-emergency", emergencyId, outcome: "unclear", note: "x" });
    },
  ],
  [
    "special-key-missing",
    "a receipt before the key",
    (w) => {
      w.submit(specialRead(w, doctor, { mode, recordId: emergencyIn(w) }));
      return w.signed(service, w.receiptAction(w.oneTime("read").id));
    },
  ],
  ["proxy-missing", "the end of nothing", (w) => w.signed(owner, { kind: "end-proxy", proxyId })],
  [
    "proxy-over",
    "ended",
    (w) => {
      const recordId = proxyIn(w);
      w.do(stranger, { kind: "end-proxy", proxyId });
      return specialRead(w, stranger, { mode: "proxy", recordId });
    },
  ],
  [
    "proxy-right",
    "a reading without the right",
    (w) => specialRead(w, stranger, { mode: "proxy", recordId: proxyIn(w, { may: ["rules"] }) }),
  ],
  ["proxy-invalid", "one's own proxy", (w) => w.signed(owner, appointment(w, { proxy: owner.account }))],
];
