/** Who can open is who satisfies the sealed policy, nobody less and nobody more: random policies over random holders. */
import {
  formatPolicy,
  type PolicyNode,
  parsePolicy,
  policyOf,
  satisfies,
  sealedPolicy,
  selfAttribute,
  toHex,
} from "@chartseal/crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askTransform, type Granted, open, request, retrieve } from "../src/index.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const names = ["a@cedars", "b@cedars", "c@mercy", "d@mercy"];
let world: World;
let owner: Member;
let all: Member;
const holders: { readonly member: Member; readonly attributes: readonly string[] }[] = [];

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  await world.hospital("mercy");
  owner = await world.member();
  all = await world.member(...names);
  for (const attributes of [
    ["a@cedars"],
    ["b@cedars", "c@mercy"],
    ["a@cedars", "d@mercy"],
    ["b@cedars", "d@mercy"],
  ]) {
    holders.push({ member: await world.member(...attributes), attributes });
  }
});
afterAll(() => world.close());

const leaf = fc.constantFrom(...names).map((attribute): PolicyNode => ({ kind: "leaf", attribute }));
const { node } = fc.letrec<{ node: PolicyNode }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", maxDepth: 2 },
    leaf,
    fc
      .tuple(
        fc.constantFrom("and" as const, "or" as const),
        fc.array(tie("node"), { minLength: 2, maxLength: 3 }),
      )
      .map(([kind, children]): PolicyNode => ({ kind, children })),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.array(tie("node"), { minLength: 3, maxLength: 3 }))
      .map(([k, children]): PolicyNode => ({ kind: "threshold", k, children })),
  ),
}));
/** Sometimes with a person beside the rest. */
const written = fc
  .tuple(node, fc.boolean())
  .map(([tree, person]) => ({ text: formatPolicy(policyOf(tree).tree), person }));
const numRuns = Number(process.env.CHARTSEAL_FUZZ ?? 6);

test("a record opens for exactly those whose attributes satisfy its sealed policy, with a lent grant too", async () => {
  await fc.assert(
    fc.asyncProperty(written, async ({ text, person }) => {
      world.advance(60_000);
      const named = holders[0]!.member;
      const policy = parsePolicy(person ? `${text} or ${toHex(named.account)}@self` : text);
      const sealed = sealedPolicy(policy, toHex(owner.account));
      const { recordId } = await world.byOwner(owner, { policy: policy.text });
      const opensOf = (member: Member, attributes: readonly string[]): boolean =>
        satisfies(sealed.tree, new Set([...attributes, selfAttribute(toHex(member.account))]));

      for (const { member, attributes } of [
        ...holders,
        { member: owner, attributes: [] },
        { member: all, attributes: names },
      ]) {
        if (opensOf(member, attributes)) {
          expect(await readOut(await retrieve(world, { member, recordId }))).toBe("a record");
          continue;
        }
        await failure("policy-unsatisfied", () => request(world, { member, recordId }));
        // Somebody who may read lends the grant: the provider, and the mathematics behind it, want the reader's own key.
        const lent: Granted = await request(world, { member: all, recordId });
        await failure("policy-unsatisfied", () => askTransform(world, { member, granted: lent }));
        const theirs = await request(world, { member: all, recordId });
        const transformed = await askTransform(world, { member: all, granted: theirs });
        await failure("transform-invalid", () => open(world, { member, granted: theirs, transformed }));
      }
    }),
    { numRuns },
  );
});
