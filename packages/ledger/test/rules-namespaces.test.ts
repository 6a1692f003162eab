/** Namespaces' public lists at the ledger: longer ones, and the malformed ones by which a namespace would forge. */
import {
  decodeNamespaceLists,
  encodeNamespaceLists,
  encodeNamespaceProof,
  namespaceKeys,
  namespaceLists,
  utf8,
} from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import { entries, load } from "../src/state-kinds.ts";
import { hospital, owner, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const identityOf = ({ chainId }: World, namespace = "cedars") => ({
  chainId,
  namespace,
  account: hospital.account,
});

function extension(world: World, columns: number): Action {
  const { pairing } = world;
  const made = namespaceLists(pairing, identityOf(world), world.namespaceSecret!, columns);
  const lists = encodeNamespaceLists(pairing, made.lists);
  return { kind: "extend-namespace", name: "cedars", lists, proof: encodeNamespaceProof(made.proof) };
}

test("a longer list of the same keys takes the place of the registered one, and signatures keep verifying", () => {
  const world = base.fork();
  const before = world.authorDeposit("before", world.keys);
  world.do(hospital, extension(world, 12));
  expect(load(world.state, entries.namespace, utf8("cedars"))?.columns).toBe(12);
  expect(world.verdict(before)).toBe("applied");
  expect(world.verdict(world.authorDeposit("after", world.keys))).toBe("applied");
});

test("a list that is no longer, of other keys, or another account's is refused", () => {
  const world = base.fork();
  expect(world.verdict(world.signed(hospital, extension(world, 8)))).toBe("namespace-keys-invalid");
  expect(world.verdict(world.signed(owner, extension(world, 12)))).toBe("role-missing");
  const other = namespaceKeys(world.pairing, identityOf(world), 12);
  const lists = encodeNamespaceLists(world.pairing, other.lists);
  const proof = encodeNamespaceProof(other.proof);
  const swapped: Action = { kind: "extend-namespace", name: "cedars", lists, proof };
  expect(world.verdict(world.signed(hospital, swapped))).toBe("namespace-keys-invalid");
});

test("a rogue namespace that takes its keys from a neighbour's, or bends one column, is not registered", () => {
  const world = base.fork();
  const { pairing } = world;
  const { g2 } = pairing;
  const made = namespaceKeys(pairing, identityOf(world, "rogue"), 3);
  const neighbour = decodeNamespaceLists(pairing, load(world.state, entries.namespaceLists, utf8("cedars"))!);
  const registering = (lists: typeof made.lists): string => {
    const { account, hpkeKey } = hospital;
    const proof = encodeNamespaceProof(made.proof);
    const bytes = encodeNamespaceLists(pairing, lists);
    return world.verdict(
      world.admitted(hospital, {
        kind: "register-namespace",
        name: "rogue",
        account,
        hpkeKey,
        lists: bytes,
        proof,
      }),
    );
  };
  const { A, B } = made.lists;
  expect(registering(made.lists)).toBe("applied");
  const bent = [A[0]!, g2.negate(g2.multiply(B[1]!, 7n)), A[2]!];
  expect(registering({ A: bent, B })).toBe("namespace-keys-invalid");
  const doubled = neighbour.A.slice(0, 3).map((point) => g2.multiply(point, 2n));
  expect(registering({ A: doubled, B: neighbour.B.slice(0, 3) })).toBe("namespace-keys-invalid");
  expect(registering({ A: [g2.zero, ...A.slice(1)], B })).not.toBe("applied");
});

test("a proof for one chain, namespace or account is none for another", () => {
  const world = base.fork();
  const { pairing } = world;
  const { account, hpkeKey } = hospital;
  const wrong = [
    { ...identityOf(world, "maple"), chainId: new Uint8Array(32) },
    { ...identityOf(world, "maple"), namespace: "birch" },
    { ...identityOf(world, "maple"), account: owner.account },
  ];
  for (const identity of wrong) {
    const made = namespaceKeys(pairing, identity, 2);
    const lists = encodeNamespaceLists(pairing, made.lists);
    const proof = encodeNamespaceProof(made.proof);
    const action: Action = { kind: "register-namespace", name: "maple", account, hpkeKey, lists, proof };
    expect(world.verdict(world.admitted(hospital, action))).toBe("namespace-keys-invalid");
  }
});

test("a policy with more columns than the namespace's list cannot be signed for until the list is longer", () => {
  const world = base.fork();
  const nurses = Array.from({ length: 8 }, () => "nurse@cedars");
  const wide = [...nurses, "cardiologist@cedars", "physician@cedars"].join(" and ");
  world.submit(world.ownerDeposit("wide", { policy: wide }));
  const recordId = world.oneTime("wide").id;
  expect(() => world.attributeRequest("q", { recordId, keys: world.keys, policy: wide })).toThrow(
    "too short",
  );
});
