/** A hospital that follows its identity provider while a server runs on the home: the commands, and the server's own timer. */
import type { ChildProcess } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HospitalProvider } from "../../packages/oidc/test/hospital-provider.ts";
import { finished, homeIn, json, run, start, workFolder } from "./support.ts";

const folder = workFolder();
let home: string;
let idp: HospitalProvider;
let server: ChildProcess;

beforeAll(async () => {
  home = await homeIn(folder);
  idp = await HospitalProvider.start();
  idp.users.set("u-carol", { groups: ["night"] });
  const rules = [{ claim: "groups", operator: "contains", value: "night", attributes: ["night@cedars"] }];
  writeFileSync(join(folder, "mapping.json"), JSON.stringify({ version: 1, rules }));
  server = start(["serve", "--json"], { home, env: { CHARTSEAL_IDENTITY_SECONDS: "2" } });
  while (!existsSync(join(home, "run", "server.json"))) {
    if (server.exitCode !== null) throw new Error("the server ended");
    await sleep(50);
  }
});
afterAll(async () => {
  server.kill("SIGTERM");
  await idp.stop();
});

/** `namespace link` with somebody at the browser of this machine. */
async function link(member: string, user: string) {
  const child = start(["namespace", "link", "cedars", "--as", member, "--json"], { home });
  const end = finished(child);
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (bytes) => {
      said += String(bytes);
      const [found] = /http:\S+\/auth\?\S+(?=\n)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    end.then((done) => reject(new Error(done.stderr)));
  });
  await fetch(await idp.signIn(url, user));
  return await end;
}

const attributesOf = async (member: string): Promise<string[]> =>
  (await json(["attributes", "list", member], { home })).attributes as string[];

describe("beside a server", () => {
  test("the provider is set and shown, and a member is linked by a login on its own machine", async () => {
    const { issuer, clientId, clientSecret } = idp.settings;
    const about = ["--issuer", issuer, "--client-id", clientId, "--scopes", "openid,profile,offline_access"];
    const mapping = ["--mapping", join(folder, "mapping.json")];
    const env = { CHARTSEAL_OIDC_CLIENT_SECRET: clientSecret! };
    const set = await run(["namespace", "oidc", "set", "cedars", ...about, ...mapping], { home, env });
    expect(set.code, set.stderr).toBe(0);
    expect(await json(["namespace", "oidc", "show", "cedars"], { home })).toMatchObject({ issuer, links: 0 });
    const linked = await link("carol", "u-carol");
    expect(linked.code, linked.stderr).toBe(0);
    expect(JSON.parse(linked.text)).toMatchObject({ member: "carol", vouched: ["night@cedars"] });
    expect(await attributesOf("carol")).toContain("night@cedars");
    expect(await json(["why", "carol", "night@cedars"], { home })).toMatchObject({ by: "mapping" });
  });

  test("a sync goes through it, with the passphrase as ever", async () => {
    const synced = await json(["namespace", "sync", "cedars"], { home });
    expect(synced).toMatchObject({ links: [{ member: "carol", outcome: "current" }] });
    const wrong = await run(["namespace", "sync", "cedars"], { home, passphrase: "wrong" });
    expect(wrong.code).toBe(3);
  });

  test("its timer revokes what is gone without anybody acting, and brings what is new", async () => {
    const becomes = async (has: boolean): Promise<void> => {
      for (let tries = 0; (await attributesOf("carol")).includes("night@cedars") !== has; tries++) {
        if (tries > 30) throw new Error("the server did not follow");
        await sleep(500);
      }
    };
    idp.users.set("u-carol", { groups: [] });
    await becomes(false);
    idp.users.set("u-carol", { groups: ["night"] });
    await becomes(true);
    expect((await json(["namespace", "unlink", "cedars", "--member", "carol"], { home })).outcome).toBe(
      "unlinked",
    );
    expect(await attributesOf("carol")).not.toContain("night@cedars");
  });
});
