/** A namespace's identity provider over HTTP: a real provider, a real server, a member on another machine. */
import { ed25519KeyPairFromSeed, toHex } from "@chartseal/crypto";
import { NamespaceIdentity } from "@chartseal/oidc";
import {
  attributesInForce,
  type Identity,
  type Link,
  type LinkStore,
  parseMapping,
} from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HospitalProvider } from "../../../packages/oidc/test/hospital-provider.ts";
import { failure, type Member } from "../../../packages/sharing/test/world.ts";
import { HttpIdentity, type RequestSigner } from "../src/client/index.ts";
import { ServedWorld, signerOf } from "./served-world.ts";

const redirectUri = "http://127.0.0.1:4711/callback";
const mapping = parseMapping(
  {
    version: 1,
    rules: [{ claim: "groups", operator: "contains", value: "doctors", attributes: ["doctor@cedars"] }],
  },
  "cedars",
);
const token: RequestSigner = {
  keyId: toHex(ed25519KeyPairFromSeed(new Uint8Array(32).fill(1)).publicKey),
  seed: new Uint8Array(32).fill(1),
};

let served: ServedWorld;
let idp: HospitalProvider;
let bob: Member;
let eve: Member;
const links = new Map<string, Link>();
const store: LinkStore = {
  get: async (account) => links.get(account),
  put: async (link) => void links.set(link.account, link),
  remove: async (account) => void links.delete(account),
  accounts: async () => [...links.keys()],
};

beforeAll(async () => {
  idp = await HospitalProvider.start();
  served = await ServedWorld.create({
    localKey: Buffer.from(token.keyId, "hex"),
    identity: (world) => {
      const service = new NamespaceIdentity({
        settings: async () => idp.settings,
        vouching: async () => ({
          // Logins are of today: the provider's clock is the machine's.
          surroundings: { ledger: world.ledger, now: Date.now },
          hospital: world.hospitals.get("cedars")!,
          store,
          mapping,
        }),
        revoked: () => world.provider.follow(),
      });
      return async (name) => (name === "cedars" ? service : undefined);
    },
  });
  const { world } = served;
  await world.hospital("cedars");
  await world.hospital("mercy");
  bob = await world.member();
  eve = await world.member();
  idp.users.set("u-bob", { groups: ["doctors"] });
  idp.users.set("u-eve", { groups: ["porters"] });
});
afterAll(async () => {
  await idp.stop();
  await served.close();
});

const identity = (member: Identity, namespace = "cedars") =>
  new HttpIdentity({
    connection: served.connection(),
    namespace,
    member,
    chainId: served.world.ledger.chainId,
  });
const browser =
  (user: string) =>
  async ({ url }: { url: string }) =>
    await idp.signIn(url, user);
const held = async (member: Member) =>
  (await attributesInForce(served.world.ledger, member.account)).filter((one) => one.endsWith("@cedars"));
const ask = (signer: RequestSigner | undefined, path: string, json?: object) =>
  served.connection().json({
    target: `/v1/namespace/cedars/identity${path}`,
    ...(json === undefined ? {} : { json }),
    ...(signer === undefined ? {} : { signer }),
  });

describe("over HTTP, a member", () => {
  test("logs in with its own browser, is linked, and learns why", async () => {
    const report = await identity(bob).link({ redirectUri, come: browser("u-bob") });
    expect(report).toMatchObject({ outcome: "current", vouched: ["doctor@cedars"] });
    expect(await held(bob)).toEqual(["doctor@cedars"]);
    const [reason] = await identity(bob).why("doctor@cedars");
    expect(reason).toMatchObject({
      by: "mapping",
      match: { rule: 0, value: "doctors" },
      identity: { subject: "u-bob" },
    });
  });

  test("has its own claims read again, and nobody else's", async () => {
    expect(await identity(bob).sync()).toMatchObject([{ outcome: "current", vouched: [], revoked: [] }]);
    expect(await identity(eve).sync()).toEqual([]);
    for (const path of ["/sync", "/unlink", "/why"]) {
      await failure("signature-invalid", () => ask(signerOf(eve), path, { account: toHex(bob.account) }));
    }
    expect(await held(bob)).toEqual(["doctor@cedars"]);
  });

  test("at a namespace that follows no provider is told so", async () => {
    await failure("input-invalid", () =>
      identity(bob, "mercy").link({ redirectUri, come: browser("u-bob") }),
    );
  });

  test("cannot have the browser come back to anywhere but its own machine", async () => {
    for (const elsewhere of [
      "http://evil.example/callback",
      "https://127.0.0.1:4711/callback",
      "http://127.0.0.1:4711/callback?x=1",
      "http://127.0.0.1.evil.example:4711/callback",
      "http://127.0.0.1:4711@evil.example/callback",
    ]) {
      await failure("input-invalid", () =>
        identity(bob).link({ redirectUri: elsewhere, come: browser("u-bob") }),
      );
    }
  });
});

describe("somebody who wants another's identity", () => {
  /**
   * Eve begins a login for her own account and talks bob into opening its address: his browser logs him in. It comes back
   * to his machine, where nobody waits, so she never has what it brought.
   */
  test("who talks the other into logging in has nothing: the browser comes back to the other's machine", async () => {
    idp.users.set("u-carl", { groups: ["doctors"] });
    let brought: URL | undefined;
    const hers = identity(eve).link({
      redirectUri,
      come: async ({ url }) => {
        brought = await idp.signIn(url, "u-carl");
        // She has the state that she began with, and guesses.
        const guess = new URL(redirectUri);
        guess.searchParams.set("state", brought.searchParams.get("state")!);
        guess.searchParams.set("code", "a-guess");
        return guess;
      },
    });
    await failure("identity-refused", () => hers);
    expect(await held(eve)).toEqual([]);
    // What came to carl's machine serves neither his login nor anybody's.
    const carl = await served.world.member();
    await failure("identity-refused", () => identity(carl).link({ redirectUri, come: async () => brought! }));
  });

  test("who sees what a browser brought cannot end the login: it is the account's that began it", async () => {
    let stolen: { readonly state: string; readonly redirected: string } | undefined;
    const begun = identity(bob).link({
      redirectUri,
      come: async ({ url, state }) => {
        const redirected = await idp.signIn(url, "u-bob");
        stolen = { state, redirected: redirected.href };
        await failure("identity-refused", () => ask(signerOf(eve), "/finish", stolen));
        return redirected;
      },
    });
    expect(await begun).toMatchObject({ outcome: "current" });
    await failure("identity-refused", () => ask(signerOf(bob), "/finish", stolen));
    expect(await held(eve)).toEqual([]);
  });

  test("who signs no request, or a wish that is not its account's, begins nothing", async () => {
    await failure("signature-invalid", () => ask(undefined, ""));
    await failure("signature-invalid", () => ask(undefined, "/sync", {}));
    await failure("signature-invalid", () =>
      ask(token, "/begin", { challenge: "00".repeat(32), signature: "00".repeat(64), redirectUri }),
    );
    const foreign = { challenge: "00".repeat(32), signature: "00".repeat(64), redirectUri };
    await failure("identity-refused", () => ask(signerOf(eve), "/begin", foreign));
    for (const bad of [{}, { ...foreign, more: 1 }, { ...foreign, challenge: "zz" }]) {
      await failure("input-invalid", () => ask(signerOf(eve), "/begin", bad));
    }
  });
});

describe("the machine's token", () => {
  test("has everybody's claims read, one after the other however often at once, and ends a link", async () => {
    idp.users.set("u-bob", { groups: [] });
    const both = await Promise.all([ask(token, "/sync", {}), ask(token, "/sync", {})]);
    expect(both.map(({ links: found }) => found)).toMatchObject([
      [{ outcome: "current", revoked: ["doctor@cedars"] }],
      [{ outcome: "current", revoked: [] }],
    ]);
    expect(await held(bob)).toEqual([]);
    expect(await ask(token, "/unlink", { account: toHex(bob.account) })).toMatchObject({
      outcome: "unlinked",
    });
    await failure("input-invalid", () => ask(token, "/unlink", { account: toHex(bob.account) }));
    await failure("input-invalid", () => ask(token, "/why", {}));
  });

  test("is told of a provider that is down, and nothing changes", async () => {
    idp.users.set("u-bob", { groups: ["doctors"] });
    await identity(bob).link({ redirectUri, come: browser("u-bob") });
    await idp.stop();
    await failure("identity-unreachable", () => ask(token, "/sync", {}));
    expect(await held(bob)).toEqual(["doctor@cedars"]);
    await idp.restart();
  });
});
