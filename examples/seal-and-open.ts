/** One authority, one record: seal under a policy, make a key, open. The README quotes it, a test runs it. */
import {
  decapsulate,
  encapsulate,
  keygenDirect,
  loadPairing,
  parsePolicy,
  recoverMessage,
  setupDirect,
  utf8,
} from "@chartseal/crypto";

const pairing = await loadPairing();
const { alpha, mpk } = setupDirect(pairing); // one authority; a committee never holds alpha: threshold/
const [policy, context] = [parsePolicy("doctor@cedars and cardiology@cedars"), utf8("record 1")];
const { message, encapsulation } = encapsulate(pairing, { mpk, policy, context });
const key = keygenDirect(pairing, { alpha, attributes: ["doctor@cedars", "cardiology@cedars"] });
const shared = decapsulate(pairing, { key, policy, encapsulation });
const opened = recoverMessage(pairing, { shared, policy, context, encapsulation }).message; // equals message
console.log(opened.every((byte, at) => byte === message[at]));
