/** Who may have a transform: the provider's first two steps, against readers who lend, replay, wait and come back. */
import { decapsulate, equalBytes, parsePolicy, randomBytes, sealedPolicy, toHex } from "@chartseal/crypto";
import { encodeBody, encodeTransaction, signAdmission } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AccountWriter,
  accessLog,
  askTransform,
  checkHeader,
  erase,
  type Granted,
  type Identity,
  identityOf,
  newIdentitySeeds,
  open,
  type Reveal,
  readCommittee,
  rekey,
  request,
  requireRecord,
  retrieve,
  StorageProvider,
} from "../src/index.ts";
import { signReveal } from "../src/provider/reveal.ts";
import { headerName, type ProviderStores } from "../src/provider/stores.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const policy = "cardiologist@cedars and physician@cedars";
let world: World;
let ana: Member;
let ben: Member;
let cleo: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member("cardiologist@cedars", "physician@cedars");
  cleo = await world.member("cardiologist@cedars", "physician@cedars");
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

const sealed = (text = "a record") => world.byAuthor(cleo, ana, { namespace: "cedars", policy, text });
const granted = async (member = ben, text?: string): Promise<Granted> =>
  await request(world, { member, recordId: (await sealed(text)).recordId });

/** A reveal as its reader signs it, or as somebody changes what it is about. */
function revealed(
  reader: Member | Identity,
  grant: Granted,
  other: Partial<Granted> & { keyId?: Uint8Array } = {},
): Reveal {
  const { requestId, recordId, oneTime, record } = { ...grant, ...other };
  return signReveal({
    reader,
    oneTime,
    requestId,
    recordId,
    transformKeyId: other.keyId ?? (reader as Member).transformKeyId!,
    place: { chainId: world.ledger.chainId, provider: world.provider.account, recordDigest: record.digest },
  });
}

const readersOf = async (recordId: Uint8Array): Promise<string[]> =>
  (await accessLog(world.ledger, { recordId, owner: ana })).entries.flatMap(({ event, reader }) =>
    event === "transformed" && reader !== undefined ? [toHex(reader)] : [],
  );

describe("step 1, both signatures", () => {
  test("each is over chain, provider, request, record, digest, account and key: none may be another's", async () => {
    const grant = await granted();
    const other = await granted();
    const right = revealed(ben, grant);
    const bad: Record<string, Reveal> = {
      "the one-time signature": { ...right, oneTimeSignature: right.accountSignature },
      "the account's signature": { ...right, accountSignature: right.oneTimeSignature },
      "another one-time key": revealed(ben, grant, { oneTime: other.oneTime }),
      "another digest": revealed(ben, grant, { record: { ...grant.record, digest: randomBytes(32) } }),
      "another request under this signature": { ...right, requestId: other.requestId },
      "another account under this signature": { ...right, account: cleo.account, publicKey: cleo.publicKey },
      "another record under this signature": { ...right, recordId: other.recordId },
      "another key under this signature": { ...right, transformKeyId: randomBytes(32) },
    };
    for (const [what, reveal] of Object.entries(bad)) {
      expect(await failure("signature-invalid", () => world.provider.transform(reveal)), what).toBeDefined();
    }
    await failure("grant-missing", () => world.provider.transform({ ...right, requestId: randomBytes(32) }));
    expect(await readersOf(grant.recordId)).toEqual([]);
    await world.provider.transform(right);
    expect(await readersOf(grant.recordId)).toEqual([toHex(ben.account)]);
  });
});

describe("step 2, the ledger's word", () => {
  test("a grant opens the record that it is for and no other", async () => {
    const grant = await granted();
    const other = await granted();
    await failure("grant-missing", () =>
      world.provider.transform(revealed(ben, grant, { recordId: other.recordId })),
    );
  });

  test("a denied request opens nothing", async () => {
    const { recordId } = await sealed();
    const error = await failure("rule-violated", () =>
      request(world, { member: ben, recordId, purpose: "HRESCH" }),
    );
    expect(error.data.requestId).toMatch(/^[0-9a-f]{64}$/);
    const grant = await request(world, { member: ben, recordId });
    const denied = Uint8Array.from(Buffer.from(String(error.data.requestId), "hex"));
    await failure("signature-invalid", () =>
      world.provider.transform(revealed(ben, { ...grant, requestId: denied })),
    );
  });

  test("a replayed reveal has the same answer and no second entry, until the grant lapses", async () => {
    const grant = await granted();
    const reveal = revealed(ben, grant);
    const first = await world.provider.transform(reveal);
    const again = await world.newProvider().transform(reveal);
    expect(equalBytes(first.transform, again.transform)).toBe(true);
    expect(await readersOf(grant.recordId)).toHaveLength(1);
    world.advance(10 * 60_000);
    await failure("grant-missing", () => world.provider.transform(reveal));
  });

  test("a grant lapses after ten minutes by block time, and by the provider's own clock where no block is made", async () => {
    const one = await granted();
    world.advance(10 * 60_000 - 1);
    await world.provider.transform(revealed(ben, one));
    const two = await granted();
    const head = await world.ledger.head();
    world.advance(10 * 60_000);
    await failure("grant-missing", () => world.provider.transform(revealed(ben, two)));
    expect((await world.ledger.head()).height).toBe(head.height);
    // A provider whose clock stands still goes by the chain.
    await world.member();
    const behind = { ...world.surroundings, now: () => 0 };
    const slow = new StorageProvider({
      surroundings: behind,
      identity: world.providerIdentity,
      stores: world.stores,
    });
    for (const grant of [one, two]) {
      await failure("grant-missing", () => slow.transform(revealed(ben, grant)));
    }
  });

  test("a grant that was used is answered to the reader whom the receipt names and to no second one", async () => {
    const grant = await granted();
    await world.provider.transform(revealed(ben, grant));
    await failure("grant-missing", () => world.provider.transform(revealed(cleo, grant)));
    expect(await readersOf(grant.recordId)).toEqual([toHex(ben.account)]);
    await world.provider.transform(revealed(ben, grant));
  });

  test("of two readers with one one-time key who come at once, the one who reads is the one who is named", async () => {
    for (const order of [
      [ben, cleo],
      [cleo, ben],
    ]) {
      const grant = await granted();
      const tries = await Promise.allSettled(
        order.map((one) => world.provider.transform(revealed(one, grant))),
      );
      const later = await Promise.allSettled(
        order.map((one) => world.provider.transform(revealed(one, grant))),
      );
      const served = order.filter((_, at) =>
        [tries[at], later[at]].some((one) => one?.status === "fulfilled"),
      );
      expect(await readersOf(grant.recordId)).toEqual(served.map(({ account }) => toHex(account)));
      expect(served).toHaveLength(1);
    }
  });

  test("a provider that keeps readers by request instead of by receipt is fooled by them", async () => {
    let last: Uint8Array | undefined;
    const weak: ProviderStores = {
      ...world.stores,
      answered: {
        get: async () => last,
        put: async () => {
          // Cleo's comes a moment after Ben's, and before the block with Ben's receipt.
          last = cleo.account;
        },
      },
    };
    const provider = world.newProvider(weak);
    const grant = await granted();
    await failure("grant-missing", () => provider.transform(revealed(ben, grant)));
    await provider.transform(revealed(cleo, grant));
    expect(await readersOf(grant.recordId)).toEqual([toHex(ben.account)]);
  });

  test("many readers are served at once", async () => {
    const { recordId } = await sealed();
    const grants = await Promise.all(
      [ben, cleo, ben, cleo, ana].map(async (member) => ({
        member,
        grant: await request(world, { member, recordId }),
      })),
    );
    const answers = await Promise.all(
      grants.map(({ member, grant }) => world.provider.transform(revealed(member, grant))),
    );
    expect(answers).toHaveLength(5);
    expect(await readersOf(recordId)).toHaveLength(5);
  });

  test("a request that an account proved is that account's: its grant cannot be lent", async () => {
    const { recordId } = await sealed();
    const grant = await request(world, { member: ana, recordId });
    await failure("signature-invalid", () => world.provider.transform(revealed(ben, grant)));
    await world.provider.transform(revealed(ana, grant));
  });

  test("an account that is not on the ledger, or a service's, reads nothing", async () => {
    const grant = await granted();
    const nobody = await identityOf(newIdentitySeeds());
    const keyId = ben.transformKeyId!;
    await failure("revoked", () => world.provider.transform(revealed(nobody, grant, { keyId })));
    const second = await granted();
    await failure("revoked", () =>
      world.provider.transform(revealed(world.providerIdentity, second, { keyId })),
    );
  });

  test("an account is its own key's: nobody reveals in another's name", async () => {
    const grant = await granted(cleo);
    const posing: Identity = { ...cleo, account: ben.account };
    const reveal = revealed(posing, grant, { keyId: ben.transformKeyId! });
    await failure("revoked", () => world.provider.transform(reveal));
    expect(await readersOf(grant.recordId)).toEqual([]);
  });

  test("another's transform key is not used for an account, nor one that a new issue has retired", async () => {
    const dora = await world.member("cardiologist@cedars", "physician@cedars");
    const putBack = world.stores.backup();
    const old = dora.transformKeyId!;
    await world.renew(dora);
    expect(world.stores.keys.of(dora.account)).toHaveLength(1);
    putBack();
    expect(world.stores.keys.of(dora.account)).toHaveLength(2);
    for (const keyId of [old, ben.transformKeyId!]) {
      const grant = await granted(dora);
      await failure("revoked", () => world.provider.transform(revealed(dora, grant, { keyId })));
    }
    await world.provider.follow();
    expect(world.stores.keys.of(dora.account)).toHaveLength(1);
    await retrieve(world, { member: dora, recordId: (await sealed()).recordId });
  });

  test("a revoked attribute opens nothing, from a restored copy of the key either", async () => {
    const eve = await world.member("cardiologist@cedars", "physician@cedars");
    const before = await granted(eve);
    const putBack = world.stores.backup();
    await world.revoke(eve, "cardiologist@cedars");
    expect(world.stores.keys.of(eve.account).flatMap((key) => [...key.k2.keys()])).not.toContain(
      "cardiologist@cedars",
    );
    await failure("revoked", () => world.provider.transform(revealed(eve, before)));

    putBack();
    const lent = await granted(ben);
    await failure("revoked", () => world.provider.transform(revealed(eve, lent)));
    await failure("revoked", () => retrieve(world, { member: eve, recordId: lent.recordId }));

    // A provider that uses what lies there, without asking the ledger, gives what opens the record.
    const { reading } = await readCommittee(world.ledger, world.pairing);
    const record = await requireRecord(world.ledger, lent.recordId);
    const bytes = world.stores.objects.objects.get(headerName(record.address))!;
    const registered = { ...record, recordId: lent.recordId, statement: record.current };
    const header = checkHeader(world.pairing, { bytes, registered, mpk: reading.publicKey });
    const custody = (await world.stores.keys.get(eve.account, eve.transformKeyId!))!;
    const sealedUnder = sealedPolicy(parsePolicy(policy), toHex(ana.account));
    const shared = decapsulate(world.pairing, { ...header, key: custody.key, policy: sealedUnder });
    const stolen = {
      transform: world.pairing.gt.encode(shared),
      statement: { rows: [], signature: new Uint8Array(64) },
      header: bytes,
      leaves: { list: world.stores.leaves.objects.get(record.address)! },
      payload: (offset: number, length: number) =>
        world.stores.objects.get(record.address, { from: offset, toInclusive: offset + length - 1 }),
    };
    expect(await readOut(await open(world, { member: eve, granted: lent, transformed: stolen }))).toBe(
      "a record",
    );
  });
});

test("what changes while the receipt's block is made counts: the ledger is asked once more before T is made", async () => {
  const eve = await world.member("cardiologist@cedars", "physician@cedars");
  const grant = await granted(eve);
  let revoked = false;
  const ledger = new Proxy(world.ledger, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "submit") return typeof value === "function" ? value.bind(target) : value;
      return async (transaction: Uint8Array) => {
        const taken = await target.submit(transaction);
        if (!revoked) await world.revoke(eve, "cardiologist@cedars");
        revoked = true;
        return taken;
      };
    },
  });
  await failure("revoked", () => world.newProvider(world.stores, ledger).transform(revealed(eve, grant)));
  expect(revoked).toBe(true);
  expect(await readersOf(grant.recordId)).toEqual([toHex(eve.account)]);
});

/** The same reader's next grant on the record. */
const again = (grant: Granted) => request(world, { member: ben, recordId: grant.recordId });

describe("what has ended stays ended", () => {
  test("an erased record that a backup brings back is not transformed, and goes again when the provider begins", async () => {
    const grant = await granted();
    const putBack = world.stores.backup();
    const { address } = grant.record;
    await world.provider.transform(revealed(ben, grant));
    await erase(world, { owner: ana, recordId: grant.recordId });
    // Long ago: no block that a provider looks at when it begins tells of it any more.
    const writer = new AccountWriter(world, cleo);
    for (let blocks = 0; blocks < 40; blocks++) {
      await writer.submit({ kind: "set-hpke-key", hpkeKey: cleo.hpkePublic });
    }
    putBack();
    expect(world.stores.objects.objects.has(address)).toBe(true);
    await failure("erased", () => world.provider.transform(revealed(ben, grant)));
    await world.newProvider().follow();
    expect([...world.stores.objects.objects.keys()].filter((name) => name.startsWith(address))).toEqual([]);
  });

  test("a header from before a rekey is not transformed", async () => {
    const grant = await granted();
    const putBack = world.stores.backup();
    await rekey(world, { owner: ana, recordId: grant.recordId });
    await failure("grant-missing", () => world.provider.transform(revealed(ben, grant)));
    putBack();
    const next = await again(grant);
    await failure("header-altered", () => world.provider.transform(revealed(ben, next)));
    expect(await readersOf(grant.recordId)).toEqual([toHex(ana.account)]);
  });

  test("a grant of an era that a restore has ended is not answered again", async () => {
    const own = await World.create();
    const owner = await own.member();
    const { recordId } = await own.byOwner(owner, { policy: `${toHex(owner.account)}@self` });
    const grant = await request(own, { member: owner, recordId });
    await askTransform(own, { member: owner, granted: grant });
    const head = await own.ledger.head();
    const action = {
      kind: "raise-era",
      lostHeight: head.height,
      lostHash: head.hash,
      missing: [],
      tombstones: [],
    } as const;
    const body = encodeBody({
      chainId: own.ledger.chainId,
      era: 0,
      lastValidMs: own.now() + 1,
      head: { height: head.height, hash: head.hash },
      action,
    });
    await own.ledger.submit(
      encodeTransaction(body, { admissions: [signAdmission(own.validatorSeed, body)] }),
    );
    await failure("grant-missing", () => askTransform(own, { member: owner, granted: grant }));
    expect(await readOut(await retrieve(own, { member: owner, recordId }))).toBe("a record");
    await own.close();
  });

  test("a refusal by the provider is an entry without a name, and closes the grant", async () => {
    const eve = await world.member("cardiologist@cedars", "physician@cedars");
    const grant = await granted(eve);
    await world.revoke(eve, "physician@cedars");
    await failure("revoked", () => world.provider.transform(revealed(eve, grant)));
    await failure("grant-missing", () => world.provider.transform(revealed(ben, grant)));
    const { entries } = await accessLog(world.ledger, { recordId: grant.recordId, owner: ana });
    expect(entries.at(-1)).toMatchObject({ event: "refused-by-provider", code: "revoked" });
    const { bytes } = (await world.ledger.transaction(entries.at(-1)!.transaction))!;
    expect(toHex(bytes)).not.toContain(toHex(eve.account));
  });
});
