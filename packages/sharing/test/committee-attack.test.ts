/**
 * Two of five nodes turn against the patients, where three issue. They have everything of theirs: identities, shares,
 * receiving keys, what they kept of the key generation, and all that the ledger shows; and the provider is with them, with
 * every object and every transform key in its custody. They try what there is to try, on a real record, and open nothing.
 * With a third node's shares the same attempt opens it: the record was not out of reach for another reason.
 */
import {
  decapsulate,
  decode,
  decodeDeal,
  decodeNodeShare,
  decodeShare,
  type Generation,
  generation,
  hpkeOpen,
  invert,
  keygenDirect,
  mod,
  recoverFromTransform,
  recoverMessage,
  type Scalar,
  shareInfo,
} from "@chartseal/crypto";
import { entries, keygenKey } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkHeader, keySpaces, readCommittee, readEntry, requireRecord, retrieve } from "../src/index.ts";
import { asAuthority, MemorySpy, settleAll, TestNode } from "./committee.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "physician@cedars";
let world: World;
let nodes: TestNode[];
let ben: Member;
let target: Awaited<ReturnType<typeof lookAt>>;
let recordId: Uint8Array;

/** The record's header as a provider holds it, checked. */
async function lookAt(id: Uint8Array) {
  const record = await requireRecord(world.ledger, id);
  const { reading } = await readCommittee(world.ledger, world.pairing);
  const bytes = world.stores.objects.objects.get(`${record.address}.header`)!;
  const registered = { ...record, recordId: id, statement: record.current };
  return checkHeader(world.pairing, { bytes, registered, mpk: reading.publicKey });
}

beforeAll(async () => {
  world = await World.create({ n: 5, t: 3, driven: true });
  nodes = world.nodeParts.map(({ identity }) => new TestNode(world.surroundings, identity, new MemorySpy()));
  await settleAll(nodes);
  await world.provider.follow();
  world.nodes = asAuthority(nodes);
  await world.hospital("cedars");
  ben = await world.member(policy);
  ({ recordId } = await world.byOwner(ben, { policy }));
  target = await lookAt(recordId);
}, 120_000);
afterAll(() => world.close());

/** Whether a candidate for α opens the record: as a whole key over what the policy asks. */
function opensWithAlpha(alpha: Scalar): boolean {
  const { pairing } = world;
  const key = keygenDirect(pairing, { alpha, attributes: [policy] });
  return opens(() =>
    recoverMessage(pairing, { shared: decapsulate(pairing, { key, ...target }), ...target }),
  );
}

function opens(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "transform-invalid" });
    return false;
  }
}

/** Σ λ_i x_i at 0 over these points. */
function interpolate(points: readonly (readonly [index: number, value: Scalar])[]): Scalar {
  return points.reduce((sum, [i, value]) => {
    const weight = points.reduce((product, [j]) => {
      if (j === i) return product;
      return mod(product * BigInt(j) * invert(mod(BigInt(j - i))));
    }, 1n);
    return mod(sum + value * weight);
  }, 0n);
}

/** A node's share of α as its store has it. */
function shareOf(at: number): readonly [number, Scalar] {
  const { index, secret } = decodeNodeShare(nodes[at]!.store.values.get("share-reading-1")!);
  return [index, secret];
}

/** What is in a node's store now, or ever was: every number of 32 bytes. */
function numbersOf(at: number): Scalar[] {
  const found: Scalar[] = [];
  const look = (value: unknown): void => {
    if (value instanceof Uint8Array && value.length === 32)
      found.push(BigInt(`0x${Buffer.from(value).toString("hex")}`));
    if (Array.isArray(value)) value.forEach(look);
  };
  for (const [, value] of (nodes[at]!.store as MemorySpy).saved) look(decode(value, { sizeMax: 1 << 16 }));
  return found.map((value) => mod(value)).filter((value) => value !== 0n);
}

const pairs = [0, 1, 2, 3, 4].flatMap((a) =>
  [0, 1, 2, 3, 4].filter((b) => b > a).map((b) => [a, b] as const),
);

describe.each(pairs)("nodes %i and %i (from 0), with the provider", (a, b) => {
  test("come to no α by their shares, however they weigh them", () => {
    const [one, two] = [shareOf(a), shareOf(b)];
    const [x, y] = [one[1], two[1]];
    const candidates = [
      interpolate([one, two]),
      ...[1, 2, 3, 4, 5]
        .filter((i) => i !== one[0] && i !== two[0])
        .flatMap((third) => [
          // A third share guessed as nothing, as one of theirs, or as on their line.
          interpolate([one, two, [third, 0n]]),
          interpolate([one, two, [third, x]]),
          interpolate([one, two, [third, y]]),
        ]),
      x,
      y,
      mod(x + y),
      mod(x - y),
      mod(x * y),
      mod(x * invert(y)),
    ];
    expect(candidates.filter(opensWithAlpha)).toEqual([]);
  });

  test("come to no α by any number that their stores ever held", () => {
    const numbers = [...new Set([...numbersOf(a), ...numbersOf(b)])];
    // Three coefficients of three dealings each, three shares, a receiving key's two halves.
    expect(numbers.length).toBeGreaterThanOrEqual(2 * 14);
    expect(numbers.filter(opensWithAlpha)).toEqual([]);
  });

  test("finish no transform under the key in custody with any of these for z", async () => {
    const { pairing } = world;
    const { key } = (await world.stores.keys.get(ben.account, ben.transformKeyId!))!;
    const transform = pairing.gt.encode(decapsulate(pairing, { key, ...target }));
    const [one, two] = [shareOf(a), shareOf(b)];
    const base = [
      one[1],
      two[1],
      interpolate([one, two]),
      ...numbersOf(a).slice(0, 12),
      ...numbersOf(b).slice(0, 12),
    ];
    const candidates = [1n, ...base, ...base.map((value) => invert(value))];
    const found = candidates.filter((recoveryKey) =>
      opens(() => recoverFromTransform(pairing, { transform, recoveryKey, ...target })),
    );
    expect(found).toEqual([]);
    recoverFromTransform(pairing, { transform, recoveryKey: ben.recoveryKey!, ...target });
  });

  test("open of the envelopes on the ledger their own and no other node's", async () => {
    const { pairing, ledger } = world;
    const run: Generation<unknown> = generation<unknown>(keySpaces(pairing).reading as never, {
      chainId: ledger.chainId,
      nodes: 5,
      threshold: 3,
    });
    const opened: number[] = [];
    for (let dealer = 1; dealer <= 5; dealer++) {
      const place = keygenKey("reading", 1, { round: "deal", dealer });
      const { envelopes } = decodeDeal(run, (await readEntry(ledger, entries.keygenMessage, place))!);
      for (const [at, sealed] of envelopes.entries()) {
        for (const thief of [a, b]) {
          for (const named of [at + 1, thief + 1]) {
            const info = shareInfo(run, dealer, named);
            const privateKey = nodes[thief]!.identity.hpkeSecret;
            const plaintext = await hpkeOpen({
              privateKey: receivingSecret(thief) ?? privateKey,
              info,
              sealed,
            });
            if (plaintext !== null && decodeShare(plaintext) !== undefined) opened.push(at);
          }
        }
      }
    }
    expect(new Set(opened)).toEqual(new Set([a, b]));
  });
});

/** The secret of the key that a node's shares were sealed to. */
function receivingSecret(at: number): Uint8Array | undefined {
  const keys = decode(nodes[at]!.store.values.get("receiving-keys")!, { sizeMax: 1 << 12 });
  const [[, secret]] = keys as unknown as [[number, Uint8Array]];
  return secret;
}

test("three nodes' shares do open it, each three of the five", () => {
  for (const [a, b] of pairs) {
    for (const c of [0, 1, 2, 3, 4].filter((one) => one > b)) {
      expect(opensWithAlpha(interpolate([shareOf(a), shareOf(b), shareOf(c)]))).toBe(true);
    }
  }
});

test("two nodes do not issue, and with two down the three others do", async () => {
  const all = world.nodes;
  world.nodes = all.slice(0, 2);
  await failure("ledger-unreachable", () => world.renew(ben));
  for (const [a, b] of pairs) {
    world.nodes = all.filter((_, at) => at !== a && at !== b);
    await world.renew(ben);
  }
  world.nodes = all;
  await retrieve(world, { member: ben, recordId });
});
