/** Metrics and health: what is counted, for whom, and that nobody's name is in it. */
import { parsePolicy, randomBytes, toHex, utf8 } from "@chartseal/crypto";
import { deposit, retrieve } from "@chartseal/sharing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failure, type Member, readOut, source } from "../../../packages/sharing/test/world.ts";
import { ServedWorld } from "./served-world.ts";

const lines: string[] = [];
let served: ServedWorld;
let ana: Member;
beforeAll(async () => {
  served = await ServedWorld.create({ log: { write: (line) => void lines.push(line) } });
  ana = await served.world.member();
});
afterAll(() => served.close());
afterEach(() => {
  served.proxy.faults = undefined;
});

const own = () =>
  deposit(served.client(ana), {
    by: ana,
    owner: ana.account,
    policy: parsePolicy(`${toHex(ana.account)}@self`),
    source: source(utf8("an ECG")),
    metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" as const }),
  });

async function metrics(): Promise<Map<string, number>> {
  const response = await fetch(`${served.host.url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain");
  const found = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    const at = line.lastIndexOf(" ");
    if (!line.startsWith("#") && at > 0) found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

const answered = (route: string, method: string, status: number) =>
  `chartseal_requests_total{route="${route}",method="${method}",status="${status}"}`;

describe("metrics", () => {
  it("count requests, seconds, bytes, refusals by code, transforms, and say where the ledger stands", async () => {
    const { recordId } = await own();
    await readOut(await retrieve(served.client(ana), { member: ana, recordId }));
    await failure("grant-missing", () =>
      served.connection().json({ target: `/v1/provider/transforms/${"00".repeat(32)}/leaves/0` }),
    );
    const found = await metrics();
    expect(found.get(answered("/v1/provider/transforms", "POST", 200))).toBe(1);
    expect(found.get('chartseal_request_seconds_count{route="/v1/provider/transforms",method="POST"}')).toBe(
      1,
    );
    const code = '{route="/v1/provider/transforms/:ticket/leaves/:index",code="grant-missing"}';
    expect(found.get(`chartseal_problems_total${code}`)).toBe(1);
    const { height, timestampMs } = await served.world.ledger.head();
    expect(found.get("chartseal_ledger_height")).toBe(height);
    expect(found.get("chartseal_ledger_head_timestamp_seconds")).toBe(timestampMs / 1000);
    expect(
      found.get('chartseal_bytes_total{route="/v1/provider/headers",direction="received"}'),
    ).toBeGreaterThan(500);
    expect(found.get('chartseal_role_up{role="provider"}')).toBe(1);
  });

  it("say how much is under way, and nothing of whom", async () => {
    const connection = served.connection();
    const { upload } = await connection.json({ target: "/v1/provider/uploads", json: {} });
    await connection.json({
      method: "PATCH",
      target: `/v1/provider/uploads/${upload}`,
      stream: source(randomBytes(12_345)),
      fields: { "upload-offset": "0" },
    });
    const found = await metrics();
    expect(found.get("chartseal_provider_uploads")).toBe(1);
    expect(found.get("chartseal_provider_upload_bytes")).toBe(12_345);
    const text = [...found.keys(), ...lines].join("\n");
    expect(text).not.toMatch(/[0-9a-f]{32}/);
  });

  it("are for this machine: a name from elsewhere, as behind a proxy, is refused", async () => {
    const response = await fetch(`http://${served.proxy.authority}/metrics`);
    // The proxy of this test is on loopback by a loopback name; one that is not is simulated by the Host field.
    expect(response.status).toBe(200);
    const elsewhere = await ServedWorld.create({ authorities: ["provider.example:443"] });
    try {
      const { request } = await import("node:http");
      const status = await new Promise((resolve, reject) => {
        const headers = { host: "provider.example:443" };
        request({ port: elsewhere.host.port, path: "/metrics", headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
          .on("error", reject)
          .end();
      });
      expect(status).toBe(401);
    } finally {
      await elsewhere.close();
    }
  });
});

describe("health", () => {
  const health = async () => {
    const response = await fetch(`${served.host.url}/health`);
    return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
  };

  it("is that of the store and of the ledger, and comes back with them", async () => {
    expect(await health()).toMatchObject({ status: 200, ok: true });
    const { objects } = served.world.stores;
    const { ledger } = served.world;
    const gone = async () => {
      throw new (await import("@chartseal/storage")).StorageError("store-unreachable", "gone");
    };
    Object.assign(objects, { stat: gone });
    expect(await health()).toMatchObject({
      status: 503,
      roles: { provider: { ok: false, code: "provider-unreachable" }, ledger: { ok: true } },
    });
    expect((await metrics()).get('chartseal_role_up{role="provider"}')).toBe(0);
    Reflect.deleteProperty(objects, "stat");
    const { ChartsealError } = await import("@chartseal/crypto");
    Object.assign(ledger, {
      head: async () => {
        throw new ChartsealError("ledger-unreachable", "gone");
      },
    });
    expect(await health()).toMatchObject({
      status: 503,
      roles: { ledger: { ok: false, code: "ledger-unreachable" } },
    });
    Reflect.deleteProperty(ledger, "head");
    expect(await health()).toMatchObject({ status: 200 });
  });
});

describe("usage", () => {
  it("is for the operator's token alone", async () => {
    await failure("signature-invalid", () => served.connection().json({ target: "/v1/provider/usage" }));
    const usage = await served.world.provider.usage();
    expect(usage.owner(ana.account).records).toBe(1);
  });
});
