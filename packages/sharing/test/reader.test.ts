/** What a reader checks before any byte comes out, against a provider that lies and an author who sealed crookedly. */
import {
  decodeEncapsulation,
  decodeHeader,
  encodeContext,
  equalBytes,
  parsePolicy,
  randomBytes,
  recoverFromTransform,
  sealedPolicy,
  toHex,
} from "@chartseal/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  askTransform,
  open,
  rekey,
  request,
  requireRecord,
  retrieve,
  type Transformed,
} from "../src/index.ts";
import { headerName } from "../src/provider/stores.ts";
import { openSecrets } from "../src/record.ts";
import { crookedDeposit } from "./crooked-sealer.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const policy = "cardiologist@cedars and physician@cedars";
let world: World;
let ana: Member;
let ben: Member;
let mallory: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member("cardiologist@cedars", "physician@cedars");
  mallory = await world.member("cardiologist@cedars", "physician@cedars");
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

const sealed = (text?: string) =>
  world.byAuthor(ben, ana, { namespace: "cedars", policy, ...(text === undefined ? {} : { text }) });
const objects = () => world.stores.objects.objects;
const headerOf = (address: string): Uint8Array => objects().get(headerName(address))!;

function parts(bytes: Uint8Array, owner: Member) {
  const header = decodeHeader(bytes);
  const under = sealedPolicy(parsePolicy(policy), toHex(owner.account));
  const encapsulation = decodeEncapsulation(world.pairing, header.encapsulation, under);
  return { header, policy: under, context: encodeContext(header.context), encapsulation };
}

describe("a provider that lies to the reader is found out", () => {
  const text = "x".repeat(3000);
  let recordId: Uint8Array;
  let granted: Awaited<ReturnType<typeof request>>;
  let honest: Transformed;

  beforeAll(async () => {
    ({ recordId } = await sealed(text));
    granted = await request(world, { member: ben, recordId });
    honest = await askTransform(world, { member: ben, granted });
  });
  const read = async (lie: Partial<Transformed>) => {
    return await readOut(await open(world, { member: ben, granted, transformed: { ...honest, ...lie } }));
  };

  test("the honest answer opens", async () => {
    expect(await read({})).toBe(text);
  });

  test("with another record's T, an old T, a flipped, short, zero, unit or other member's T", async () => {
    const other = await sealed();
    const otherGrant = await request(world, { member: ben, recordId: other.recordId });
    const foreign = await askTransform(world, { member: ben, granted: otherGrant });
    const mallorys = await askTransform(world, {
      member: mallory,
      granted: await request(world, { member: mallory, recordId }),
    });
    const lies = [
      foreign.transform,
      mallorys.transform,
      new Uint8Array(576),
      new Uint8Array(0),
      honest.transform.subarray(1),
      world.pairing.gt.encode(world.pairing.gt.one),
      randomBytes(576),
      ...[0, 47, 300, 575].map((at) => honest.transform.map((byte, i) => (i === at ? byte ^ 1 : byte))),
    ];
    for (const transform of lies) await failure("transform-invalid", () => read({ transform }));
    // A T of before a rekey, with the header of after it.
    await rekey(world, { owner: ana, recordId: other.recordId });
    const next = await request(world, { member: ben, recordId: other.recordId });
    const fresh = await askTransform(world, { member: ben, granted: next });
    const stale = { ...fresh, transform: foreign.transform };
    await failure("transform-invalid", () => open(world, { member: ben, granted: next, transformed: stale }));
    await failure("header-altered", () => open(world, { member: ben, granted: next, transformed: foreign }));
  });

  test("with another record's header, or one flipped anywhere", async () => {
    const other = await sealed();
    await failure("header-altered", () => read({ header: headerOf(other.address) }));
    for (let at = 0; at < honest.header.length; at += 97) {
      const header = honest.header.map((byte, i) => (i === at ? byte ^ 1 : byte));
      await failure("header-altered", () => read({ header }));
    }
  });

  test("with other leaf hashes, or a payload altered, cut, longer, empty or of another record", async () => {
    const { address } = (await requireRecord(world.ledger, recordId)) ?? {};
    const payload = objects().get(address)!;
    const serve = (bytes: Uint8Array): Partial<Transformed> => ({
      payload: async function* (offset, length) {
        yield bytes.slice(offset, offset + length);
      },
    });
    const list = world.stores.leaves.objects.get(address)!;
    const lies: Partial<Transformed>[] = [
      { leaves: { list: new Uint8Array(0) } },
      { leaves: { list: list.map((byte) => byte ^ 1) } },
      { leaves: { list: new Uint8Array([...list, ...list]) } },
      serve(payload.map((byte, at) => (at === 2999 ? byte ^ 1 : byte))),
      serve(payload.subarray(0, 2000)),
      serve(new Uint8Array(0)),
      serve(objects().get((await sealed(text)).address)!),
      {
        payload: async function* () {
          yield new Uint8Array([...payload, 0]);
        },
      },
    ];
    for (const lie of lies) await failure("object-altered", () => read(lie));
    expect(await read(serve(payload))).toBe(text);
  });

  test("with a record whose header and T belong together, but not to what the ledger registered", async () => {
    const other = await sealed();
    const otherGrant = await request(world, { member: ben, recordId: other.recordId });
    const foreign = await askTransform(world, { member: ben, granted: otherGrant });
    await failure("header-altered", () => open(world, { member: ben, granted, transformed: foreign }));
    await failure("header-altered", () =>
      open(world, { member: ben, granted: { ...granted, record: otherGrant.record }, transformed: foreign }),
    );
  });

  test("metadata that the author did not state, from somebody who has the file key, is refused", async () => {
    const { header, context, policy: under, encapsulation } = parts(honest.header, ana);
    const recovered = recoverFromTransform(world.pairing, {
      transform: honest.transform,
      recoveryKey: ben.recoveryKey!,
      policy: under,
      context,
      encapsulation,
    });
    expect(equalBytes(recovered.message, randomBytes(32))).toBe(false);
    await openSecrets(header, recovered, granted.record.statement.metadataCommitment);
    await failure("header-altered", () => openSecrets(header, recovered, randomBytes(32)));
  });
});

describe("a sealer whose rows do not fit the policy's text", () => {
  const crooked = (rows: string) => crookedDeposit(world, { author: ben, owner: ana, policy, rows });
  const named = () => [`${toHex(ana.account)}@self`, `emergency.${toHex(ana.account)}@self`] as const;

  test("who locks an emergency out is found by the owner at first sight, with the row", async () => {
    const recordId = await crooked(`${policy} or ${named()[0]} or nobody@self`);
    expect(await readOut(await retrieve(world, { member: mallory, recordId }))).toBe("crooked");
    const error = await failure("header-altered", () => retrieve(world, { member: ana, recordId }));
    expect(error.data).toMatchObject({ row: 3 });
  });

  test("who locks the owner out is found by the owner, and told from a lying provider by another reader", async () => {
    const recordId = await crooked(`${policy} or nobody@self or ${named()[1]}`);
    expect((await failure("header-altered", () => retrieve(world, { member: ana, recordId }))).data).toEqual({
      field: "own row",
    });
    const granted = await request(world, { member: mallory, recordId });
    const transformed = await askTransform(world, { member: mallory, granted });
    await open(world, { member: mallory, granted, transformed });
    const error = await failure("header-altered", () =>
      open(world, { member: mallory, granted, transformed, recompute: true }),
    );
    expect(error.data).toMatchObject({ row: 2 });
  });
});
