/** The S3 store where the network or the server fails: by connections, and by answers of HTTP. */
import { FaultyProxy, type S3Server, startVersitygw } from "@chartseal/lab";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../../test/seeded.ts";
import { describeTool } from "../../../test/tools.ts";
import type { ByteRange } from "../src/index.ts";
import { openS3Store, type S3Options, type S3Store } from "../src/s3/index.ts";
import { collect, names, patternBytes, source } from "./conformance.ts";
import { faults } from "./faults.ts";
import { type HttpAsked, HttpFaults } from "./http-faults.ts";

const partBytes = 5 << 20;
const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

describeTool("versitygw", "the S3 store over versitygw", (program) => {
  let server: S3Server;
  let cutting: FaultyProxy;
  let http: HttpFaults;
  let stores = 0;
  const opened: S3Store[] = [];

  beforeAll(async () => {
    server = await startVersitygw(program);
    cutting = await FaultyProxy.start(server);
    http = await HttpFaults.start(server.port);
  });
  afterEach(() => {
    http.plan = () => undefined;
    for (const store of opened.splice(0)) store.close();
  });
  afterAll(async () => {
    await cutting?.stop();
    await http?.stop();
    await server?.stop();
  });

  function open(options: Partial<S3Options> = {}): S3Store {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
    const at = { endpoint, region, bucket, accessKeyId, secretAccessKey, partBytes, stallMs: 500 };
    const store = openS3Store({ ...at, prefix: `f${stores}`, ...options });
    opened.push(store);
    return store;
  }

  /** Through the proxy that knows HTTP, and past it. */
  function both(options: Partial<S3Options> = {}): { store: S3Store; beside: S3Store } {
    stores++;
    const store = open({ endpoint: `http://127.0.0.1:${http.port}`, ...options });
    return { store, beside: open() };
  }

  faults("The S3 store", { object: 12_000_000, share: 0.5, deadlineMs: 60_000 }, async () => {
    stores++;
    const store = open({ endpoint: `http://127.0.0.1:${cutting.port}`, attemptsMax: 8 });
    const unfinished = () => store.unfinished();
    const clear = () => store.clear(Date.now() + 60_000);
    return { store, beside: open({ stallMs: 5000 }), proxy: cutting, unfinished, clear };
  });

  it("a body that goes silent is read on from there, also where the limit is six seconds, from which on the SDK begins to watch later", async () => {
    stores++;
    const store = open({ endpoint: `http://127.0.0.1:${cutting.port}`, stallMs: 6_500 });
    const bytes = patternBytes(3_000_000);
    await open().put("a", source(bytes));
    let silent = 0;
    cutting.faults = { plan: () => (silent++ === 0 ? { stallBytes: 1_000_000 } : undefined) };
    cutting.cutAll();
    try {
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      expect(silent).toBe(2);
    } finally {
      cutting.faults = undefined;
      cutting.cutAll();
    }
  });

  describe("where answers of HTTP are wrong", () => {
    it.each([500, 503])(
      "a server that often answers %i is asked again, whatever the request",
      async (status) => {
        const { store, beside } = both({ attemptsMax: 8 });
        const random = seeded(status);
        http.plan = () => (random() < 0.3 ? { status } : undefined);
        const bytes = patternBytes(12_000_000);
        await store.put("a", source(bytes));
        await store.put("b", source(patternBytes(100)));
        expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
        expect(await names(store.list())).toEqual(["a", "b"]);
        expect(await store.remove("b")).toBe(true);
        expect(await names(beside.list())).toEqual(["a"]);
      },
    );

    it("an answer that is lost after the server did it costs nothing: not of a part, a completion, a put or a removal", async () => {
      const { store, beside } = both();
      const bytes = patternBytes(12_000_000);
      const lost = new Set<string>();
      http.plan = (asked) => {
        const kind = `${asked.method} ${asked.url.replace(/=[^&]*/g, "")}`;
        if (asked.method === "GET" || lost.has(kind)) return undefined;
        lost.add(kind);
        return { lost: 500 };
      };
      await store.put("a", source(bytes));
      await store.put("b", source(patternBytes(100)));
      expect(Buffer.compare(await collect(beside.get("a")), bytes)).toBe(0);
      expect(await store.remove("b")).toBe(true);
      expect(await names(beside.list())).toEqual(["a"]);
      expect([...lost].map((kind) => kind.split(" ")[0]).sort()).toEqual(
        expect.arrayContaining(["DELETE", "POST", "PUT"]),
      );
      // The upload whose first answer was lost has another id; clearing finds it.
      await store.clear(Date.now() + 60_000);
      expect(await store.unfinished()).toBe(0);
    });

    it("a server that joins and copies for longer than it may else be silent is waited for, and asked once", async () => {
      const { store, beside } = both({ stallMs: 500 });
      const asked: string[] = [];
      http.plan = ({ method, url, headers }) => {
        const isJoin = method === "POST" && url.includes("uploadId=");
        const isCopy = method === "PUT" && headers["x-amz-copy-source"] !== undefined;
        if (!isJoin && !isCopy) return undefined;
        asked.push(isJoin ? "join" : "copy");
        return { lateMs: 2_000 };
      };
      const bytes = patternBytes(12_000_000);
      const handle = await store.begin();
      await handle.write(bytes);
      await handle.commit("a");
      expect(asked).toEqual(["join", "copy"]);
      expect(Buffer.compare(await collect(beside.get("a")), bytes)).toBe(0);
    });

    it("also its patience with joining has an end, and nothing is half there", async () => {
      const { store, beside } = both({ stallMs: 300, joinMs: 600, attemptsMax: 1 });
      http.plan = ({ method, url }) =>
        method === "POST" && url.includes("uploadId=") ? { lateMs: 5_000 } : undefined;
      await expect(store.put("a", source(patternBytes(12_000_000)))).rejects.toEqual(
        coded("store-unreachable"),
      );
      const [whole] = await names(beside.list());
      if (whole !== undefined) expect((await beside.stat(whole)).size).toBe(12_000_000);
    });

    it("a body that ends before its length is read on from there", async () => {
      const { store } = both();
      const bytes = patternBytes(6_000_000);
      await store.put("a", source(bytes));
      http.plan = () => ({ bodyBytes: 1_000_000 });
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      expect(http.struck).toBeGreaterThan(4);
    });

    it("a server that gives other bytes than the range that was asked for is not believed", async () => {
      const { store } = both();
      const bytes = patternBytes(3_000_000);
      await store.put("a", source(bytes));
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      http.plan = () => ({ whole: true });
      const read: Uint8Array[] = [];
      const reading = async (range?: ByteRange): Promise<void> => {
        for await (const chunk of store.get("a", range)) read.push(chunk);
      };
      await expect(reading({ from: 1_000_000, toInclusive: 1_999_999 })).rejects.toEqual(
        coded("store-unreachable"),
      );
      expect(read).toEqual([]);
      // The same where a reading that was cut goes on.
      let asked = 0;
      http.plan = () => (asked++ === 0 ? { bodyBytes: 1_000_000 } : { whole: true });
      await expect(reading()).rejects.toEqual(coded("store-unreachable"));
      expect(Buffer.concat(read).compare(bytes.subarray(0, Buffer.concat(read).length))).toBe(0);
    });

    it("a body that is short, and whose length is told as short, is not taken for all of the object", async () => {
      const { store } = both();
      const bytes = patternBytes(3_000_000);
      await store.put("a", source(bytes));
      http.plan = () => ({ lieBytes: 700_000 });
      expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
      const range = { from: 1_000_000, toInclusive: 1_999_999 };
      expect(Buffer.compare(await collect(store.get("a", range)), bytes.subarray(1_000_000, 2_000_000))).toBe(
        0,
      );
    });

    it("a listing of earlier shows what is gone and not what is new, and nothing else believes it", async () => {
      const { store } = both();
      await store.put("a", source(patternBytes(10)));
      await store.put("b", source(patternBytes(20)));
      const isListing = ({ url }: HttpAsked) => url.includes("list-type=2");
      expect(await names(store.list())).toEqual(["a", "b"]);
      await store.remove("a");
      await store.put("c", source(patternBytes(30)));
      http.plan = (asked) => (isListing(asked) ? { stale: true } : undefined);
      expect(await names(store.list())).toEqual(["a", "b"]);
      await expect(store.stat("a")).rejects.toEqual(coded("object-missing"));
      await expect(collect(store.get("a"))).rejects.toEqual(coded("object-missing"));
      expect(await store.remove("a")).toBe(false);
      expect(await store.stat("c")).toEqual({ size: 30 });
      await store.put("c", source(patternBytes(31)));
      expect(await store.remove("c")).toBe(true);
    });

    it("a server that answers 5xx for ever fails everything, and leaves the old object", async () => {
      const { store, beside } = both();
      const old = patternBytes(12_000_000);
      await store.put("a", source(old));
      http.plan = () => ({ status: 503 });
      await expect(store.put("a", source(patternBytes(12_000_000, 2)))).rejects.toEqual(
        coded("store-unreachable"),
      );
      await expect(collect(store.get("a"))).rejects.toEqual(coded("store-unreachable"));
      await expect(store.stat("a")).rejects.toEqual(coded("store-unreachable"));
      await expect(names(store.list())).rejects.toEqual(coded("store-unreachable"));
      await expect(store.remove("a")).rejects.toEqual(coded("store-unreachable"));
      expect(Buffer.compare(await collect(beside.get("a")), old)).toBe(0);
    });
  });
});
