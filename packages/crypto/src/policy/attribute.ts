/**
 * Attributes, `name@namespace`, and their periods (CRYPTO §1, §3): name `[a-z0-9][a-z0-9._:+-]{0,63}`, namespace
 * `[a-z0-9][a-z0-9-]{0,31}`, period `[a-z0-9][a-z0-9.-]{0,31}`, written `name@namespace#period` in signing keys only.
 * The namespace `self` is reserved: ACCOUNT@self and emergency.ACCOUNT@self, ACCOUNT being 40 hex digits.
 */
import { ChartsealError } from "../errors.ts";

const attributeForm = /^([a-z0-9][a-z0-9._:+-]{0,63})@([a-z0-9][a-z0-9-]{0,31})$/;
const periodForm = /^[a-z0-9][a-z0-9.-]{0,31}$/;
const accountForm = /^[0-9a-f]{40}$/;

/**
 * What an attribute is signed under that was never opened: nobody holds it, and a policy that has other ways is proved by
 * them. No label is empty, so that no key is ever made for it.
 */
export const unopenedPeriod = "";

/** The namespace in which every member vouches for itself. */
export const selfNamespace = "self";

/** @throws ChartsealError `input-invalid` */
export function parseAttribute(text: string): { name: string; namespace: string } {
  const parts = attributeForm.exec(text);
  if (parts === null) {
    throw new ChartsealError("input-invalid", "an attribute is written name@namespace in lower case");
  }
  return { name: parts[1] ?? "", namespace: parts[2] ?? "" };
}

/** True for `name@namespace` in the grammar's form. */
export function isAttribute(text: string): boolean {
  return attributeForm.test(text);
}

/** The part behind the `@` of an attribute. @throws ChartsealError `input-invalid` */
export function namespaceOf(attribute: string): string {
  return parseAttribute(attribute).namespace;
}

/** True for any leaf of the reserved namespace. */
export function isSelf(attribute: string): boolean {
  return attribute.endsWith(`@${selfNamespace}`);
}

/** True for 40 lower-case hex digits, an account. */
export function isAccountHex(text: string): boolean {
  return accountForm.test(text);
}

/** The account of `ACCOUNT@self`, else undefined (an emergency leaf names no reader). */
export function personOf(attribute: string): string | undefined {
  const name = isSelf(attribute) ? attribute.slice(0, -selfNamespace.length - 1) : "";
  return isAccountHex(name) ? name : undefined;
}

/** The one attribute that an account vouches for itself. @throws ChartsealError `input-invalid` */
export function selfAttribute(accountHex: string): string {
  if (!isAccountHex(accountHex)) throw new ChartsealError("input-invalid", "an account is 40 hex digits");
  return `${accountHex}@${selfNamespace}`;
}

/** The leaf of an owner's emergency branch. @throws ChartsealError `input-invalid` */
export function emergencyAttribute(ownerAccountHex: string): string {
  return `emergency.${selfAttribute(ownerAccountHex)}`;
}

/** `name@namespace#period`, what is signed under, and what a signing key is made for. @throws ChartsealError `input-invalid` */
export function signingAttribute(attribute: string, period: string): string {
  parseAttribute(attribute);
  if (period !== unopenedPeriod && !periodForm.test(period)) {
    throw new ChartsealError("input-invalid", "a period is 1 to 32 of a-z, 0-9, dot and hyphen");
  }
  return `${attribute}#${period}`;
}

/** Takes `name@namespace#period` of a signing key apart. @throws ChartsealError `input-invalid` */
export function parseSigningAttribute(text: string): {
  attribute: string;
  namespace: string;
  period: string;
} {
  const at = text.indexOf("#");
  const attribute = at < 0 ? text : text.slice(0, at);
  const period = at < 0 ? "" : text.slice(at + 1);
  signingAttribute(attribute, period);
  if (period === unopenedPeriod) throw new ChartsealError("input-invalid", "a signing key has a period");
  return { attribute, namespace: namespaceOf(attribute), period };
}
