/** A provider with places behind a server: an upload says how it is to be divided, the ledger says where it lies. */
import { parsePolicy, randomBytes, utf8 } from "@chartseal/crypto";
import { deposit, readPlacement, retrieve, setResidency, splitKeysOf } from "@chartseal/sharing";
import { PlacedStore, SplitStore } from "@chartseal/storage";
import { afterAll, beforeAll, expect, it } from "vitest";
import { failure, type Member, readOut, source } from "../../../packages/sharing/test/world.ts";
import { MemoryStore } from "../../../packages/storage/test/memory.ts";
import { ServedWorld } from "./served-world.ts";

const policy = "cardiologist@cedars";
const regions = ["ch", "eu", "us"];
const disks = regions.map(() => new MemoryStore());
let served: ServedWorld;
let ana: Member;
let doctor: Member;

beforeAll(async () => {
  const split = new SplitStore({
    places: disks.map((store, at) => ({ name: `p${at}`, region: regions[at]!, store })),
    keys: splitKeysOf(randomBytes(32)),
    index: { entries: new MemoryStore(), leftovers: new MemoryStore() },
  });
  const placed = new PlacedStore(split, new MemoryStore());
  served = await ServedWorld.create({ stores: (world) => ({ ...world.stores, objects: placed, placed }) });
  await served.world.hospital("cedars");
  ana = await served.world.member();
  doctor = await served.world.member(policy);
  await served.world.rule(ana, "cedars", policy);
});
afterAll(() => served.close());

const sealing = {
  policy: parsePolicy(policy),
  metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" as const }),
};

it("an owner's deposit is divided as it asked, and read from what is left", async () => {
  const client = served.client(ana);
  const placement = { k: 1, n: 2, regions: ["ch", "us"] };
  const text = () => source(utf8("own"));
  const made = await deposit(client, { by: ana, owner: ana.account, placement, source: text(), ...sealing });
  const { recordId } = made;
  expect(await readPlacement(client.ledger, recordId)).toMatchObject({ k: 1, n: 2, regions: ["ch", "us"] });
  expect(disks.map(({ objects }) => objects.size)).toEqual([2, 0, 2]);
  disks[0]!.objects.clear();
  expect(await readOut(await retrieve(client, { member: ana, recordId }))).toBe("own");
});

it("an author's deposit keeps to the owner's residency", async () => {
  await setResidency(served.world, { owner: ana, regions: ["eu"] });
  const client = served.client();
  const author = { by: doctor, owner: ana.account, namespace: "cedars", authorPolicy: parsePolicy(policy) };
  const text = () => source(utf8("an ECG"));
  const { recordId } = await deposit(client, { ...author, source: text(), ...sealing });
  expect(await readPlacement(client.ledger, recordId)).toMatchObject({ k: 1, n: 1, regions: ["eu"] });
  const placement = { k: 2, n: 2, regions: ["eu"] };
  const refused = await failure("input-invalid", () =>
    deposit(client, { ...author, placement, source: text(), ...sealing }),
  );
  expect(refused.message).toMatch(/2 shards need 2 places, and there are 1 in eu/);
});

it.each(["placement=3of2", "placement=0of1", "placement=2of17", "regions=EU", "regions=eu,eu", "regions=,"])(
  "an upload with %s is refused",
  async (query) => {
    const target = `/v1/provider/payloads?${query}`;
    await failure("input-invalid", () => served.connection().json({ target, stream: source(utf8("x")) }));
  },
);
