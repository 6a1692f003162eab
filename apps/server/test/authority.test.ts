/**
 * Authority nodes on hosts of their own: each reads and writes the ledger over HTTP, believing nothing that it does not
 * prove, makes its part of the keys, and answers over HTTP. The driver of each runs by itself, as in its process.
 */
import { randomBytes, toHex } from "@chartseal/crypto";
import { decodeTransaction, encodeTransaction, ledgerRules, signAdmission } from "@chartseal/ledger";
import {
  AccountWriter,
  endEmergency,
  type Identity,
  identityOf,
  MemoryNodeStore,
  NodeDriver,
  newIdentitySeeds,
  obtainSpecialKey,
  readAccount,
  readNodes,
  retrieve,
  setSettings,
} from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { confirmed, declared, keyFor, reading } from "../../../packages/sharing/test/scene.ts";
import { failure, type Member, readOut, World } from "../../../packages/sharing/test/world.ts";
import { Connection, HttpAuthorityNode, HttpLedger, type Transport } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import { authorityRole, driveNode, type Host, ledgerRole, parseConfig, startHost } from "../src/index.ts";
import { noLimits } from "./ledger-server.ts";

const policy = "physician@cedars";
let world: World;
let ledgerHost: Host;
let transport: Transport;
let served: ServedNode[];

/** A node's process: its host, its ledger client, its driver. */
class ServedNode {
  readonly identity: Identity;
  readonly store = new MemoryNodeStore();
  readonly failures: unknown[] = [];
  host!: Host;
  #ledger!: HttpLedger;
  #stopping = new AbortController();
  #driving: Promise<void> = Promise.resolve();

  constructor(identity: Identity) {
    this.identity = identity;
  }

  async start(): Promise<void> {
    const { identity, store } = this;
    this.#stopping = new AbortController();
    const rules = ledgerRules(world.pairing, world.ledger.genesis);
    const ledger = new HttpLedger({ connection: connectionTo(ledgerHost.url), rules });
    this.#ledger = ledger;
    const surroundings = { pairing: world.pairing, ledger, now: world.now };
    const driver = new NodeDriver(surroundings, { identity, store });
    this.host = await startHost({
      config: parseConfig({ roles: ["authority"], limits: noLimits }),
      roles: [authorityRole({ nodes: [driver] })],
      version: "0",
      log: process.stderr,
      logLevel: "error",
      accountKey: async (account) => (await readAccount(ledger, account))?.publicKey,
      now: world.now,
    });
    const failed = (error: unknown) => void this.failures.push(error);
    const { signal } = this.#stopping;
    this.#driving = driveNode({ driver, ledger, signal, failed, waitMs: 300, retryMs: 50 });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.host.close();
    await this.#driving;
    await this.#ledger.close();
  }

  /** As the world's provider sees it. */
  client(index: number, signer = world.providerIdentity): HttpAuthorityNode {
    const { account, seed } = signer;
    const connection = connectionTo(this.host.url, { keyId: toHex(account), seed });
    return new HttpAuthorityNode({ connection, account: this.identity.account, index });
  }
}

function connectionTo(url: string, signer?: { keyId: string; seed: Uint8Array }): Connection {
  const signs = signer === undefined ? {} : { signer };
  return new Connection({ url, transport, now: world.now, unreachable: "ledger-unreachable", ...signs });
}

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2, driven: true });
  transport = nodeTransport();
  ledgerHost = await startHost({
    config: parseConfig({ roles: ["ledger"], limits: noLimits }),
    roles: [ledgerRole({ ledger: world.ledger })],
    version: "0",
    accountKey: async () => undefined,
    now: world.now,
  });
  served = world.nodeParts.map(({ identity }) => new ServedNode(identity));
  for (const node of served) await node.start();
});
afterAll(async () => {
  for (const node of served) await node.stop();
  transport.close();
  await ledgerHost.close();
  await world.close();
});

/** What every node says of itself, once all say that. */
async function until(nodes: readonly ServedNode[], wanted: object): Promise<void> {
  const statuses = () => Promise.all(nodes.map((node) => node.client(0).status()));
  await expect
    .poll(statuses, { timeout: 60_000, interval: 100 })
    .toEqual(nodes.map(() => expect.objectContaining(wanted)));
}

/** The committee as the ledger has it, reached by HTTP. */
async function committee(nodes: readonly ServedNode[]): Promise<HttpAuthorityNode[]> {
  const present = await readNodes(world.ledger);
  return present.nodes.flatMap((account, at) => {
    const node = nodes.find(({ identity }) => toHex(identity.account) === toHex(account));
    return node === undefined ? [] : [node.client(at + 1)];
  });
}

async function openChange(
  change: "refresh" | "reshare",
  nodes: readonly ServedNode[],
  t: number,
): Promise<void> {
  const { threshold, nodes: present } = await readNodes(world.ledger);
  const dealing = change === "refresh" ? present.length : threshold;
  const action = {
    kind: "open-committee-change",
    change,
    nodes: nodes.map(({ identity }) => identity.account),
    threshold: t,
    dealers: Array.from({ length: dealing }, (_, at) => at + 1),
  } as const;
  await new AccountWriter(world, world.providerIdentity).submit(action, {
    admittedBy: [world.validatorSeed],
  });
}

describe("three authority hosts", () => {
  let ben: Member;
  let recordId: Uint8Array;

  test("make the keys over HTTP, and issue over HTTP", async () => {
    await until(served, { epoch: 1, hasShares: true, run: null, faults: [] });
    await world.provider.follow();
    world.nodes = await committee(served);
    await world.hospital("cedars");
    ben = await world.member(policy);
    ({ recordId } = await world.byOwner(ben, { policy }));
    await retrieve(world, { member: ben, recordId });
    expect(served.flatMap(({ failures }) => failures)).toEqual([]);
  });

  test("go on issuing with one of them gone, and with it back", async () => {
    await served[0]!.stop();
    await world.renew(ben);
    await retrieve(world, { member: ben, recordId });
    await served[1]!.stop();
    await failure("ledger-unreachable", () => world.renew(ben));
    await served[0]!.start();
    world.nodes = await committee([served[0]!, served[2]!]);
    await world.renew(ben);
    await served[1]!.start();
  });

  test("issue for an emergency with one of them gone: not before it is confirmed, not after its end", async () => {
    await setSettings(world, {
      changes: { emergencyAttributes: [policy] },
      admittedBy: [world.validatorSeed],
    });
    const [owner, second] = [await world.member(), await world.member(policy)];
    const named = await world.byOwner(owner, { policy: "surgeon@cedars", text: "named" });
    const scene = { owner, first: ben, second, records: [named.recordId] };
    const grantId = await declared(world, scene, { attribute: policy });
    const grant = { mode: "emergency", grantId } as const;
    await failure("emergency-missing", () => keyFor(world, ben, grant));
    await confirmed(world, scene, { emergencyId: grantId, attribute: policy });
    await served[0]!.stop();
    world.nodes = await committee(served.slice(1));
    const key = await keyFor(world, ben, grant);
    const opened = await reading(world, { member: ben, grant, key, recordId: named.recordId });
    expect(await readOut(opened)).toBe("named");
    // Asked for in time, and answered by nobody after the end: each node looks at the ledger for itself.
    let pending: Uint8Array | undefined;
    const saved = async ({ requestId }: { requestId: Uint8Array }): Promise<void> => {
      pending = requestId;
    };
    const nobody = { ...world.surroundings, provider: world.provider, nodes: [] };
    await failure("ledger-unreachable", () => obtainSpecialKey(nobody, { member: ben, grant, saved }));
    await endEmergency(world, { by: owner, emergencyId: grantId });
    for (const node of world.nodes) await failure("emergency-missing", () => node.answer(pending!));
    await served[0]!.start();
    world.nodes = await committee([served[0]!, served[2]!]);
  });

  test("refresh, and reshare to five of which two register over HTTP", async () => {
    await openChange("refresh", served, 2);
    await until(served, { epoch: 2, hasShares: true, run: null });
    for (let more = 0; more < 2; more++) {
      const node = new ServedNode(await identityOf(newIdentitySeeds()));
      await node.start();
      served.push(node);
      const offered = decodeTransaction(await node.client(0).registration());
      const admissions = [signAdmission(world.validatorSeed, offered.bodyBytes)];
      await world.ledger.submit(
        encodeTransaction(offered.bodyBytes, { ...offered.authorisation, admissions }),
      );
      const again = await failure("input-invalid", () => node.client(0).registration());
      expect(again.message).toMatch(/registered already/);
    }
    await openChange("reshare", served, 3);
    await until(served, { epoch: 3, hasShares: true, run: null, threshold: 3, nodes: 5 });
    world.nodes = (await committee(served)).slice(2);
    await world.renew(ben);
    await retrieve(world, { member: ben, recordId });
  });

  test("answer nobody who does not sign, nothing that the ledger does not show, and for no other node", async () => {
    const [node, other] = served as [ServedNode, ServedNode];
    const account = toHex(node.identity.account);
    const target = `/v1/authority/${account}/answers`;
    const json = { requestId: toHex(randomBytes(32)) };
    const unsigned = await failure("signature-invalid", () =>
      connectionTo(node.host.url).json({ target, json }),
    );
    expect(unsigned.data).toMatchObject({ part: "missing" });
    await failure("issue-refused", () => node.client(1).answer(randomBytes(32)));
    await failure("issue-refused", () => node.client(1).basePartial(randomBytes(20)));
    const stray = new HttpAuthorityNode({
      connection: connectionTo(node.host.url),
      account: other.identity.account,
      index: 2,
    });
    await failure("input-invalid", () => stray.status());
    await failure("input-invalid", () =>
      connectionTo(node.host.url, { keyId: toHex(ben.account), seed: ben.seed }).json({ target, json: {} }),
    );
  });

  test("show in their health how many of them are ready", async () => {
    const health = await connectionTo(served[0]!.host.url).json({ target: "/health" });
    expect(health).toMatchObject({ ok: true, roles: { authority: { nodes: 1, ready: 1 } } });
  });
});
