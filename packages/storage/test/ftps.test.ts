/** The FTPS store over a real server: the contract of every store, and what only such a server has. */

import { once } from "node:events";
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { FaultyProxy, type FtpsServer, startVsftpd } from "@chartseal/lab";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { type FtpsOptions, type FtpsStore, openFtpsStore } from "../src/ftps/index.ts";
import { conformance, names, patternBytes, source } from "./conformance.ts";
import { faults } from "./faults.ts";

const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });
const sizesIn = (folder: string) => readdirSync(folder).map((name) => statSync(join(folder, name)).size);
/** Where the proxy listens, on the server's own ports: what the server says of those lies within TLS. */
const twin = "127.0.0.2";

describeTool("ftps", "the FTPS store over vsftpd", (program) => {
  let server: FtpsServer;
  let proxy: FaultyProxy;
  let stores = 0;
  const opened: FtpsStore[] = [];

  beforeAll(async () => {
    server = await startVsftpd(program, { certificateNames: ["IP:127.0.0.1", `IP:${twin}`] });
    proxy = await FaultyProxy.start(server, { host: twin, furtherPorts: server.passivePorts });
  });
  afterEach(() => {
    // The server takes some tens of connections from one address.
    for (const store of opened.splice(0)) store.close();
  });
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  function open(options: Partial<FtpsOptions> = {}): FtpsStore {
    const { host, port, user, password, folder, ca, path } = server;
    const below = `s${stores++}`;
    const { uid, gid } = statSync(path);
    mkdirSync(join(path, below));
    chownSync(join(path, below), uid, gid);
    const store = openFtpsStore({ host, port, user, password, folder: `${folder}/${below}`, ca, ...options });
    opened.push(store);
    return store;
  }

  conformance("The FTPS store", async () => {
    const store = open({ segmentBytes: 1 << 20 });
    return { store, unfinished: () => store.unfinished() };
  });

  faults("The FTPS store", { object: 2_000_000, share: 0.25, deadlineMs: 60_000 }, async () => {
    const small = { segmentBytes: 300_000, timeoutMs: 500 };
    // Each attempt has two connections or three, any of which may be cut.
    const store = open({ ...small, host: twin, attemptsMax: 12 });
    const beside = open({
      ...small,
      timeoutMs: 5_000,
      attemptsMax: 12,
      folder: `${server.folder}/s${stores - 1}`,
    });
    const unfinished = () => store.unfinished();
    return { store, beside, proxy, unfinished, clear: () => store.clear(Date.now() + 60_000) };
  });

  describe("beyond the contract", () => {
    it("an object is a plain file at the path of its name, and nothing lies beside it", async () => {
      const store = open();
      await store.put("ab/cd.header", source(patternBytes(1000)));
      const folder = join(server.path, `s${stores - 1}`);
      expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
        "objects",
        "objects/ab",
        "objects/ab/cd.header",
        "unfinished",
      ]);
      expect(Buffer.compare(readFileSync(join(folder, "objects/ab/cd.header")), patternBytes(1000))).toBe(0);
    });

    it("what a crash leaves is counted, and cleared once it is old enough", async () => {
      const store = open({ segmentBytes: 1000 });
      await (await store.begin()).write(patternBytes(5000));
      // The process is gone here: another one opens the same place.
      const after = open({ folder: `${server.folder}/s${stores - 1}` });
      expect(await after.unfinished()).toBe(1);
      expect(await after.clear(Date.now() - 60_000)).toBe(0);
      expect(await after.clear(Date.now() + 60_000)).toBe(1);
      expect(await after.unfinished()).toBe(0);
      expect(await names(after.list())).toEqual([]);
    });

    it.each([1, 2])(
      "bytes that the server lost before segment %i is acknowledged keep the object from its name",
      async (last) => {
        const store = open({ segmentBytes: 1000 });
        await store.put("a", source(patternBytes(10)));
        const handle = await store.begin();
        await handle.write(patternBytes(2000));
        const folder = join(server.path, `s${stores - 1}`, "unfinished");
        await expect.poll(() => sizesIn(folder)).toEqual([2000]);
        for (const name of readdirSync(folder)) truncateSync(join(folder, name), 1500);
        const rest =
          last === 1 ? handle.commit("a") : handle.write(patternBytes(2500)).then(() => handle.commit("a"));
        await expect(rest).rejects.toEqual(coded("store-unreachable"));
        await handle.abort();
        expect(await store.stat("a")).toEqual({ size: 10 });
        expect(await store.unfinished()).toBe(0);
      },
    );

    it("refuses a name that stands in the way of another, and loses neither", async () => {
      const store = open();
      await store.put("a/b", source(patternBytes(10)));
      await store.put("c", source(patternBytes(20)));
      await expect(store.put("c/d", source(patternBytes(1)))).rejects.toEqual(coded("name-invalid"));
      await expect(store.put("a", source(patternBytes(1)))).rejects.toEqual(coded("name-invalid"));
      expect(await names(store.list())).toEqual(["a/b", "c"]);
      expect(await store.unfinished()).toBe(0);
    });

    it("says so when the whole folder is gone, and does not call its objects missing", async () => {
      const store = open();
      await store.put("a", source(patternBytes(10)));
      rmSync(join(server.path, `s${stores - 1}`, "objects"), { recursive: true });
      await expect(store.stat("a")).rejects.toEqual(coded("store-unreachable"));
      await expect(names(store.list())).rejects.toEqual(coded("store-unreachable"));
      await expect(open({ folder: "/store/nowhere" }).check()).rejects.toEqual(coded("store-unreachable"));
    });

    it("streams a large object in constant memory", async () => {
      const store = open();
      const chunk = patternBytes(1 << 20);
      async function* large() {
        for (let i = 0; i < 192; i++) yield chunk;
      }
      const before = process.memoryUsage.rss();
      await store.put("large", large());
      let size = 0;
      for await (const part of store.get("large")) size += part.length;
      expect(size).toBe(192 << 20);
      expect(process.memoryUsage.rss() - before).toBeLessThan(96 << 20);
    }, 60_000);
  });

  describe("whom it talks to:", () => {
    const message = async (store: FtpsStore): Promise<string> => {
      try {
        await store.check();
        return "it let everything pass";
      } catch (error) {
        return (error as Error).message;
      }
    };

    it("a server with a certificate that is not trusted, or that is another's, learns no password", async () => {
      const { ca: _trusted, ...rest } = server;
      for (const strange of [{ ca: undefined }, { host: "127.0.0.3" }]) {
        const relay =
          strange.host === undefined
            ? undefined
            : await FaultyProxy.start(rest, { host: strange.host, furtherPorts: [] });
        const { host, port, user, password, folder, ca } = { ...server, ...strange };
        const store = openFtpsStore({ host, port, user, password, folder, ...(ca !== undefined && { ca }) });
        opened.push(store);
        expect(await message(store)).toMatch(/certificate/);
        await relay?.stop();
      }
    });

    it("a server that has no TLS, or cannot protect data, is told nothing", async () => {
      const heard: string[] = [];
      const plain = createServer((socket) => {
        socket.write("220 ready\r\n");
        socket.on("data", (data) => {
          heard.push(data.toString());
          socket.write("500 unknown\r\n");
        });
        socket.on("error", () => {});
      }).listen(0, "127.0.0.1");
      await once(plain, "listening");
      const { port } = plain.address() as AddressInfo;
      const store = open({ port });
      expect(await message(store)).toBe("the FTPS server answers 500");
      store.close();
      plain.close();
      expect(heard.join("")).toMatch(/^AUTH TLS\r\n/);
      expect(heard.join("")).not.toMatch(/USER|PASS/);
    });

    it("a wrong password is refused at once, and appears in no message", async () => {
      const store = open({ password: "not the password" });
      const began = performance.now();
      const text = await message(store);
      expect(text).toMatch(/account or its password/);
      expect(text).not.toMatch(/not the/);
      expect(performance.now() - began).toBeLessThan(4000);
    });

    it("what would be a command of its own is no password", () => {
      expect(() => open({ password: "x\r\nDELE a" })).toThrow(RangeError);
    });
  });
});
