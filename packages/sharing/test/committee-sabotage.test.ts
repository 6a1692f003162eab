/**
 * One node of the committee does what it likes: it changes what it sends, keeps back what it owes, sends what is others',
 * or sends things twice. Whatever it does, the honest nodes come to keys and to good shares, with the culprit's name on
 * the ledger where it is left out; and no secret of an honest node is in any byte that the ledger shows.
 */
import {
  type CborValue,
  concat,
  decode,
  encode,
  encodeScalar,
  mod,
  randomBytes,
  toBigInt,
} from "@chartseal/crypto";
import {
  type Action,
  type ActionOf,
  decodeTransaction,
  entries,
  keygenKey,
  type Session,
  type Submitted,
} from "@chartseal/ledger";
import { describe, expect, test } from "vitest";
import { AccountWriter, readEntry } from "../src/index.ts";
import { intercepted, MemorySpy, publicBytes, settleLate, TestNode } from "./committee.ts";
import { World } from "./world.ts";

type Keygen = Extract<Action, { readonly session: Session }>;
/** What the culprit sends in the place of what its program would: nothing, or any number of actions. */
type Sabotage = (action: Keygen, world: World) => readonly Action[] | Promise<readonly Action[]>;

interface Played {
  readonly world: World;
  readonly nodes: readonly TestNode[];
  /** How many of the culprit's messages the ledger refused. */
  readonly refused: number;
}

/** A key generation of three nodes, t = 2, in which node 1 is sabotaged. */
async function play(sabotage: Sabotage): Promise<Played> {
  const world = await World.create({ n: 3, t: 2, driven: true });
  const nodes = world.nodeParts.map(
    ({ identity }) => new TestNode(world.surroundings, identity, new MemorySpy()),
  );
  const culprit = nodes[0]!;
  const writer = new AccountWriter(world, culprit.identity);
  let refused = 0;
  const ledger = intercepted(world.ledger, async (bytes, submit) => {
    const { action } = decodeTransaction(bytes).body;
    if (!("session" in action)) return await submit(bytes);
    let taken: Submitted | undefined;
    for (const one of await sabotage(action, world)) {
      const sent = one === action ? submit(bytes) : writer.submit(one);
      taken = (await sent.catch(() => void refused++)) ?? taken;
    }
    if (taken === undefined) throw new Error("nothing of it was taken");
    return taken;
  });
  culprit.restart({ ...world.surroundings, ledger });
  const step = culprit.driver.step.bind(culprit.driver);
  // Its program stumbles over what its owner did, and is started again.
  culprit.driver.step = () => step().catch(() => false);
  await settleLate(world, nodes);
  return { world, nodes, refused };
}

/** Keys are made, the honest have good shares, and the ledger names whom it should; then nothing has leaked. */
async function expectMade({ world, nodes }: Played, faults: readonly string[]): Promise<void> {
  const named: string[] = [];
  for (const { driver } of nodes.slice(1)) {
    const status = await driver.status();
    expect(status).toMatchObject({ hasKeys: true, hasShares: true, run: null });
    named.push(
      ...status.faults.map((one) =>
        one.account.join() === nodes[0]!.identity.account.join() ? one.fault : "another",
      ),
    );
  }
  expect([...new Set(named)]).toEqual(faults);
  expectNoLeak(nodes.slice(1), await publicBytes(world.ledger));
  await world.close();
}

/** f(j) of an honest dealer for each honest receiver, its coefficients, shares and receiving keys: none is public. */
function expectNoLeak(honest: readonly TestNode[], shown: readonly Uint8Array[]): void {
  const all = Buffer.from(concat(...shown));
  const secrets: Uint8Array[] = [];
  for (const { store } of honest) {
    for (const [name, value] of (store as MemorySpy).saved) {
      const found = scalarsIn(decode(value, { sizeMax: 1 << 16 }), name.startsWith("receiving"));
      secrets.push(...found);
      if (!name.startsWith("dealing")) continue;
      const [a = 0n, b = 0n] = found.map(toBigInt);
      secrets.push(...[2n, 3n].map((receiver) => encodeScalar(mod(a + b * receiver))));
    }
  }
  expect(secrets.length).toBeGreaterThan(30);
  for (const secret of secrets) expect(all.includes(Buffer.from(secret))).toBe(false);
}

/** Every byte string of 32 bytes in a value; of a receiving key [epoch, secret, public] the secret alone. */
function scalarsIn(value: CborValue, receiving: boolean): Uint8Array[] {
  if (value instanceof Uint8Array) return value.length === 32 ? [value] : [];
  if (!Array.isArray(value)) return [];
  if (receiving && value.length === 3) return scalarsIn(value[1] as CborValue, false);
  return (value as readonly CborValue[]).flatMap((one) => scalarsIn(one, receiving));
}

const only =
  (kind: Action["kind"], sabotage: Sabotage): Sabotage =>
  (action, world) =>
    action.kind === kind ? sabotage(action, world) : [action];
const messageOf = (action: Keygen): Uint8Array => ("message" in action ? action.message : new Uint8Array(0));
const fieldsOf = (action: Keygen): CborValue[] =>
  decode(messageOf(action), { sizeMax: 1 << 16 }) as CborValue[];
const withFields = (action: Keygen, fields: readonly CborValue[]): Action =>
  ({ ...action, message: encode([...fields]) }) as Action;

/** An envelope that holds nothing, for node 3. */
const badDeal: Sabotage = (action) => {
  const [version, dealer, envelopes] = fieldsOf(action);
  const boxes = (envelopes as Uint8Array[]).map((box, at) => (at === 2 ? randomBytes(80) : box));
  return [withFields(action, [version!, dealer!, boxes])];
};
const both =
  (...parts: readonly Sabotage[]): Sabotage =>
  async (action, world) => {
    for (const part of parts) {
      const sent = await part(action, world);
      if (sent.length !== 1 || sent[0] !== action) return sent;
    }
    return [action];
  };
const withheld = (kind: Action["kind"]) => only(kind, () => []);

describe("a dealer", () => {
  test("of a wrong share that then shows the right one stays in: the complaint costs that one share", async () => {
    const played = await play(only("keygen-deal", badDeal));
    const key = keygenKey("audit", 1, { round: "answer", dealer: 1, receiver: 3 });
    const answer = (await readEntry(played.world.ledger, entries.keygenMessage, key))!;
    const [, , , share] = decode(answer, { sizeMax: 256 }) as [number, number, number, Uint8Array];
    // What a leak would look like: the published share is found where the others' secrets are not.
    const shown = Buffer.from(concat(...(await publicBytes(played.world.ledger))));
    expect(shown.includes(Buffer.from(share))).toBe(true);
    expect(await played.nodes[0]!.driver.status()).toMatchObject({ hasShares: true });
    await expectMade(played, []);
  });

  test("of a wrong share that does not answer is left out and named", async () => {
    const played = await play(both(only("keygen-deal", badDeal), withheld("keygen-answer")));
    await expectMade(played, ["complaint-upheld"]);
  });

  test("of a wrong share that answers with a wrong one is left out and named", async () => {
    const wrong: Sabotage = (action) => {
      const [version, dealer, receiver] = fieldsOf(action);
      return [withFields(action, [version!, dealer!, receiver!, encodeScalar(5n)])];
    };
    const played = await play(both(only("keygen-deal", badDeal), only("keygen-answer", wrong)));
    expect(played.refused).toBeGreaterThan(0);
    await expectMade(played, ["complaint-upheld"]);
  });

  test.each([
    ["keygen-commit", "no-commit"],
    ["keygen-reveal", "no-reveal"],
    ["keygen-deal", "no-deal"],
  ] as const)(
    "that keeps back its %s, having seen the others', is left out and named",
    async (kind, fault) => {
      await expectMade(await play(withheld(kind)), [fault]);
    },
  );

  test.each([
    ["one commitment more than t", (points: Uint8Array[]) => [...points, points[0]!]],
    ["one commitment less than t", (points: Uint8Array[]) => points.slice(0, -1)],
    ["another constant than it committed to", (points: Uint8Array[]) => [...points].reverse()],
  ])("of %s is refused, left out and named", async (_how, change) => {
    const wrong: Sabotage = (action) => {
      const [version, dealer, points, proof] = fieldsOf(action);
      return [withFields(action, [version!, dealer!, change(points as Uint8Array[]), proof!])];
    };
    const played = await play(only("keygen-reveal", wrong));
    expect(played.refused).toBeGreaterThan(0);
    await expectMade(played, ["no-reveal"]);
  });

  /** It waits for node 2's commitments and gives them as its own, proof and all: its constant would be known to nobody. */
  test("that copies another's commitments with their proof is refused, left out and named", async () => {
    const copied: Sabotage = async (action, world) => {
      const { session, attempt } = action;
      const key = keygenKey(session, attempt, { round: "reveal", dealer: 2 });
      const bytes = await readEntry(world.ledger, entries.keygenMessage, key);
      if (bytes === undefined) return [];
      const [version, , ...rest] = decode(bytes, { sizeMax: 1 << 16 }) as CborValue[];
      return [withFields(action, [version!, 1, ...rest])];
    };
    const played = await play(only("keygen-reveal", copied));
    expect(played.refused).toBeGreaterThan(0);
    await expectMade(played, ["no-reveal"]);
  });
});

describe("a node that equivocates finds that the ledger orders: the first message counts and the second is refused", () => {
  test("two commits", async () => {
    const twice: Sabotage = (action) => [action, withFields(action, [1, 1, randomBytes(32)])];
    const played = await play(only("keygen-commit", twice));
    expect(played.refused).toBe(3);
    await expectMade(played, []);
  });

  test("two deals, the wrong one second", async () => {
    const played = await play(
      only("keygen-deal", async (action, world) => [action, ...(await badDeal(action, world))]),
    );
    expect(played.refused).toBe(3);
    await expectMade(played, []);
  });

  test("every message twice", async () => {
    const again: Sabotage = (action) => [action, { ...action } as Action];
    const played = await play(again);
    expect(played.refused).toBeGreaterThan(9);
    await expectMade(played, []);
  });
});

describe("a node", () => {
  test("that complains of every honest dealer gets what it had anyway, and accuses nobody", async () => {
    const complaining: Sabotage = (action) => {
      const { session, attempt } = action;
      const complaints = [2, 3].map((dealer): ActionOf<"keygen-complaint"> => {
        return { kind: "keygen-complaint", session, attempt, message: encode([1, 1, dealer]) };
      });
      return [...complaints, action];
    };
    await expectMade(await play(only("keygen-conclude", complaining)), []);
  });

  test("that speaks in others' names is refused each time", async () => {
    const asAnother: Sabotage = (action) => {
      const [version, , ...rest] = fieldsOf(action);
      return [2, 3].map((dealer) => withFields(action, [version!, dealer, ...rest])).concat(action);
    };
    const played = await play(only("keygen-commit", asAnother));
    expect(played.refused).toBe(6);
    await expectMade(played, []);
  });

  test("that says everything too early is refused and comes again in time", async () => {
    const early: Sabotage = (action) => {
      const { session, attempt } = action;
      const other = (kind: string): Action => ({ ...action, kind }) as Action;
      const conclude: Action = { kind: "keygen-conclude", session, attempt };
      return [other("keygen-reveal"), other("keygen-deal"), other("keygen-answer"), conclude, action];
    };
    const played = await play(only("keygen-commit", early));
    expect(played.refused).toBe(12);
    await expectMade(played, []);
  });

  test("that sends each message under another session or attempt first is refused each time", async () => {
    const elsewhere: Sabotage = (action) => {
      if (action.kind === "keygen-commit") return [action];
      const session = action.session === "audit" ? "signing" : "audit";
      return [{ ...action, session } as Action, { ...action, attempt: 2 } as Action, action];
    };
    const played = await play(elsewhere);
    expect(played.refused).toBeGreaterThan(12);
    await expectMade(played, []);
  });
});
