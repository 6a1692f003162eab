/** The provider over HTTP: the journeys as they are, the client on the other side of a socket from every service. */
import {
  concat,
  ed25519KeyPairFromSeed,
  equalBytes,
  parsePolicy,
  randomBytes,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import {
  type Deposited,
  deposit,
  erase,
  refreshSigningKeys,
  rekey,
  renewTransformKey,
  request,
  retrieve,
} from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failure, type Member, readOut, source } from "../../../packages/sharing/test/world.ts";
import { HttpProvider, type SendingOptions } from "../src/client/index.ts";
import { ServedWorld, signerOf } from "./served-world.ts";

const policy = "cardiologist@cedars and physician@cedars";
let served: ServedWorld;
let ana: Member;
let author: Member;
let reader: Member;

beforeAll(async () => {
  served = await ServedWorld.create();
  const { world } = served;
  await world.hospital("cedars");
  ana = await world.member();
  author = await world.member("cardiologist@cedars", "physician@cedars");
  reader = await world.member("cardiologist@cedars", "physician@cedars");
  await world.rule(ana, "cedars", policy);
});
afterAll(() => served.close());

const objects = async () => {
  const names: string[] = [];
  for await (const name of served.world.stores.objects.list()) names.push(name);
  return names.sort();
};

function sealing(text: AsyncIterable<Uint8Array>) {
  return {
    policy: parsePolicy(policy),
    source: text,
    metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" as const }),
  };
}

async function byAuthor(
  text: AsyncIterable<Uint8Array> = source(utf8("an ECG")),
  sending: SendingOptions = {},
): Promise<Deposited> {
  return await deposit(served.client(undefined, { sending }), {
    by: author,
    owner: ana.account,
    namespace: "cedars",
    authorPolicy: parsePolicy(policy),
    ...sealing(text),
  });
}

async function* pieces(
  count: number,
  size: number,
  seen: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) {
    const piece = randomBytes(size);
    seen(piece);
    yield piece;
  }
}

describe("the journeys", () => {
  it("an author deposits and a reader reads, both by HTTP alone", async () => {
    const { recordId, submitted } = await byAuthor();
    expect(submitted.height).toBe((await served.world.ledger.head()).height);
    const opened = await retrieve(served.client(reader), { member: reader, recordId });
    expect(await readOut(opened)).toBe("an ECG");
    expect(opened.author).toMatchObject({ kind: "attributes", policy, verified: true });
  });

  it("an owner deposits, rekeys with the payload and without, and erases with a certificate", async () => {
    const client = served.client(ana);
    const made = await deposit(client, { by: ana, owner: ana.account, ...sealing(source(utf8("own"))) });
    const { recordId } = made;
    await rekey(client, { owner: ana, recordId });
    await rekey(client, { owner: ana, recordId, payload: true });
    expect(await readOut(await retrieve(client, { member: reader, recordId }))).toBe("own");
    expect((await objects()).filter((name) => name.startsWith(made.address))).toEqual([]);
    await erase(client, { owner: ana, recordId });
    await failure("erased", () => retrieve(client, { member: reader, recordId }));
  });

  it("a member's key is issued, and its signing keys collected, in its own name", async () => {
    const client = served.client(reader);
    const { nodes } = served.world;
    await renewTransformKey(client, {
      member: reader,
      nodes,
      provider: client.provider,
      saved: async () => {},
    });
    reader.signingKeys.clear();
    const namespace = async (name: string) => served.namespace(name, reader);
    expect(await refreshSigningKeys(client, { member: reader, namespace })).toBe(true);
    expect([...reader.signingKeys.keys()].sort()).toEqual([...author.signingKeys.keys()].sort());
    const { recordId } = await byAuthor();
    expect(await readOut(await retrieve(client, { member: reader, recordId }))).toBe("an ECG");
  });

  it("a payload of 48 MiB passes both ways as a stream: what the provider has not taken waits at its source", async () => {
    const hashes: Uint8Array[] = [];
    const [count, size] = [48, 2 ** 20];
    const { provider } = served.world;
    let ahead = 0;
    const taking: typeof provider.takePayload = async (from, options) => {
      const slowly = (async function* () {
        for await (const piece of from) {
          if (ahead === 0) {
            await new Promise((resolve) => setTimeout(resolve, 400));
            ahead = hashes.length;
          }
          yield piece;
        }
      })();
      return await Object.getPrototypeOf(provider).takePayload.call(provider, slowly, options);
    };
    Object.assign(provider, { takePayload: taking });
    const { recordId, bytes } = await byAuthor(
      pieces(count, size, (piece) => void hashes.push(sha256(piece))),
      { resumable: false },
    );
    Reflect.deleteProperty(provider, "takePayload");
    expect(bytes).toBe(count * size);
    // What was made while nothing was taken is what sockets and windows hold.
    expect(ahead).toBeLessThan(count / 2);
    const opened = await retrieve(served.client(reader), { member: reader, recordId });
    const whole: Uint8Array[] = [];
    for await (const piece of opened.read()) whole.push(piece.slice());
    const read = concat(...whole);
    for (const [at, hash] of hashes.entries())
      expect(equalBytes(sha256(read.subarray(at * size, (at + 1) * size)), hash)).toBe(true);
    const parts: Uint8Array[] = [];
    for await (const piece of opened.read({ from: 5_000_000, to: 5_000_009 })) parts.push(piece.slice());
    expect(concat(...parts)).toEqual(read.subarray(5_000_000, 5_000_010));
  });
});

describe("what names nobody", () => {
  it("deposit, relay, header, transform and payload carry no signature of an account", async () => {
    const seen: string[] = [];
    const { transport } = served;
    const inner = transport.send.bind(transport);
    const send: typeof transport.send = async (origin, request) => {
      if (request.headers["signature-input"] !== undefined) seen.push(`signed ${request.target}`);
      seen.push(`${request.method} ${request.target.replace(/[0-9a-f]{16,}/g, "…")}`);
      return await inner(origin, request);
    };
    Object.assign(transport, { send });
    try {
      const { recordId } = await byAuthor();
      await readOut(await retrieve(served.client(reader), { member: reader, recordId }));
    } finally {
      Object.assign(transport, { send: inner });
    }
    expect(seen.filter((one) => one.startsWith("signed"))).toEqual([]);
    for (const one of ["payloads", "headers", "relay", "transforms"])
      expect(seen).toContainEqual(expect.stringMatching(new RegExp(`^POST /v1/provider/${one}`)));
  });
});

describe("a relay whose ledger is another one's", () => {
  /** A relay that is asked by a client whose own ledger has what is relayed some time after it, or never. */
  async function behind({ aheadMs, lagMs }: { readonly aheadMs: number; readonly lagMs: number }) {
    const { ledger } = served.world;
    const { height } = await ledger.head();
    const untilMs = performance.now() + lagMs;
    const hasIt = (): boolean => performance.now() >= untilMs;
    const later = new Proxy(ledger, {
      get: (target, name) => {
        if (name === "head") return async () => ({ ...(await target.head()), height });
        if (name === "transaction")
          return async (id: Uint8Array) => (hasIt() ? target.transaction(id) : undefined);
        if (name === "watch") {
          return async function* (from: number, signal: AbortSignal) {
            while (!hasIt() && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 20));
            if (!signal.aborted) yield* target.watch(from, signal);
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { account } = served.world.provider;
    return new HttpProvider({ connection: served.connection(), account, ledger: later, aheadMs });
  }

  const asking = async (recordId: Uint8Array, provider: HttpProvider) =>
    await request({ ...served.client(reader), provider }, { member: reader, recordId });

  it("is waited for until the block is here, and no longer than it may be ahead", async () => {
    const { recordId } = await byAuthor();
    const granted = await asking(recordId, await behind({ aheadMs: 60_000, lagMs: 300 }));
    expect(granted.requestId).toHaveLength(32);
    for (const aheadMs of [0, 200]) {
      const never = await behind({ aheadMs, lagMs: 60_000 });
      const failed = await failure("ledger-unreachable", () => asking(recordId, never));
      expect(failed.message).toContain("the relay says");
      expect(failed.data).toMatchObject({ outcome: "unknown" });
    }
  });
});

describe("answers that are lost on their way", () => {
  /** The server does what it was asked, and the connection breaks before the client hears of it; or before the server does. */
  async function losing(lost: "answer" | "request", deed: () => Promise<void>): Promise<string[]> {
    const broken: string[] = [];
    const { transport } = served;
    const inner = transport.send.bind(transport);
    const send: typeof transport.send = async (origin, request) => {
      const what = /^\/v1\/provider\/(headers|relay|transforms)$/.exec(request.target)?.[1];
      if (what === undefined || broken.includes(what)) return await inner(origin, request);
      broken.push(what);
      if (lost === "answer") for await (const _piece of (await inner(origin, request)).body);
      throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
    };
    Object.assign(transport, { send });
    try {
      await deed();
    } finally {
      Object.assign(transport, { send: inner });
    }
    return broken;
  }

  it("cost neither a deposit nor a read: what may be sent again is, and the ledger says what the relay did", async () => {
    const broken = await losing("answer", async () => {
      const { recordId } = await byAuthor();
      expect(await readOut(await retrieve(served.client(reader), { member: reader, recordId }))).toBe(
        "an ECG",
      );
    });
    expect(broken).toEqual(["headers", "relay", "transforms"]);
  });

  it("are told from requests that never came: nothing is said to be registered that is not", async () => {
    let failed: unknown;
    const broken = await losing("request", async () => {
      failed = await byAuthor().catch((error: unknown) => error);
    });
    expect(broken).toEqual(["headers", "relay"]);
    expect(failed).toMatchObject({ code: "provider-unreachable" });
  });
});

describe("failures", () => {
  it("a source that fails leaves nothing, and its own error is the one that is seen", async () => {
    const before = await objects();
    const broken = (async function* () {
      yield randomBytes(3_000_000);
      throw new Error("the disk was pulled out");
    })();
    await expect(byAuthor(broken)).rejects.toThrow("the disk was pulled out");
    expect(await objects()).toEqual(before);
  });

  it("a connection that breaks in the middle of a payload leaves nothing", async () => {
    const before = await objects();
    const transport = served.transport;
    const stop = new AbortController();
    const slow = (async function* () {
      for (let at = 0; at < 100; at++) {
        yield randomBytes(100_000);
        if (at === 20) stop.abort();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const headers = { "content-type": "application/octet-stream" };
    const request = {
      method: "POST",
      target: "/v1/provider/payloads",
      headers,
      body: slow,
      signal: stop.signal,
    };
    await expect(transport.send(new URL(served.host.url), request)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await objects()).toEqual(before);
  });

  it("refusals come through with their codes", async () => {
    const client = served.client();
    const { recordId } = await byAuthor();
    await failure("rule-violated", () => retrieve(client, { member: reader, recordId, purpose: "HRESCH" }));
    const nurse = await served.world.member("physician@cedars");
    await failure("policy-unsatisfied", () => retrieve(served.client(nurse), { member: nurse, recordId }));
    await failure("grant-missing", () => client.provider.transform(emptyReveal));
  });

  it("a payload that is gone from the store is said to be missing", async () => {
    const { recordId, address } = await byAuthor();
    await served.world.stores.objects.remove(address);
    await failure("object-missing", () => retrieve(served.client(reader), { member: reader, recordId }));
  });

  it("what must be signed is refused unsigned, and for another account", async () => {
    const { recordId } = await byAuthor();
    await failure("signature-invalid", () => served.client().provider.destroy({ recordId }));
    await failure("signature-invalid", () => served.client().provider.follow());
    // Names one account and signs with the key of another.
    const signer = { ...signerOf(author), keyId: toHex(reader.account) };
    const asked = { target: "/v1/namespace/cedars/signing-keys", json: { baseKey: "00".repeat(48) } };
    await failure("signature-invalid", () => served.connection().json({ ...asked, signer }));
  });

  it("a server that is not there is the provider that cannot be reached, or the ledger", async () => {
    const gone = await ServedWorld.create();
    const client = gone.client();
    await gone.close();
    await failure("provider-unreachable", () => client.provider.follow());
    await failure("ledger-unreachable", () => client.ledger.head());
  });
});

const zeros = (size: number) => new Uint8Array(size);
const emptyReveal = {
  requestId: zeros(32),
  recordId: zeros(32),
  account: zeros(20),
  publicKey: zeros(32),
  transformKeyId: zeros(32),
  oneTimePublicKey: zeros(32),
  oneTimeSignature: zeros(64),
  accountSignature: zeros(64),
};

describe("what strangers may bring", () => {
  it("is bounded by day, by size and by what is under way; the machine's own commands are not", async () => {
    const token = new Uint8Array(32).fill(3);
    const localKey = ed25519KeyPairFromSeed(token).publicKey;
    const limits = { dayBytesMax: 250_000, payloadBytesMax: 200_000, addressUploadsMax: 1 };
    const small = await ServedWorld.create({ provider: limits, localKey });
    try {
      const { provider } = small.client(undefined, { sending: { resumable: false } });
      const bring = (bytes: number, to = provider) => to.takePayload(source(randomBytes(bytes)));
      await failure("input-invalid", () => bring(200_001));
      // Refused in the middle of far more than sockets hold.
      const endless = pieces(200, 2 ** 20, () => {});
      await failure("rate-limited", () => provider.takePayload(endless));
      small.world.advance(86_400_000);
      await bring(150_000);
      await bring(90_000);
      await failure("rate-limited", () => bring(20_000));
      small.world.advance(86_400_000);
      let release = () => {};
      const held = provider.takePayload(
        (async function* () {
          yield randomBytes(1_000);
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        })(),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      await failure("rate-limited", () => bring(1_000));
      release();
      await held;
      await bring(1_000);
      const machine = small.connection({ keyId: toHex(localKey), seed: token });
      for (let at = 0; at < 3; at++) {
        const taken = await machine.json({
          target: "/v1/provider/payloads",
          stream: source(randomBytes(150_000)),
        });
        expect(taken.bytes).toBe(150_000);
      }
    } finally {
      await small.close();
    }
  });

  it("a ticket that nobody was given opens nothing", async () => {
    const target = `/v1/provider/transforms/${"00".repeat(32)}/payload?offset=0&length=1`;
    await failure("grant-missing", () => served.connection().json({ target }));
  });
});
