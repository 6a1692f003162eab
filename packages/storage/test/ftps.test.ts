/** The FTPS store over a real server: the contract of every store, and what only such a server has. */

import { chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type FtpsServer, startVsftpd } from "@chartseal/lab";
import { afterAll, afterEach, beforeAll } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { type FtpsOptions, type FtpsStore, openFtpsStore } from "../src/ftps/index.ts";
import { conformance } from "./conformance.ts";

describeTool("ftps", "the FTPS store over vsftpd", (program) => {
  let server: FtpsServer;
  let stores = 0;
  const opened: FtpsStore[] = [];

  beforeAll(async () => {
    server = await startVsftpd(program);
  });
  afterEach(() => {
    // The server takes some tens of connections from one address.
    for (const store of opened.splice(0)) store.close();
  });
  afterAll(async () => {
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
});
