/**
 * From the written policy to the sealed and the signing one (CONTRACT, Who may). Written: what the user gives, in
 * outputs, on the ledger and in signatures. Sealed: `or` of the written tree, OWNER@self and emergency.OWNER@self, in
 * every matrix and ciphertext. Signing: the written one without its ACCOUNT@self children, since `self` has no
 * signing keys.
 */
import { ChartsealError } from "../errors.ts";
import { emergencyAttribute, isSelf, namespaceOf, personOf, selfAttribute } from "./attribute.ts";
import { sealedLimits } from "./limits.ts";
import { type Policy, policyOf } from "./policy.ts";
import { leavesOf, type PolicyNode, sameTree } from "./tree.ts";

/** The parts of which any one opens the written policy: the children of its top `or`, or the whole. */
function branches(written: Policy): readonly PolicyNode[] {
  return written.tree.kind === "or" ? written.tree.children : [written.tree];
}

function leaf(attribute: string): PolicyNode {
  return { kind: "leaf", attribute };
}

/** A branch that is a leaf of `self`. */
function selfBranch(node: PolicyNode): node is PolicyNode & { kind: "leaf" } {
  return node.kind === "leaf" && isSelf(node.attribute);
}

function refuse(attribute: string, message: string): never {
  throw new ChartsealError("input-invalid", message, { data: { attribute } });
}

/**
 * A written policy may hold ACCOUNT@self as the whole policy or as a child of its top `or`, and no other `self` leaf.
 * @throws ChartsealError `input-invalid` with `attribute`
 */
export function checkWritten(written: Policy): void {
  for (const branch of branches(written)) {
    if (selfBranch(branch)) {
      if (personOf(branch.attribute) === undefined) {
        refuse(branch.attribute, "of the namespace self only ACCOUNT@self may be written");
      }
      continue;
    }
    const inner = leavesOf(branch).find(isSelf);
    if (inner !== undefined)
      refuse(inner, "a person is named as the whole policy or beside its top `or` only");
  }
}

/**
 * The policy that the matrix and every ciphertext use: the written tree (its children, if it is an `or`), OWNER@self,
 * emergency.OWNER@self, in that order. Two leaves larger than the written one. `ownerAccountHex` is 40 hex digits.
 * @throws ChartsealError `input-invalid`
 */
export function sealedPolicy(written: Policy, ownerAccountHex: string): Policy {
  checkWritten(written);
  const own = leaf(selfAttribute(ownerAccountHex));
  const emergency = leaf(emergencyAttribute(ownerAccountHex));
  return policyOf({ kind: "or", children: [...branches(written), own, emergency] }, sealedLimits);
}

/**
 * The policy of an attribute-based signature: the written one without ACCOUNT@self; undefined where nothing stays.
 * @throws ChartsealError `input-invalid`
 */
export function signingPolicy(written: Policy): Policy | undefined {
  checkWritten(written);
  const stay = branches(written).filter((branch) => !selfBranch(branch));
  if (stay.length === 0) return undefined;
  return policyOf({ kind: "or", children: stay });
}

/** The accounts, 40 hex digits each, whose own ACCOUNT@self alone satisfies the policy; text order. */
export function personsOf(written: Policy): string[] {
  return branches(written).flatMap((branch) => {
    const person = branch.kind === "leaf" ? personOf(branch.attribute) : undefined;
    return person === undefined ? [] : [person];
  });
}

/**
 * An author policy holds no `self` leaf, and every leaf of it is of one namespace.
 * @throws ChartsealError `input-invalid` with `attribute`
 */
export function checkAuthorPolicy(policy: Policy, namespace: string): void {
  for (const attribute of policy.attributes) {
    if (isSelf(attribute)) refuse(attribute, "an author policy names no person");
    if (namespaceOf(attribute) !== namespace) refuse(attribute, `an author policy holds only …@${namespace}`);
  }
}

/**
 * May a record under the rule have this policy? Its tree is the rule's, or an `and` whose first children are the rule's
 * (the rule's own children in order, where the rule is an `and`) with at least one more, none of them a `self` leaf.
 * Compared as canonical trees, never as text.
 */
export function extendsRule(record: Policy, rule: Policy): boolean {
  if (sameTree(record.tree, rule.tree)) return true;
  if (record.tree.kind !== "and") return false;
  const base = rule.tree.kind === "and" ? rule.tree.children : [rule.tree];
  const { children } = record.tree;
  if (children.length <= base.length) return false;
  const added = children.slice(base.length);
  return (
    base.every((node, i) => sameTree(node, children[i] as PolicyNode)) &&
    !added.flatMap(leavesOf).some(isSelf)
  );
}
