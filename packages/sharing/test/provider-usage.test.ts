/** What a provider keeps for whom: sums by the ledger, quotas before anything is registered, and leftovers that go. */
import { parsePolicy, randomBytes, toHex } from "@chartseal/crypto";
import { decodeBody, encodeBody } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Deposited,
  deposit,
  erase,
  type Identity,
  type Provider,
  type Quotas,
  rekey,
  retrieve,
  StorageProvider,
} from "../src/index.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

const policy = "cardiologist@cedars";
let world: World;
let ana: Member;
let bob: Member;
let ben: Member;
let quota: number | undefined;
const quotas: Quotas = { of: () => quota };

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  bob = await world.member();
  ben = await world.member(policy);
  await world.rule(ana, "cedars", policy);
  world.provider = provider();
});
afterAll(() => world.close());

/** A provider as a process begins. */
function provider(): StorageProvider {
  const { surroundings, providerIdentity: identity, stores } = world;
  return new StorageProvider({ surroundings, identity, stores, quotas });
}

/** `meanwhile`: what happens between the payload and its header. */
const own = (by: Member, bytes: number, through: Provider = world.provider, meanwhile = () => {}) =>
  deposit(
    { ...world.surroundings, provider: through },
    {
      by,
      owner: by.account,
      policy: parsePolicy(`${toHex(by.account)}@self`),
      source: source(randomBytes(bytes)),
      metadata: async () => {
        meanwhile();
        return { name: "x", mediaType: "text/plain", validation: "not-checked" as const };
      },
    },
  );
/** The provider, with something that happens where a client brings its header. */
function around(takeHeader: Provider["takeHeader"]): Provider {
  const { account } = world.provider;
  const bound: Partial<Provider> = {
    account,
    takeHeader,
    takePayload: (...given) => world.provider.takePayload(...given),
    relay: (transaction) => world.provider.relay(transaction),
  };
  return bound as Provider;
}
const used = async (of: Identity, by = world.provider) => (await by.usage()).owner(of.account);
const addresses = () => [...world.stores.objects.objects.keys()].filter((name) => !name.includes("."));
/** One tag of AES-GCM, for a payload of one chunk. */
const tag = 16;
const dayMs = 86_400_000;

describe("the sums", () => {
  it("follow deposits, rekeys and erasures, and a process that begins finds the same", async () => {
    expect(await used(ana)).toEqual({ records: 0, bytes: 0 });
    const one = await own(ana, 1_000);
    await own(ana, 500);
    await own(bob, 70);
    expect(await used(ana)).toEqual({ records: 2, bytes: 1_500 + 2 * tag });
    const surroundings = { ...world.surroundings, provider: world.provider };
    await rekey(surroundings, { owner: ana, recordId: one.recordId, payload: true });
    expect(await used(ana)).toEqual({ records: 2, bytes: 1_500 + 2 * tag });
    await erase(surroundings, { owner: ana, recordId: one.recordId });
    const expected = { records: 1, bytes: 500 + tag };
    expect(await used(ana)).toEqual(expected);
    expect(await used(ana, provider())).toEqual(expected);
    expect([...(await world.provider.usage()).owners()].sort()).toEqual(
      [...(await provider().usage()).owners()].sort(),
    );
  });

  it("say which relay brought them", async () => {
    await world.byAuthor(ben, ana, { namespace: "cedars", policy, text: "by a relay" });
    const relays = (await world.provider.usage()).relays();
    expect(relays.get(toHex(world.providerIdentity.account))).toEqual({ records: 1, bytes: 10 + tag });
    expect(relays.get("")?.records).toBe(2);
  });
});

describe("a quota", () => {
  it("refuses a deposit before anything is registered, and takes it once there is room", async () => {
    const cara = await world.member();
    quota = 2_000;
    const first = await own(cara, 1_500);
    const height = (await world.ledger.head()).height;
    const { data } = await failure("quota-exceeded", () => own(cara, 600));
    expect(data).toEqual({ quotaBytes: 2_000, usedBytes: 1_500 + tag, bytes: 600 + tag });
    expect((await world.ledger.head()).height).toBe(height);
    // Closing a record anew is never refused for its size.
    const surroundings = { ...world.surroundings, provider: world.provider };
    await rekey(surroundings, { owner: cara, recordId: first.recordId, payload: true });
    await erase(surroundings, { owner: cara, recordId: first.recordId });
    await own(cara, 600);
    quota = undefined;
    await own(cara, 5_000);
  });

  it("counts deposits that have their receipt and are not in a block yet, until they cannot come any more", async () => {
    const dan = await world.member();
    quota = 1_000;
    const failing: Provider = around(async (input) => {
      await world.provider.takeHeader(input);
      throw new Error("the client went away");
    });
    await expect(own(dan, 700, failing)).rejects.toThrow("the client went away");
    await failure("quota-exceeded", () => own(dan, 700));
    world.advance(2 * 3_600_000);
    await own(dan, 700);
    quota = undefined;
  });

  it("counts a header that is sent again once, and for as long as either of its bodies can come", async () => {
    const eve = await world.member();
    quota = 1_000;
    const twice: Provider = around(async (input) => {
      const receipt = await world.provider.takeHeader(input);
      const body = encodeBody({ ...decodeBody(input.body), lastValidMs: world.now() - 300_000 });
      await world.provider.takeHeader({ header: input.header, body });
      world.advance(400_000);
      await failure("quota-exceeded", () => own(eve, 700));
      return receipt;
    });
    await own(eve, 700, twice);
    quota = undefined;
  });
});

describe("leftovers", () => {
  it("of deposits that never came go after the grace time, registered payloads and young ones stay", async () => {
    const { recordId } = await own(ana, 300);
    const left = await world.provider.takePayload(source(randomBytes(1_000)));
    world.advance(dayMs);
    const young = await world.provider.takePayload(source(randomBytes(1_000)));
    expect(await world.provider.collect({ graceMs: dayMs })).toEqual(expect.arrayContaining([left.address]));
    expect(addresses().sort()).toEqual(expect.arrayContaining([young.address]));
    expect(addresses()).not.toContain(left.address);
    const surroundings = { ...world.surroundings, provider: world.provider };
    await readOut(await retrieve(surroundings, { member: ana, recordId }));
    // Nothing more to do, for this process and for one that begins.
    expect(await world.provider.collect({ graceMs: dayMs })).toEqual([]);
    expect(await provider().collect({ graceMs: dayMs })).toEqual([]);
    world.advance(dayMs);
    expect(await world.provider.collect({ graceMs: dayMs })).toEqual([young.address]);
  });

  it.each([0, 3, 10, 30, 100, 300])(
    "are never deposits on their way: the timer strikes %i turns after a header came at the last moment",
    async (turns) => {
      const late = around(async (input) => {
        const signed = world.provider.takeHeader(input);
        signed.catch(() => {});
        for (let at = 0; at < turns; at++) await Promise.resolve();
        await world.provider.collect({ graceMs: dayMs });
        return await signed;
      });
      // Either it is registered and there, or it was refused: never registered and gone.
      const ended = await own(ana, 400, late, () => world.advance(dayMs)).catch((error: unknown) => error);
      if (ended instanceof Error) return expect(ended).toMatchObject({ code: "object-missing" });
      const surroundings = { ...world.surroundings, provider: world.provider };
      await provider().collect({ graceMs: dayMs });
      await readOut(await retrieve(surroundings, { member: ana, recordId: (ended as Deposited).recordId }));
    },
  );

  it("a receipt keeps its payload for the whole grace time, whatever the payload's age", async () => {
    let address = "";
    const lost = around(async (input) => {
      address = (decodeBody(input.body).action as { address: string }).address;
      world.advance(dayMs - 1);
      await world.provider.takeHeader(input);
      throw new Error("the client went away");
    });
    await expect(own(ana, 400, lost)).rejects.toThrow("the client went away");
    world.advance(dayMs - 1);
    expect(await world.provider.collect({ graceMs: dayMs })).not.toContain(address);
    world.advance(1);
    expect(await world.provider.collect({ graceMs: dayMs })).toEqual([address]);
  });

  it("take two hours at least: a receipt's deposit may come until then", async () => {
    await failure("input-invalid", () => world.provider.collect({ graceMs: 3_600_000 }));
  });
});
