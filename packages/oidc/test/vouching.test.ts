/**
 * A namespace that follows its identity provider: a small consortium with real cryptography, and a real provider on this
 * machine. Attacks in prose: a login that was made for somebody else, an identity for two accounts, a thief of a refresh
 * token, a provider that says what it likes.
 */
import { toHex } from "@chartseal/crypto";
import {
  attributesInForce,
  completeLink,
  endLink,
  grantedByHand,
  HospitalNamespace,
  isVouched,
  type Link,
  type LinkPlace,
  type LinkReport,
  type LinkStore,
  nonceOf,
  parseMapping,
  revokedByHand,
  signLinkWish,
  syncLink,
  type Vouching,
  type Why,
  whyOf,
} from "@chartseal/sharing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failure, type Member, World } from "../../sharing/test/world.ts";
import { IdentityProvider } from "../src/index.ts";
import { HospitalProvider } from "./hospital-provider.ts";

const redirectUri = "http://127.0.0.1:1/callback";
const document = {
  version: 1,
  rules: [
    { claim: "groups", operator: "contains", value: "doctors", attributes: ["doctor@cedars"] },
    {
      claim: ["unit", "name"],
      operator: "one-of",
      value: ["cardiology", "icu"],
      attributes: ["cardiology@cedars"],
    },
    { claim: "employed", operator: "equals", value: true, attributes: ["staff@cedars"] },
  ],
};

class MemoryLinks implements LinkStore {
  readonly links = new Map<string, string>();
  async get(account: string): Promise<Link | undefined> {
    const text = this.links.get(account);
    return text === undefined ? undefined : (JSON.parse(text) as Link);
  }
  async put(link: Link): Promise<void> {
    this.links.set(link.account, JSON.stringify(link));
  }
  async remove(account: string): Promise<void> {
    this.links.delete(account);
  }
  async accounts(): Promise<readonly string[]> {
    return [...this.links.keys()];
  }
}

let world: World;
let idp: HospitalProvider;
let provider: IdentityProvider;
let store: MemoryLinks;
let hospital: HospitalNamespace;
let vouching: Vouching;
let bob: Member;

beforeEach(async () => {
  world = await World.create();
  await world.hospital("cedars");
  store = new MemoryLinks();
  const noting =
    (note: typeof grantedByHand) => async (account: Uint8Array, attributes: readonly string[]) => {
      const link = await store.get(toHex(account));
      if (link !== undefined) await store.put(note(link, attributes));
    };
  const hands = { granted: noting(grantedByHand), revoked: noting(revokedByHand) };
  hospital = new HospitalNamespace(world.surroundings, world.hospitalParts.get("cedars")!, hands);
  world.hospitals.set("cedars", hospital);
  vouching = { surroundings: world, hospital, store, mapping: parseMapping(document, "cedars") };
  bob = await world.member();
  idp = await HospitalProvider.start();
  idp.users.set("u-bob", {
    name: "Bob",
    groups: ["doctors", "all"],
    unit: { name: "cardiology" },
    employed: true,
  });
  idp.users.set("u-eve", { name: "Eve", groups: ["porters"], employed: true });
  provider = await IdentityProvider.discover(idp.settings, Date.now);
});
afterEach(async () => {
  await idp.stop();
  await world.close();
});

const place = (): LinkPlace => ({
  chainId: world.ledger.chainId,
  namespace: "cedars",
  issuer: idp.settings.issuer,
  clientId: idp.settings.clientId,
});

/** The whole way: the member's wish, the login at the provider, the namespace's checks. */
async function link(member: Member, user: string): Promise<LinkReport> {
  const wish = signLinkWish(place(), member);
  const begun = await provider.begin({ redirectUri, nonce: nonceOf(place(), wish) });
  const login = await provider.finish(begun, await idp.signIn(begun.url, user));
  return await completeLink(vouching, { place: place(), wish, login });
}

const sync = async (member = bob): Promise<LinkReport> => {
  const report = await syncLink(vouching, provider, toHex(member.account));
  await world.provider.follow();
  return report!;
};
const held = async (member = bob) =>
  (await attributesInForce(world.ledger, member.account)).filter((one) => one.endsWith("@cedars")).sort();
const all = ["cardiology@cedars", "doctor@cedars", "staff@cedars"];
const height = async () => (await world.ledger.head()).height;
const why = async (attribute: string, member = bob): Promise<Why> => {
  const linkOf = async () => (await store.get(toHex(member.account))) ?? null;
  return (await whyOf(world.ledger, member.account, { linkOf, attribute }))[0]!;
};
const says = (claims: object, user = "u-bob") => idp.users.set(user, { ...idp.users.get(user), ...claims });

describe("a link", () => {
  test("brings what the rules map, keys follow, and why tells claim, rule, attribute and vouch", async () => {
    expect(await link(bob, "u-bob")).toMatchObject({ outcome: "current", vouched: all, revoked: [] });
    expect(await held()).toEqual(all);
    await world.renew(bob);
    await world.refresh(bob);
    expect([...bob.signingKeys.keys()].map((name) => name.split("#")[0]).sort()).toEqual(all);
    const reason = await why("cardiology@cedars");
    expect(reason).toMatchObject({
      by: "mapping",
      standing: true,
      match: { rule: 1, claim: ["unit", "name"], value: "cardiology" },
      identity: { issuer: idp.settings.issuer, subject: "u-bob" },
      revoked: null,
    });
    const found = await world.ledger.transaction(
      Uint8Array.from(Buffer.from(reason.vouch.transaction, "hex")),
    );
    expect(found?.height).toBe(reason.vouch.height);
  });

  test("leaves nothing of claims or identity on the ledger", async () => {
    await link(bob, "u-bob");
    for await (const block of world.ledger.blocks(1)) {
      for (const bytes of block.transactions) {
        const text = Buffer.from(bytes).toString("latin1");
        for (const secret of ["u-bob", "doctors", "127.0.0.1"]) expect(text).not.toContain(secret);
      }
    }
  });

  test("is refused to a login that was made for another account, though both are the same person's to see", async () => {
    const eve = await world.member();
    const wish = signLinkWish(place(), bob);
    const begun = await provider.begin({ redirectUri, nonce: nonceOf(place(), wish) });
    const login = await provider.finish(begun, await idp.signIn(begun.url, "u-bob"));
    const hers = signLinkWish(place(), eve);
    await failure("identity-refused", () => completeLink(vouching, { place: place(), wish: hers, login }));
    const stolen = { ...wish, account: eve.account };
    await failure("identity-refused", () => completeLink(vouching, { place: place(), wish: stolen, login }));
    expect(await held(eve)).toEqual([]);
    // For whom it was made it serves.
    expect((await completeLink(vouching, { place: place(), wish, login })).vouched).toEqual(all);
  });

  test("is refused to a wish of another chain, namespace, provider or client", async () => {
    for (const other of [
      { chainId: new Uint8Array(32) },
      { namespace: "mercy" },
      { issuer: "https://elsewhere.example" },
      { clientId: "another" },
    ]) {
      const there = { ...place(), ...other };
      const wish = signLinkWish(there, bob);
      const login = { subject: "u-bob", nonce: nonceOf(there, wish), claims: {}, refreshToken: "x" };
      await failure("identity-refused", () => completeLink(vouching, { place: place(), wish, login }));
    }
  });

  test("is refused where the identity is another account's already, or the account has another identity", async () => {
    await link(bob, "u-bob");
    const eve = await world.member();
    await failure("identity-refused", () => link(eve, "u-bob"));
    expect(await held(eve)).toEqual([]);
    await failure("identity-refused", () => link(bob, "u-eve"));
    await endLink(vouching, toHex(bob.account));
    expect(await held()).toEqual([]);
    expect((await link(eve, "u-bob")).vouched).toEqual(all);
  });

  test("is refused without a refresh token: nobody would learn that a claim is gone", async () => {
    const scopes = ["openid", "profile"];
    provider = await IdentityProvider.discover({ ...idp.settings, scopes }, Date.now);
    await failure("identity-refused", () => link(bob, "u-bob"));
    expect(await held()).toEqual([]);
  });
});

describe("the namespace follows", () => {
  beforeEach(() => link(bob, "u-bob"));

  test("a claim that disappears is a revocation, and why names it", async () => {
    says({ groups: ["all"], unit: {} });
    expect(await sync()).toMatchObject({
      outcome: "current",
      revoked: ["cardiology@cedars", "doctor@cedars"],
    });
    expect(await held()).toEqual(["staff@cedars"]);
    expect(await why("doctor@cedars")).toMatchObject({
      standing: false,
      by: "mapping",
      revoked: { reason: "claim-gone" },
    });
    says({ groups: ["doctors"] });
    expect(await sync()).toMatchObject({ vouched: ["doctor@cedars"], revoked: [] });
    expect(await why("doctor@cedars")).toMatchObject({ standing: true, revoked: null });
  });

  test("nothing changes, nothing is written: no block for a sync that finds all as it was", async () => {
    const before = await height();
    expect(await sync()).toMatchObject({ outcome: "current", vouched: [], revoked: [] });
    expect(await height()).toBe(before);
  });

  test("a provider that is down changes nothing, and once it is up again the change counts", async () => {
    says({ groups: [] });
    await idp.stop();
    const before = [await height(), JSON.stringify([...store.links])];
    expect(await sync()).toMatchObject({ outcome: "unreachable", vouched: [], revoked: [] });
    expect([await height(), JSON.stringify([...store.links])]).toEqual(before);
    expect(await held()).toEqual(all);
    await failure("identity-unreachable", () => IdentityProvider.discover(idp.settings, Date.now));
    await idp.restart();
    expect(await sync()).toMatchObject({ revoked: ["doctor@cedars"] });
  });

  test.each([
    ["is broken", "/token", 500, "text/html", "<h1>Internal Server Error</h1>"],
    ["is in maintenance", "/token", 503, "application/json", '{"error":"temporarily_unavailable"}'],
    ["does not know this client any more", "/token", 401, "application/json", '{"error":"invalid_client"}'],
    ["forbids this client the grant", "/token", 400, "application/json", '{"error":"unauthorized_client"}'],
    ["says no word", "/token", 200, "application/json", ""],
    ["says something else", "/token", 200, "application/json", '{"hello":"world"}'],
    ["says invalid_grant, but as a success", "/token", 200, "application/json", '{"error":"invalid_grant"}'],
    ["says more than anybody reads", "/token", 200, "application/json", `{"x":"${"x".repeat(1_100_000)}"}`],
    ["gives tokens and no claims", "/me", 500, "text/html", "no"],
    ["refuses its own access token", "/me", 401, "application/json", '{"error":"invalid_token"}'],
    ["gives no JSON for claims", "/me", 200, "application/json", "<html>"],
    ["gives somebody else's claims", "/me", 200, "application/json", '{"sub":"u-eve","groups":[]}'],
    ["has lost its keys", "/jwks", 500, "text/html", "no"],
  ])("a provider that %s changes nothing", async (_what, path, status, type, body) => {
    says({ groups: [] });
    provider = await IdentityProvider.discover(idp.settings, Date.now);
    idp.fault = (at, response) => {
      if (!at.startsWith(path)) return false;
      response.writeHead(status, { "content-type": type }).end(body);
      return true;
    };
    const before = await height();
    expect(await sync()).toMatchObject({ outcome: "unreachable", vouched: [], revoked: [] });
    expect(await held()).toEqual(all);
    expect(await height()).toBe(before);
    idp.fault = undefined;
    expect(await sync()).toMatchObject({ outcome: "current", revoked: ["doctor@cedars"] });
  });

  test("a user who is disabled loses all that was mapped", async () => {
    idp.users.delete("u-bob");
    expect(await sync()).toMatchObject({ outcome: "gone", reason: "invalid_grant", revoked: all });
    expect(await held()).toEqual([]);
    expect(await why("staff@cedars")).toMatchObject({ revoked: { reason: "identity-gone" } });
    expect((await store.get(toHex(bob.account)))!.refreshToken).toBeNull();
    const before = await height();
    expect(await sync()).toMatchObject({ outcome: "gone", revoked: [] });
    expect(await height()).toBe(before);
  });

  test("a mapping that no longer says so ends what it brought, as such", async () => {
    const rules = document.rules.slice(1);
    vouching = { ...vouching, mapping: parseMapping({ version: 1, rules }, "cedars") };
    expect(await sync()).toMatchObject({ revoked: ["doctor@cedars"] });
    expect(await why("doctor@cedars")).toMatchObject({ revoked: { reason: "mapping-changed" } });
  });

  test("what a hand granted stays when the claim goes, before the link or beside it", async () => {
    await hospital.vouch(bob.account, ["doctor@cedars", "night@cedars"]);
    says({ groups: [], employed: false });
    expect(await sync()).toMatchObject({ revoked: ["staff@cedars"] });
    expect(await held()).toEqual(["cardiology@cedars", "doctor@cedars", "night@cedars"]);
    expect(await why("night@cedars")).toMatchObject({ by: "hand", match: null });
    expect((await why("doctor@cedars")).by).toBe("hand");
    const eve = await world.member("staff@cedars");
    expect((await link(eve, "u-eve")).vouched).toEqual([]);
    says({ employed: false }, "u-eve");
    expect(await sync(eve)).toMatchObject({ revoked: [] });
    expect(await held(eve)).toEqual(["staff@cedars"]);
  });

  test("what a hand revoked stays away until the claim was gone, or a hand grants it", async () => {
    await hospital.revoke(bob.account, ["doctor@cedars"]);
    expect(await sync()).toMatchObject({ vouched: [], withheld: ["doctor@cedars"] });
    expect(await sync()).toMatchObject({ vouched: [], withheld: ["doctor@cedars"] });
    expect(await why("doctor@cedars")).toMatchObject({ standing: false, revoked: { reason: "by-hand" } });
    says({ groups: [] });
    await sync();
    says({ groups: ["doctors"] });
    expect(await sync()).toMatchObject({ vouched: ["doctor@cedars"], withheld: [] });
    await hospital.revoke(bob.account, []);
    expect(await sync()).toMatchObject({ vouched: [], withheld: all });
    await hospital.vouch(bob.account, ["staff@cedars"]);
    expect(await sync()).toMatchObject({ withheld: ["cardiology@cedars", "doctor@cedars"], revoked: [] });
    expect(await isVouched(world.ledger, bob.account, "staff@cedars")).toBe(true);
  });
});

describe("a process that dies", () => {
  /** Dies before its nth step that lasts: what is kept, and what the ledger takes. */
  function dying(steps: number): Vouching {
    let left = steps;
    const step = async <T>(act: () => Promise<T>): Promise<T> => {
      if (left-- <= 0) throw new Error("the process died here");
      return await act();
    };
    return {
      ...vouching,
      hospital: {
        name: "cedars",
        vouchMapped: (account, attributes) => step(() => hospital.vouchMapped(account, attributes)),
        revokeMapped: (account, attributes) => step(() => hospital.revokeMapped(account, attributes)),
      },
      store: {
        get: (account) => store.get(account),
        accounts: () => store.accounts(),
        remove: (account) => store.remove(account),
        put: (kept) => step(() => store.put(kept)),
      },
    };
  }

  test("anywhere in a sync leaves nothing that the next one does not make good", async () => {
    await link(bob, "u-bob");
    for (let steps = 0; steps < 6; steps++) {
      const there = steps % 2 === 0;
      says({ groups: there ? [] : ["doctors"], employed: there });
      await syncLink(dying(steps), provider, toHex(bob.account)).catch((error: Error) => {
        expect(error.message).toContain("died");
      });
      // Rotated while it died before keeping the new one, the token is worth nothing: the provider's rule, told in the guide.
      const next = await sync();
      if (next.outcome === "gone") {
        expect(steps).toBe(0);
        expect(await held()).toEqual([]);
        await link(bob, "u-bob");
      }
      expect(await held()).toEqual(
        there ? ["cardiology@cedars", "staff@cedars"] : ["cardiology@cedars", "doctor@cedars"],
      );
      for (const attribute of await held()) expect((await why(attribute)).by).toBe("mapping");
    }
  });
});

describe("attacks", () => {
  test("a thief of a refresh token reads claims once; the namespace's next sync finds the theft and revokes all", async () => {
    await link(bob, "u-bob");
    const { refreshToken } = (await store.get(toHex(bob.account)))!;
    const thief = await IdentityProvider.discover(idp.settings, Date.now);
    const loot = await thief.read({ refreshToken: refreshToken!, subject: "u-bob", saved: async () => {} });
    expect(loot.kind).toBe("claims");
    expect(await sync()).toMatchObject({ outcome: "gone", reason: "invalid_grant" });
    expect(await held()).toEqual([]);
    // It brought the thief no attribute: a link takes a login that was made for the account's own wish.
    const eve = await world.member();
    const wish = signLinkWish(place(), eve);
    const forged = {
      subject: "u-bob",
      nonce: "f".repeat(64),
      claims: (loot as { claims: object }).claims as never,
      refreshToken: "x",
    };
    await failure("identity-refused", () => completeLink(vouching, { place: place(), wish, login: forged }));
  });

  test("without the client's secret a stolen refresh token is worth nothing, and is no end of the link", async () => {
    await link(bob, "u-bob");
    const { refreshToken } = (await store.get(toHex(bob.account)))!;
    const thief = await IdentityProvider.discover({ ...idp.settings, clientSecret: "a-guess" }, Date.now);
    const read = await thief.read({ refreshToken: refreshToken!, subject: "u-bob", saved: async () => {} });
    expect(read.kind).toBe("unreachable");
    expect(await sync()).toMatchObject({ outcome: "current" });
  });

  test("a rogue provider gives its users what the mapping has, of this namespace, and nothing else", async () => {
    await link(bob, "u-bob");
    says({
      groups: ["doctors", "chief@mercy", "admin"],
      attributes: ["chief@mercy", "chief@cedars"],
      __proto__: { employed: true },
      unit: { name: "cardiology", constructor: "x" },
    });
    expect(await sync()).toMatchObject({ vouched: [] });
    expect(await held()).toEqual(all);
    // A provider that gives another subject's claims for bob's token is not believed.
    const other = new Proxy(provider, {
      get: (target, name) =>
        name === "read"
          ? (input: Parameters<typeof provider.read>[0]) => target.read({ ...input, subject: "u-eve" })
          : Reflect.get(target, name, target),
    });
    const report = await syncLink(vouching, other, toHex(bob.account));
    expect(report).toMatchObject({ outcome: "unreachable", revoked: [] });
    expect(await held()).toEqual(all);
  });

  test("a user whom the provider does not let in is linked to nothing", async () => {
    const wish = signLinkWish(place(), bob);
    const begun = await provider.begin({ redirectUri, nonce: nonceOf(place(), wish) });
    const refused = await idp.signIn(begun.url, "u-nobody");
    await failure("identity-refused", () => provider.finish(begun, refused));
  });

  test("a code is nobody else's: another's state, another's verifier, a second use", async () => {
    const wish = signLinkWish(place(), bob);
    const begin = () => provider.begin({ redirectUri, nonce: nonceOf(place(), wish) });
    const [mine, other] = [await begin(), await begin()];
    const redirected = await idp.signIn(mine.url, "u-bob");
    await failure("identity-refused", () => provider.finish({ ...mine, state: other.state }, redirected));
    await failure("identity-refused", () =>
      provider.finish({ ...mine, codeVerifier: other.codeVerifier }, redirected),
    );
    const again = await begin();
    const there = await idp.signIn(again.url, "u-bob");
    await provider.finish(again, there);
    await failure("identity-refused", () => provider.finish(again, there));
  });
});
