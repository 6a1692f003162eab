/**
 * A provider on the network grants nothing that the ledger does not say at that moment: each way of having had a grant, or of
 * keeping the ledger away, is answered with a problem that holds nothing of the record, and what is granted stands on the
 * ledger with the provider's signature.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { decodeTransaction, type Ledger } from "@chartseal/ledger";
import {
  accessLog,
  askTransform,
  erase,
  type Granted,
  type Provider,
  type Reveal,
  rekey,
  request,
} from "@chartseal/sharing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Member } from "../../../packages/sharing/test/world.ts";
import { ServedWorld } from "./served-world.ts";

const policy = "cardiologist@cedars";
let served: ServedWorld;
let ana: Member;
let cleo: Member;

beforeAll(async () => {
  served = await ServedWorld.create();
  const { world } = served;
  await world.hospital("cedars");
  ana = await world.member();
  cleo = await world.member(policy);
  await world.rule(ana, "cedars", policy);
});
afterEach(() => {
  for (const name of ["read", "head", "submit"]) Reflect.deleteProperty(served.world.ledger, name);
});
afterAll(() => served.close());

/** A granted request and the reveal that its reader would send, caught before it leaves. */
async function granted(reader: Member = cleo): Promise<{ grant: Granted; reveal: Reveal }> {
  const { world } = served;
  const { recordId } = await world.byAuthor(cleo, ana, { namespace: "cedars", policy, text: "a record" });
  const client = served.client(reader);
  const grant = await request(client, { member: reader, recordId });
  let reveal: Reveal | undefined;
  const transform: Provider["transform"] = async (given) => {
    reveal = given;
    throw new Error("caught");
  };
  const catching = { account: client.provider.account, transform } as Provider;
  await askTransform({ ...client, provider: catching }, { member: reader, granted: grant }).catch(() => {});
  return { grant, reveal: reveal! };
}

async function send(
  reveal: Reveal,
): Promise<{ status: number; json: Record<string, unknown>; text: string }> {
  const json = Object.fromEntries(Object.entries(reveal).map(([name, value]) => [name, toHex(value)]));
  const response = await fetch(`${served.host.url}/v1/provider/transforms`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
  const text = await response.text();
  return { status: response.status, json: JSON.parse(text), text };
}

const told = ["type", "title", "status", "detail", "code", "hint", "data"];

/** The code that a reveal is refused with; the answer holds nothing else. */
async function refused(reveal: Reveal): Promise<unknown> {
  const { status, json, text } = await send(reveal);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(Object.keys(json).filter((name) => !told.includes(name))).toEqual([]);
  expect(text.length).toBeLessThan(1_000);
  return json.code;
}

async function transforms(recordId: Uint8Array): Promise<number> {
  const { entries } = await accessLog(served.world.ledger, { recordId, owner: ana });
  return entries.filter(({ event }) => event === "transformed").length;
}

describe("a grant", () => {
  it("is answered once it stands, and leaves one receipt with the provider's signature, however often it is asked", async () => {
    const { grant, reveal } = await granted();
    const first = await send(reveal);
    expect(first.status).toBe(200);
    const again = await send(reveal);
    expect([again.status, again.json.transform]).toEqual([200, first.json.transform]);
    const { entries } = await accessLog(served.world.ledger, { recordId: grant.recordId, owner: ana });
    const receipts = entries.filter(({ event }) => event === "transformed");
    expect(receipts.map(({ reader }) => reader && toHex(reader))).toEqual([toHex(cleo.account)]);
    const { ledger, provider } = served.world;
    const { height } = await ledger.head();
    const signers: string[] = [];
    for await (const block of ledger.blocks(1, height)) {
      for (const bytes of block.transactions) {
        const { body, authorisation } = decodeTransaction(bytes);
        const { action } = body;
        if (action.kind !== "receipt" || toHex(action.requestId) !== toHex(grant.requestId)) continue;
        signers.push(toHex(authorisation.account!.account));
      }
    }
    expect(signers).toEqual([toHex(provider.account)]);
  });

  it("that lapsed is none", async () => {
    const { grant, reveal } = await granted();
    served.world.advance(11 * 60_000);
    expect(await refused(reveal)).toBe("grant-missing");
    expect(await transforms(grant.recordId)).toBe(0);
  });

  it("is for its record", async () => {
    const [one, other] = [await granted(), await granted()];
    expect(await refused({ ...one.reveal, recordId: other.grant.recordId })).toBe("signature-invalid");
    expect(await refused({ ...one.reveal, requestId: other.grant.requestId })).toBe("signature-invalid");
  });

  it("is for the version that it was asked for", async () => {
    const { grant, reveal } = await granted();
    await rekey(served.client(ana), { owner: ana, recordId: grant.recordId });
    expect(await refused(reveal)).toBe("grant-missing");
  });

  it("ends with the record", async () => {
    const { grant, reveal } = await granted();
    await erase(served.client(ana), { owner: ana, recordId: grant.recordId });
    expect(await refused(reveal)).toBe("erased");
  });

  it("ends with the reader's attribute", async () => {
    const dora = await served.world.member(policy);
    const { grant, reveal } = await granted(dora);
    await served.world.hospitals.get("cedars")!.revoke(dora.account, [policy]);
    // A revocation opens the next period of signing keys for those who stay.
    await served.world.refresh(cleo);
    expect(await refused(reveal)).toBe("revoked");
    expect(await transforms(grant.recordId)).toBe(0);
  });
});

describe("a ledger that cannot be reached", () => {
  /** These of its calls fail from the given one on. */
  function away(names: readonly ("read" | "head" | "submit")[], from = 1): void {
    const { ledger } = served.world;
    let calls = 0;
    for (const name of names) {
      const real = Object.getPrototypeOf(ledger)[name] as (...given: unknown[]) => unknown;
      const call = async (...given: unknown[]): Promise<unknown> => {
        if (++calls >= from) throw new ChartsealError("ledger-unreachable", "the ledger is away");
        return await real.apply(ledger, given);
      };
      Object.assign(ledger, { [name]: call } as Partial<Ledger>);
    }
  }
  const back = (): void => {
    for (const name of ["read", "head", "submit"]) Reflect.deleteProperty(served.world.ledger, name);
  };

  it("grants nothing at all, and what was granted is had when it is back", async () => {
    const { grant, reveal } = await granted();
    away(["read", "head", "submit"]);
    expect(await refused(reveal)).toBe("ledger-unreachable");
    back();
    expect(await transforms(grant.recordId)).toBe(0);
    expect((await send(reveal)).status).toBe(200);
  });

  it("that takes no receipt gets no transform out of the provider", async () => {
    const { grant, reveal } = await granted();
    away(["submit"]);
    expect(await refused(reveal)).toBe("ledger-unreachable");
    back();
    expect(await transforms(grant.recordId)).toBe(0);
    expect((await send(reveal)).status).toBe(200);
    expect(await transforms(grant.recordId)).toBe(1);
  });

  it("grants nothing from whichever of its reads on it is away", async () => {
    const { reveal } = await granted();
    let reads = 0;
    const { ledger } = served.world;
    const real = Object.getPrototypeOf(ledger).read as Ledger["read"];
    Object.assign(ledger, {
      read: async (...given: Parameters<Ledger["read"]>) => {
        reads++;
        return await real.apply(ledger, given);
      },
    });
    const { status } = await send((await granted()).reveal);
    expect(status).toBe(200);
    back();
    expect(reads).toBeGreaterThan(10);
    // From each of its reads on, until one is late enough for the answer to need none of it.
    let last: unknown;
    for (let from = 1; from <= 40; from++) {
      away(["read", "head"], from);
      const { status: answered, json } = await send(reveal);
      back();
      last = answered;
      if (answered === 200) break;
      expect(json.code).toBe("ledger-unreachable");
      expect(Object.keys(json).filter((name) => !told.includes(name))).toEqual([]);
    }
    expect(last).toBe(200);
  });
});
