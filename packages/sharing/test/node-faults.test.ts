/** A node that signs a wrong answer: others issue instead, and the ledger names it with the evidence. */
import {
  answerInfo,
  answerParts,
  baseDigest,
  decode,
  encode,
  hpkeOpen,
  hpkeSeal,
  issueDigest,
  signTagged,
  toHex,
} from "@chartseal/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AuthorityNode,
  collectBaseKey,
  type Identity,
  issueFullKey,
  readNamedNodes,
  readNodes,
} from "../src/index.ts";
import { issueRequestOf } from "../src/issue.ts";
import { failure, type Member, World } from "./world.ts";

let world: World;
let ben: Member;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ben = await world.member("physician@cedars");
});
afterAll(() => world.close());

/** What the ledger names, by index of the node. */
async function named(): Promise<string[]> {
  const { nodes } = await readNodes(world.ledger);
  const found = await readNamedNodes(world.ledger);
  return found.map(({ account, fault }) => {
    const at = nodes.findIndex((one) => toHex(one) === toHex(account));
    return `${at + 1} ${fault}`;
  });
}

/** A node that changes what it answers and then signs and seals it as it should. */
function lying(
  at: number,
  receiver: () => Identity,
  change: (answer: Uint8Array) => Uint8Array,
): AuthorityNode {
  const { identity } = world.nodeParts[at]!;
  const node = at + 1;
  const honest = world.nodes[at]!;
  const resign = async (digest: Uint8Array, sealed: Uint8Array, to: Identity) => {
    const info = answerInfo(digest, node);
    const opened = await hpkeOpen({ privateKey: to.hpkeSecret, info, sealed });
    const [answer] = decode(opened!, { sizeMax: 1 << 20 }) as [Uint8Array];
    const wrong = change(answer);
    const signature = signTagged(identity.seed, "authority/answer", ...answerParts(digest, node, wrong));
    const plaintext = encode([wrong, signature]);
    return { node, sealed: await hpkeSeal({ receiver: to.hpkePublic, info, plaintext }) };
  };
  return {
    index: node,
    answer: async (requestId) => {
      const digest = issueDigest(world.pairing, await issueRequestOf(world, requestId));
      return await resign(digest, (await honest.answer(requestId)).sealed, receiver());
    },
    basePartial: async (account) => {
      const { epoch } = await readNodes(world.ledger);
      const digest = baseDigest(world.ledger.chainId, epoch, account);
      return await resign(digest, (await honest.basePartial(account)).sealed, receiver());
    },
  };
}

const spoilt = (answer: Uint8Array): Uint8Array => {
  const copy = answer.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
};

describe("a node that signs what does not verify", () => {
  test("is named by the provider, and the key comes of the others", async () => {
    const { nodes } = world;
    const key = ben.transformKeyId!;
    world.nodes = [lying(0, () => world.providerIdentity, spoilt), nodes[1]!, nodes[2]!];
    await world.renew(ben);
    world.nodes = nodes;
    expect(toHex(ben.transformKeyId!)).not.toBe(toHex(key));
    expect(await named()).toEqual(["1 answer-invalid"]);
  });

  test("is named by the member for a wrong part of a base key", async () => {
    const base = ben.baseKey!;
    ben.baseKey = null;
    const nodes = [
      lying(
        1,
        () => ben,
        () => encode([1, 1, 2]),
      ),
      world.nodes[2]!,
      world.nodes[0]!,
    ];
    await collectBaseKey(world, { member: ben, nodes });
    expect(world.pairing.g1.equal(ben.baseKey!, base)).toBe(true);
    expect(await named()).toEqual(["1 answer-invalid", "2 answer-invalid"]);
  });

  test("is named by the member for a wrong answer to a full key, and the full key comes of the others", async () => {
    const nodes = [lying(2, () => ben, spoilt), world.nodes[0]!, world.nodes[1]!];
    const issued = await issueFullKey(world, {
      member: ben,
      nodes,
      attributes: [],
      vouch: async () => {},
      saved: async () => {},
    });
    expect(issued.keyId).toHaveLength(32);
    expect(await named()).toEqual(["1 answer-invalid", "2 answer-invalid", "3 answer-invalid"]);
  });
});

test("a node whose answer somebody else spoilt on its way is asked no more, and is not named", async () => {
  const before = await named();
  const [first, second, third] = world.nodes;
  const cut: AuthorityNode = {
    index: 1,
    answer: async (requestId) => ({ node: 1, sealed: spoilt((await first!.answer(requestId)).sealed) }),
    basePartial: (account) => first!.basePartial(account),
  };
  world.nodes = [cut, second!, third!];
  await world.renew(ben);
  world.nodes = [cut, second!];
  await failure("issue-invalid", () => world.renew(ben));
  world.nodes = [first!, second!, third!];
  expect(await named()).toEqual(before);
});
