/** ID tokens that a namespace must not believe: each of a provider, a moment, a client or a login that is not this one. */
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, expect, test } from "vitest";
import { failure } from "../../sharing/test/world.ts";
import { checkSettings, IdentityProvider, verifyIdToken } from "../src/index.ts";
import { HospitalProvider } from "./hospital-provider.ts";

const issuer = "https://login.cedars.example";
const clientId = "cedars";
const nonce = "9".repeat(64);
const nowMs = 1_790_000_000_000;
const nowS = nowMs / 1000;

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let pair: Keys;
let other: Keys;
let keys: ReturnType<typeof createLocalJWKSet>;

beforeAll(async () => {
  [pair, other] = [await generateKeyPair("EdDSA"), await generateKeyPair("EdDSA")];
  keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), alg: "EdDSA", kid: "one" }] });
});

const claims = { iss: issuer, aud: clientId, sub: "u-bob", iat: nowS - 5, exp: nowS + 300, nonce };
const signed = (changed: object = {}, header: object = {}, by = pair) =>
  new SignJWT({ ...claims, ...changed })
    .setProtectedHeader({ alg: "EdDSA", kid: "one", ...header })
    .sign(by.privateKey);
const check = (token: string, changed: object = {}) =>
  verifyIdToken(token, { keys, issuer, clientId, nonce, nowMs, ...changed });
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

test("the right one is believed, for one client among several too where it says which", async () => {
  expect(await check(await signed())).toMatchObject({ sub: "u-bob" });
  expect(await check(await signed({ aud: [clientId, "x"], azp: clientId }))).toMatchObject({ sub: "u-bob" });
  expect(await check(await signed({ nonce: "another" }), { nonce: undefined })).toMatchObject({
    sub: "u-bob",
  });
});

test.each([
  ["of another issuer", { iss: "https://login.mercy.example" }],
  ["of the issuer with a slash more", { iss: `${issuer}/` }],
  ["for another client", { aud: "mercy" }],
  ["for several clients, without saying which", { aud: [clientId, "x"] }],
  ["for several clients, and authorised to another", { aud: [clientId, "x"], azp: "x" }],
  ["authorised to another", { azp: "x" }],
  ["that has expired", { exp: nowS - 61 }],
  ["that never expires", { exp: undefined }],
  ["of the future", { iat: nowS + 120 }],
  ["not valid yet", { nbf: nowS + 120 }],
  ["of an hour ago, though it has not expired", { iat: nowS - 3600 }],
  ["without a time of issue", { iat: undefined }],
  ["without a subject", { sub: undefined }],
  ["with an empty subject", { sub: "" }],
  ["with a subject of another type", { sub: 7 }],
  ["with a subject longer than any", { sub: "u".repeat(256) }],
  ["with another login's nonce", { nonce: "8".repeat(64) }],
  ["without a nonce", { nonce: undefined }],
])("one %s is refused", async (_what, changed) => {
  await failure("identity-refused", async () => check(await signed(changed)));
});

test("one that is not signed by the issuer's key is refused, whatever its header says", async () => {
  await failure("identity-refused", async () => check(await signed({}, {}, other)));
  await failure("identity-refused", async () => check(await signed({}, { kid: "two" }, other)));
  const [header, payload, signature] = (await signed()).split(".");
  for (const alg of ["none", "HS256"]) {
    await failure("identity-refused", () => check(`${base64({ alg, kid: "one" })}.${payload}.`));
    await failure("identity-refused", () => check(`${base64({ alg, kid: "one" })}.${payload}.${signature}`));
  }
  await failure("identity-refused", () =>
    check(`${header}.${base64({ ...claims, sub: "u-eve" })}.${signature}`),
  );
  for (const garbage of ["", "a.b.c", "x".repeat(10_000), `${header}..${signature}`]) {
    await failure("identity-refused", () => check(garbage));
  }
});

test("a MAC with the client's own secret is no signature: whoever has the secret would be the provider", async () => {
  const secret = Buffer.from("the client's secret, which the hospital's own staff can see");
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(secret);
  await failure("identity-refused", () => check(token, { keys: async () => secret }));
});

test("keys that cannot be had are an outage and no refusal", async () => {
  const down = async () => {
    throw new TypeError("fetch failed");
  };
  const token = await signed();
  await failure("identity-unreachable", () => check(token, { keys: down }));
});

test.each([
  ["no address", { issuer: "cedars" }],
  ["without TLS", { issuer: "http://login.cedars.example" }],
  ["with a query", { issuer: `${issuer}?x=1` }],
  ["with a password in it", { issuer: "https://me:secret@login.cedars.example" }],
  ["a file", { issuer: "file:///etc/passwd" }],
  ["a client id with a space", { clientId: "ce dars" }],
  ["a secret with a line feed", { clientSecret: "a\nb" }],
  ["scopes without openid", { scopes: ["profile"] }],
  ["a scope with a quote", { scopes: ["openid", 'a"b'] }],
])("settings that are %s are refused before anything is asked", async (_what, changed) => {
  const settings = { issuer, clientId, clientSecret: null, scopes: ["openid"], ...changed };
  await failure("input-invalid", () => checkSettings(settings));
});

test("an address that is up but no such issuer cannot be asked", async () => {
  const idp = await HospitalProvider.start();
  const settings = { ...idp.settings, issuer: `${idp.settings.issuer}/elsewhere` };
  await failure("identity-unreachable", () => IdentityProvider.discover(settings, Date.now));
  await idp.stop();
});
