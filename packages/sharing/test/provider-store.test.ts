/** What the provider takes in and gives out: the decryption oracle, and other people's payloads and headers. */
import {
  decapsulate,
  decodeEncapsulation,
  decodeHeader,
  type Encapsulation,
  encodeContext,
  encodeEncapsulation,
  encodeHeader,
  parsePolicy,
  randomBytes,
  randomScalar,
  recoverMessage,
  sealedPolicy,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { type ActionOf, decodeBody, encodeBody, signStorageReceipt } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCommittee } from "../src/committee.ts";
import {
  AccountWriter,
  askTransform,
  currentBody,
  deposit,
  erase,
  type Provider,
  rekey,
  request,
  requireRecord,
  retrieve,
} from "../src/index.ts";
import { headerName } from "../src/provider/stores.ts";
import { makeHeader } from "../src/record.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

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

/** A call of the provider, with something before it or after it; everything else as it is. */
function altered(changes: Partial<Provider>): Provider {
  const real = world.provider;
  return new Proxy(real, {
    get(target, name) {
      const changed = changes[name as keyof Provider];
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("the transform is no decryption oracle", () => {
  /** A header of Mallory's own record with the elements of a victim's encapsulation, each c1, c2, c3 raised by `by`. */
  function forged(own: Uint8Array, victim: Encapsulation, by: bigint): Uint8Array {
    const { g1, g2 } = world.pairing;
    const { header, encapsulation } = parts(own, mallory);
    const copied = {
      ...encapsulation,
      c1: g2.multiply(victim.c1, by),
      c2: victim.c2.map((point) => g2.multiply(point, by)),
      c3: victim.c3.map((point) => g1.multiply(point, by)),
    };
    return encodeHeader({ ...header, encapsulation: encodeEncapsulation(world.pairing, copied) });
  }

  test.each([
    ["plain", 1n],
    ["re-randomised", randomScalar({ nonZero: true })],
  ])(
    "another record's elements under a record of one's own, %s, are refused at store and at transform",
    async (_, by) => {
      const victim = await sealed();
      const kept = parts(headerOf(victim.address), ana);
      const own = await world.byOwner(mallory, { policy });
      // From here on Mallory may not read Ana's record in any way that leaves a trace.
      await erase(world, { owner: ana, recordId: victim.recordId });

      const header = forged(headerOf(own.address), kept.encapsulation, by);
      const record = await requireRecord(world.ledger, own.recordId);
      const { recordId, address } = own;
      const action = {
        kind: "rekey",
        recordId,
        version: 2,
        headerHash: sha256(header),
        address,
        policy,
        statement: null,
      } as const;
      const body = await currentBody(world, action);
      const refused = await failure("header-altered", () => world.provider.takeHeader({ header, body }));
      expect(refused.data).toMatchObject({ field: "proof" });

      // A provider that stored it all the same, as of an earlier version with a hole, refuses it at the transform.
      const { payloadDigest, payloadLength } = record.current;
      const receipt = { recordId, address, headerHash: action.headerHash, payloadDigest, payloadLength };
      const storageReceipt = signStorageReceipt(world.providerIdentity.seed, receipt);
      await new AccountWriter(world, mallory).submitBody(body, { storageReceipt });
      objects().set(headerName(address), header);
      const granted = await request(world, { member: mallory, recordId });
      await failure("header-altered", () => askTransform(world, { member: mallory, granted }));

      // What a provider that skips the proof of knowledge gives to Ben, Mallory's accomplice: Ana's erased record.
      const { key } = (await world.stores.keys.get(ben.account, ben.transformKeyId!))!;
      const weak = decapsulate(world.pairing, { key, ...parts(header, mallory) });
      const { gt } = world.pairing;
      const shared = gt.power([{ base: weak, exponent: ben.recoveryKey! }]);
      const undone = gt.power([{ base: shared, exponent: inverse(by) }]);
      expect(recoverMessage(world.pairing, { ...kept, shared: undone }).message).toHaveLength(32);
    },
  );

  const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
  function inverse(x: bigint): bigint {
    let [result, base] = [1n, x];
    for (let e = order - 2n; e > 0n; e >>= 1n) {
      if (e & 1n) result = (result * base) % order;
      base = (base * base) % order;
    }
    return result;
  }
});

describe("a payload that has its record is nobody else's", () => {
  /** Mallory's own record, rekeyed or deposited as if Ana's payload were hers. */
  async function claim(victimId: Uint8Array, own: Uint8Array) {
    const victim = await requireRecord(world.ledger, victimId);
    const mine = await requireRecord(world.ledger, own);
    const { reading } = await readCommittee(world.ledger, world.pairing);
    const { context } = decodeHeader(headerOf(victim.address));
    const { suite, payloadId, chunkBytes, length, digest, keyCommitment } = context;
    const header = await makeHeader(world.pairing, {
      mpk: reading.publicKey,
      recordId: own,
      owner: mallory.account,
      policy: parsePolicy(policy),
      payload: { descriptor: { suite, payloadId, chunkBytes }, length, digest, keyCommitment },
      secrets: {
        fileKey: randomBytes(32),
        salt: randomBytes(32),
        metadata: { name: "", mediaType: "", hints: null },
      },
    });
    const statement = { ...victim.current, metadataCommitment: mine.statement.metadataCommitment };
    const shared = { recordId: own, headerHash: sha256(header), address: victim.address, policy };
    const actions: (ActionOf<"rekey"> | ActionOf<"deposit">)[] = [
      { kind: "rekey", version: 2, statement, ...shared },
      {
        kind: "deposit",
        owner: mallory.account,
        namespace: null,
        authorPolicy: null,
        statement,
        purposes: ["TREAT"],
        ...shared,
      },
    ];
    return { header, actions };
  }

  test("neither a rekey nor a deposit of somebody else's can take it over, and so replace or erase it", async () => {
    const victim = await sealed();
    const own = await world.byOwner(mallory, { policy });
    const before = headerOf(victim.address);
    const { header, actions } = await claim(victim.recordId, own.recordId);
    for (const action of actions) {
      const body = await currentBody(world, action);
      await failure("input-invalid", () => world.provider.takeHeader({ header, body }));
    }
    expect(headerOf(victim.address)).toBe(before);
  });

  test("the same header again gets the same receipt and changes nothing", async () => {
    const sent: Parameters<Provider["takeHeader"]>[0][] = [];
    const receipts: Awaited<ReturnType<Provider["takeHeader"]>>[] = [];
    const provider = altered({
      takeHeader: async (input) => {
        sent.push(input);
        receipts.push(await world.provider.takeHeader(input));
        // The answer to the first was lost on its way.
        receipts.push(await world.provider.takeHeader(input));
        return receipts[1]!;
      },
    });
    const { address, recordId } = await deposit(
      { ...world.surroundings, provider },
      {
        by: ana,
        owner: ana.account,
        policy: parsePolicy(policy),
        source: source(utf8("a record")),
        metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
      },
    );
    expect(receipts[1]).toEqual(receipts[0]);
    const [before, stored] = [headerOf(address), objects().size];
    // On the ledger by now, and still the same.
    expect(await world.provider.takeHeader(sent[0]!)).toEqual(receipts[0]);
    expect(headerOf(address)).toBe(before);
    expect(objects().size).toBe(stored);
    expect(await readOut(await retrieve(world, { member: ben, recordId }))).toBe("a record");
  });

  test("an erasure destroys what is that record's by the header there, and nothing of another's", async () => {
    const victim = await sealed();
    const own = await world.byOwner(mallory, { policy });
    const { header, actions } = await claim(victim.recordId, own.recordId);
    // Mallory got a receipt for Ana's address from a provider that did not look.
    const action = actions[0] as ActionOf<"rekey">;
    const body = await currentBody(world, action);
    const { payloadDigest, payloadLength } = action.statement!;
    const { recordId, address, headerHash } = action;
    const said = { recordId, address, headerHash, payloadDigest, payloadLength };
    const storageReceipt = signStorageReceipt(world.providerIdentity.seed, said);
    await new AccountWriter(world, mallory).submitBody(body, { storageReceipt });
    expect(header.length).toBeGreaterThan(0);
    await erase(world, { owner: mallory, recordId });
    await world.provider.follow();
    expect(await readOut(await retrieve(world, { member: ben, recordId: victim.recordId }))).toBe("a record");
    expect(objects().has(own.address)).toBe(false);
  });

  test("a stranger's header for an owner's rekey neither replaces the owner's nor has it dropped", async () => {
    const { recordId, address } = await sealed();
    let strangers = 0;
    const provider = altered({
      takeHeader: async (input) => {
        const receipt = await world.provider.takeHeader(input);
        const { action } = decodeBody(input.body);
        const record = await requireRecord(world.ledger, recordId);
        const { context } = decodeHeader(headerOf(address));
        const { reading } = await readCommittee(world.ledger, world.pairing);
        const header = await makeHeader(world.pairing, {
          mpk: reading.publicKey,
          recordId,
          owner: record.owner,
          policy: parsePolicy(policy),
          payload: { ...context, descriptor: context },
          secrets: {
            fileKey: randomBytes(32),
            salt: randomBytes(32),
            metadata: { name: "", mediaType: "", hints: null },
          },
        });
        const body = await currentBody(world, {
          ...(action as ActionOf<"rekey">),
          headerHash: sha256(header),
        });
        await world.provider.takeHeader({ header, body });
        strangers++;
        // Something else makes the provider follow while the owner's rekey is on its way.
        await world.provider.follow();
        return receipt;
      },
    });
    await rekey({ ...world.surroundings, provider }, { owner: ana, recordId });
    expect(strangers).toBe(1);
    expect(await readOut(await retrieve(world, { member: ben, recordId }))).toBe("a record");
    expect([...world.stores.pending.objects.keys()]).toEqual([]);
  });

  test("a header that came while the rekey's block was made serves the readers who come before it is moved", async () => {
    const { recordId } = await sealed();
    const provider = altered({ follow: async () => {} });
    await rekey({ ...world.surroundings, provider }, { owner: ana, recordId });
    expect(world.stores.pending.objects.size).toBe(1);
    expect(await readOut(await retrieve(world, { member: ben, recordId }))).toBe("a record");
    expect(world.stores.pending.objects.size).toBe(0);
  });

  test("nothing is taken for an erased record, another version, another consortium or another kind", async () => {
    const { recordId, address } = await world.byOwner(mallory, { policy });
    const header = headerOf(address);
    const rekeyed = { recordId, headerHash: sha256(header), address, policy, statement: null };
    const take = async (version: number) =>
      world.provider.takeHeader({
        header,
        body: await currentBody(world, { kind: "rekey", ...rekeyed, version }),
      });
    await failure("input-invalid", () => take(1));
    await failure("input-invalid", () => take(3));
    const elsewhere = encodeBody({
      ...decodeBody(await currentBody(world, { kind: "rekey", ...rekeyed, version: 2 })),
      chainId: randomBytes(32),
    });
    await failure("input-invalid", () => world.provider.takeHeader({ header, body: elsewhere }));
    const kind = await currentBody(world, { kind: "erase", recordId });
    await failure("input-invalid", () => world.provider.takeHeader({ header, body: kind }));
    await erase(world, { owner: mallory, recordId });
    await failure("erased", () => take(2));
  });

  test("a payload that is not what the deposit says is not receipted", async () => {
    const { recordId, address } = await world.byOwner(mallory, { policy });
    const header = headerOf(address);
    const record = await requireRecord(world.ledger, recordId);
    const shared = { recordId, headerHash: sha256(header), policy, statement: null };
    const body = (to: string) => currentBody(world, { kind: "rekey", ...shared, version: 2, address: to });
    const payload = objects().get(address)!;
    objects().set(address, payload.subarray(1));
    await failure("object-altered", async () =>
      world.provider.takeHeader({ header, body: await body(address) }),
    );
    objects().delete(address);
    await failure("object-missing", async () =>
      world.provider.takeHeader({ header, body: await body(address) }),
    );
    objects().set(address, payload);
    world.stores.leaves.objects.set(address, new Uint8Array(32));
    await failure("object-altered", async () =>
      world.provider.takeHeader({ header, body: await body(address) }),
    );
    world.stores.leaves.objects.delete(address);
    await failure("object-missing", async () =>
      world.provider.takeHeader({ header, body: await body(address) }),
    );
    for (const nowhere of ["../x", "UPPER", "a/../b", record.address.slice(1)]) {
      const error = await world.provider
        .takeHeader({ header, body: await body(nowhere) })
        .catch((caught) => caught);
      expect(["object-missing", "object-altered", "input-invalid"]).toContain(error.code);
    }
  });
});
