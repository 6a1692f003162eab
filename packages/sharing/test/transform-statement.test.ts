/** A T is used only with its provider's word for this very request: what nobody answers for is refused unread. */
import { equalBytes, randomBytes, select, sha256 } from "@chartseal/crypto";
import { type AnsweredTransform, signStatement, verifyStatement } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  askTransform,
  checkHeader,
  type Granted,
  type Provider,
  readCommittee,
  request,
  retrieve,
  type Transformed,
} from "../src/index.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const policy = "physician@cedars or cardiologist@cedars and nurse@cedars";
let world: World;
let ana: Member;
let ben: Member;
let granted: Granted;
let honest: Transformed;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member("cardiologist@cedars", "nurse@cedars");
  // So that both sides of the policy can be proved, and rows are left out.
  await world.member("physician@cedars");
  granted = await grant();
  honest = await askTransform(world, { member: ben, granted });
});
afterAll(() => world.close());

async function grant(): Promise<Granted> {
  const { recordId } = await world.byOwner(ana, { policy, text: "signed for" });
  return await request(world, { member: ben, recordId });
}

function about(changes: Partial<AnsweredTransform> = {}): AnsweredTransform {
  return {
    chainId: world.ledger.chainId,
    provider: world.provider.account,
    requestId: granted.requestId,
    recordId: granted.recordId,
    recordDigest: granted.record.digest,
    transformKeyId: ben.transformKeyId!,
    answerHash: sha256(honest.transform),
    ...changes,
  };
}

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte));

/** The provider as it is, except for what it answers. */
function lying(change: (honest: Transformed) => Transformed): { readonly provider: Provider } {
  const { provider } = world;
  return {
    provider: new Proxy(provider, {
      get: (target, name) => {
        if (name === "transform") return async (reveal: never) => change(await target.transform(reveal));
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
}

const asked = (change: (honest: Transformed) => Transformed) =>
  askTransform({ ...surroundings(), ...lying(change) }, { member: ben, granted });
const surroundings = () => ({ pairing: world.pairing, ledger: world.ledger, now: () => world.now() });

describe("the honest provider's statement", () => {
  test("verifies over everything that the reader knows, and names the rows that T was made with", async () => {
    expect(verifyStatement(world.providerIdentity.publicKey, about(), honest.statement)).toBe(true);
    const { reading } = await readCommittee(world.ledger, world.pairing);
    const { record, recordId } = granted;
    const registered = { ...record, recordId, statement: record.current };
    const checked = checkHeader(world.pairing, { bytes: honest.header, registered, mpk: reading.publicKey });
    const held = new Set(["cardiologist@cedars", "nurse@cedars"]);
    expect(honest.statement.rows).toEqual(select(checked.policy, held)!.rows);
    expect(honest.statement.rows.map((row) => checked.policy.attributes[row])).toEqual([...held]);
  });

  test("is the same when the same reveal is answered again", async () => {
    const again = await askTransform(world, { member: ben, granted });
    expect(equalBytes(again.statement.signature, honest.statement.signature)).toBe(true);
  });

  test("is over every part: none may be another's", () => {
    const parts = Object.keys(about()) as (keyof AnsweredTransform)[];
    for (const part of parts) {
      const other = about({ [part]: randomBytes(about()[part].length) });
      expect(verifyStatement(world.providerIdentity.publicKey, other, honest.statement), part).toBe(false);
    }
    const { rows, signature } = honest.statement;
    for (const changed of [[], rows.slice(1), [...rows, 99], [...rows].reverse(), [...rows, rows.at(-1)!]]) {
      const lie = { rows: changed, signature };
      expect(verifyStatement(world.providerIdentity.publicKey, about(), lie), String(changed)).toBe(false);
    }
    expect(verifyStatement(ben.publicKey, about(), honest.statement)).toBe(false);
  });

  test("rows that are none are refused even where they are signed", () => {
    for (const rows of [[], [1, 1], [2, 1], [-1], [0.5], [2 ** 32]]) {
      const sound = rows.every((row) => Number.isInteger(row) && row >= 0 && row < 2 ** 32);
      const signature = sound
        ? signStatement(world.providerIdentity, about(), rows).signature
        : new Uint8Array(64);
      expect(
        verifyStatement(world.providerIdentity.publicKey, about(), { rows, signature }),
        String(rows),
      ).toBe(false);
    }
  });
});

describe("a provider that will not answer for its T is not believed", () => {
  test("no signature, a flipped one, another's, or the right one under another T", async () => {
    const stranger = world.nodeParts[0]!.identity;
    const lies: Record<string, (honest: Transformed) => Transformed> = {
      none: (one) => ({ ...one, statement: { ...one.statement, signature: new Uint8Array(64) } }),
      short: (one) => ({ ...one, statement: { ...one.statement, signature: new Uint8Array(0) } }),
      flipped: (one) => ({
        ...one,
        statement: { ...one.statement, signature: flipped(one.statement.signature) },
      }),
      "a node's": (one) => ({ ...one, statement: signStatement(stranger, about(), one.statement.rows) }),
      "another T": (one) => ({ ...one, transform: flipped(one.transform) }),
    };
    for (const [what, lie] of Object.entries(lies)) {
      expect(await failure("signature-invalid", () => asked(lie)), what).toBeDefined();
    }
  });

  /** A statement that the provider made for one read is shown for another, so that a bad T convicts nobody. */
  test("another request's statement, of the same record and of another, is refused", async () => {
    const again = await request(world, { member: ben, recordId: granted.recordId });
    const same = await askTransform(world, { member: ben, granted: again });
    await failure("signature-invalid", () => asked((one) => ({ ...one, statement: same.statement })));
    const other = await askTransform(world, { member: ben, granted: await grant() });
    await failure("signature-invalid", () => asked((one) => ({ ...one, statement: other.statement })));
    await failure("signature-invalid", () => asked(() => other));
  });

  test("a bad T that it signed fails later, with its word in the reader's hands", async () => {
    const transform = world.pairing.gt.encode(world.pairing.gt.one);
    const answerHash = sha256(transform);
    const lie = (one: Transformed): Transformed => ({
      ...one,
      transform,
      statement: signStatement(world.providerIdentity, about({ answerHash }), one.statement.rows),
    });
    const answered = await asked(lie);
    expect(verifyStatement(world.providerIdentity.publicKey, about({ answerHash }), answered.statement)).toBe(
      true,
    );
  });
});

test("the whole journey reads with it", async () => {
  const { recordId } = await world.byOwner(ana, { policy, text: "read under a signature" });
  expect(await readOut(await retrieve(world, { member: ben, recordId }))).toBe("read under a signature");
});
