/** What a relay, an author or a revoked signer cannot do: every field of an anonymous body is signed, every rule holds. */
import { type CborValue, ed25519KeyPair, encodeSignature, parsePolicy, sign, toHex } from "@chartseal/crypto";
import {
  type Body,
  decodeTransaction,
  encodeBody,
  encodeTransaction,
  identifierOf,
  signOneTime,
  signRelay,
} from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askTransform, deposit, type Provider, request, retrieve, revokeRule } from "../src/index.ts";
import { statementOf } from "../src/signing.ts";
import { failure, type Member, source, World } from "./world.ts";

const policy = "cardiologist@cedars and physician@cedars";
let world: World;
let ana: Member;
let ben: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  await world.hospital("mercy");
  ana = await world.member();
  ben = await world.member("cardiologist@cedars", "physician@cedars");
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

/** Runs an act whose anonymous transaction is kept from the ledger, and gives that transaction. */
async function captured(act: (provider: Provider) => Promise<unknown>): Promise<Uint8Array> {
  let kept: Uint8Array | undefined;
  const provider = new Proxy(world.provider, {
    get(target, name) {
      if (name === "relay") {
        return async (transaction: Uint8Array) => {
          kept = transaction;
          throw new Error("kept from the ledger");
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await act(provider).catch(() => {});
  return kept!;
}

const anonymousDeposit = () =>
  captured((provider) =>
    deposit(
      { ...world.surroundings, provider },
      {
        by: ben,
        owner: ana.account,
        namespace: "cedars",
        policy: parsePolicy(policy),
        authorPolicy: parsePolicy(policy),
        source: source(new Uint8Array(10)),
        metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
      },
    ),
  );

const anonymousRequest = async () => {
  const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
  return await captured((provider) =>
    request({ ...world.surroundings, provider }, { member: ben, recordId }),
  );
};

/** Another value of the same type. */
function other(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return value.map((byte, at) => (at === value.length - 1 ? byte ^ 1 : byte));
  if (typeof value === "number") return value + 1;
  if (typeof value === "string")
    return value === "TREAT" ? "HRESCH" : value.replace(/.$/, (last) => (last === "s" ? "z" : "s"));
  if (Array.isArray(value)) return [...value, "TREAT"];
  return value === null ? "cedars" : value;
}

/** Every body that differs in one field, by its name. */
function* swapped(body: Body): Generator<[string, Body]> {
  for (const field of ["chainId", "era", "lastValidMs"] as const) {
    yield [field, { ...body, [field]: other(body[field]) }];
  }
  yield ["head.height", { ...body, head: { ...body.head, height: body.head.height + 1 } }];
  yield ["head.hash", { ...body, head: { ...body.head, hash: other(body.head.hash) as Uint8Array } }];
  const action = body.action as unknown as Record<string, CborValue>;
  for (const [field, value] of Object.entries(action)) {
    if (field === "kind") continue;
    const otherwise = { proof: "person", emergencyId: new Uint8Array(32) }[field] ?? other(value);
    if (field === "statement") {
      for (const [part, said] of Object.entries(value as unknown as Record<string, unknown>)) {
        const statement = { ...(value as object), [part]: other(said) };
        yield [
          `statement.${part}`,
          { ...body, action: { ...action, statement } as unknown as Body["action"] },
        ];
      }
    } else yield [field, { ...body, action: { ...action, [field]: otherwise } as unknown as Body["action"] }];
  }
}

/** In the relay's own envelope, straight to the ledger. */
function enveloped(
  bodyBytes: Uint8Array,
  authorisation: ReturnType<typeof decodeTransaction>["authorisation"],
): Uint8Array {
  const content = {
    chainId: world.ledger.chainId,
    body: bodyBytes,
    oneTimeSignature: authorisation.oneTime!.signature,
    attributes: authorisation.attributes!,
  };
  const relay = signRelay(world.providerIdentity.seed, content);
  return encodeTransaction(bodyBytes, { ...authorisation, relay });
}

describe("a relay cannot swap", () => {
  test.each([
    ["a deposit", anonymousDeposit, 16],
    ["a request", anonymousRequest, 12],
  ] as const)("any field of %s, nor its one-time key", async (_, made, least) => {
    const transaction = await made();
    const { body, bodyBytes, authorisation } = decodeTransaction(transaction);
    const fields: string[] = [];
    for (const [field, changed] of swapped(body)) {
      let bytes: Uint8Array;
      try {
        bytes = encodeBody(changed);
      } catch {
        continue;
      }
      fields.push(field);
      await expect(
        world.provider.relay(encodeTransaction(bytes, authorisation)),
        field,
      ).rejects.toBeDefined();
      await expect(world.ledger.submit(enveloped(bytes, authorisation)), field).rejects.toBeDefined();
      // Not for want of a one-time signature either: the relay makes one of its own key.
      const own = ed25519KeyPair();
      const resigned = { ...authorisation, oneTime: signOneTime(own.seed, bytes) };
      await expect(world.ledger.submit(enveloped(bytes, resigned)), field).rejects.toBeDefined();
    }
    expect(fields.length, fields.join(" ")).toBeGreaterThanOrEqual(least);
    // Left as it is, it is taken, once.
    await world.provider.relay(transaction);
    await failure("transaction-refused", () => world.provider.relay(transaction));
    expect(decodeTransaction(transaction).bodyBytes).toEqual(bodyBytes);
  });

  test("nor relay what the attributes do not prove: the envelope would convict it", async () => {
    const { bodyBytes, authorisation } = decodeTransaction(await anonymousRequest());
    const { attributes } = decodeTransaction(await anonymousRequest()).authorisation;
    const bad = encodeTransaction(bodyBytes, { ...authorisation, attributes });
    let signed = 0;
    const ledger = new Proxy(world.ledger, {
      get(target, name) {
        if (name === "submit") signed++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await failure("policy-unsatisfied", () => world.newProvider(world.stores, ledger).relay(bad));
    expect(signed).toBe(0);
    const garbage = encodeTransaction(bodyBytes, { ...authorisation, attributes: new Uint8Array(100) });
    await failure("policy-unsatisfied", () => world.provider.relay(garbage));
  });

  test("nor is anything with an account's name relayed, or of another kind", async () => {
    const { bodyBytes, authorisation } = decodeTransaction(await anonymousRequest());
    const account = { account: ben.account, sequence: 0, signature: new Uint8Array(64) };
    await failure("input-invalid", () =>
      world.provider.relay(encodeTransaction(bodyBytes, { ...authorisation, account })),
    );
    const { attributes: _, ...without } = authorisation;
    await failure("input-invalid", () =>
      world.provider.relay(encodeTransaction(bodyBytes, { ...without, attributes: null })),
    );
  });
});

describe("an author", () => {
  const author = (owner: Member, options: { policy: string; authorPolicy?: string; namespace?: string }) =>
    world.byAuthor(ben, owner, { namespace: "cedars", ...options });
  /** The same without the client's courteous look at the rule: the ledger is the lock. */
  async function forced(
    owner: Member,
    options: { policy: string; authorPolicy?: string; namespace?: string },
  ) {
    const { policy: written, authorPolicy = written, namespace = "cedars" } = options;
    const accommodating = await world.member();
    await world.rule(accommodating, namespace, written, { writers: parsePolicy(authorPolicy) });
    const transaction = await captured((provider) =>
      deposit(
        { ...world.surroundings, provider },
        {
          by: ben,
          owner: accommodating.account,
          namespace,
          policy: parsePolicy(written),
          authorPolicy: parsePolicy(authorPolicy),
          source: source(new Uint8Array(10)),
          metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
        },
      ),
    );
    expect(owner.account).not.toEqual(accommodating.account);
    return transaction;
  }

  test("without a rule, under another author policy or a wider policy is refused, by client and by ledger", async () => {
    const stranger = await world.member();
    await failure("rule-missing", () => author(stranger, { policy }));
    for (const wider of [
      "physician@cedars",
      `${policy} or physician@cedars`,
      "physician@cedars and cardiologist@cedars",
    ]) {
      await failure("rule-violated", () => author(ana, { policy: wider, authorPolicy: policy }));
    }
    await failure("rule-violated", () => author(ana, { policy, authorPolicy: "physician@cedars" }));
    const withPerson = `${policy} and ${toHex(ben.account)}@self`;
    await failure("rule-violated", () => author(ana, { policy: withPerson, authorPolicy: policy }));
    await author(ana, { policy: `${policy} and nurse@mercy`, authorPolicy: policy });
  });

  test("is held to the rule at its block: revoked, expired or changed meanwhile, the deposit is refused", async () => {
    const owner = await world.member();
    const under = async (after: () => Promise<unknown>, more: object = {}) => {
      await world.rule(owner, "cedars", policy, more);
      const transaction = await captured((provider) =>
        deposit(
          { ...world.surroundings, provider },
          {
            by: ben,
            owner: owner.account,
            namespace: "cedars",
            policy: parsePolicy(policy),
            authorPolicy: parsePolicy(policy),
            source: source(new Uint8Array(10)),
            metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
          },
        ),
      );
      await after();
      return await world.provider.relay(transaction);
    };
    await failure("rule-missing", () => under(() => revokeRule(world, owner, "cedars")));
    await failure("rule-violated", () =>
      under(async () => world.advance(1000), { expiresMs: world.now() + 1000 }),
    );
    await failure("rule-violated", () =>
      under(() => world.rule(owner, "cedars", `${policy} and nurse@cedars`)),
    );
    await failure("rule-violated", () =>
      under(() => world.rule(owner, "cedars", policy, { writers: parsePolicy("physician@cedars") })),
    );
    await under(async () => {});
  });

  test("of one hospital cannot deposit as another's", async () => {
    await world.rule(ana, "mercy", "nurse@mercy");
    await failure("policy-unsatisfied", () => author(ana, { policy: "nurse@mercy", namespace: "mercy" }));
    // Signed with its own attributes, in the other's name: the author policy is not of that namespace.
    await failure("rule-violated", () =>
      author(ana, { policy: "nurse@mercy", authorPolicy: policy, namespace: "mercy" }),
    );
    const signed = await forced(ana, { policy });
    const { body, authorisation } = decodeTransaction(signed);
    const bytes = encodeBody({ ...body, action: { ...body.action, namespace: "mercy" } as Body["action"] });
    await expect(world.ledger.submit(enveloped(bytes, authorisation))).rejects.toMatchObject({
      code: "transaction-refused",
    });
  });

  test("has a number of deposits a day, by block time", async () => {
    const owner = await world.member();
    await world.rule(owner, "cedars", policy, { perDay: 2 });
    await author(owner, { policy });
    await author(owner, { policy });
    await failure("rule-violated", () => author(owner, { policy }));
    await world.byOwner(owner, { policy });
    world.advance(24 * 60 * 60_000);
    await author(owner, { policy });
  });
});

describe("a signer whose attribute was revoked", () => {
  test("proves nothing under the old period, by client, relay or ledger; those who stayed collect new keys", async () => {
    const eve = await world.member("cardiologist@cedars", "physician@cedars");
    const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
    await retrieve(world, { member: eve, recordId });
    const keys = { account: eve.account, base: eve.baseKey!, attributes: new Map(eve.signingKeys) };
    const old = await statementOf(world, {
      policy: parsePolicy(policy),
      kind: "request-access",
      identifier: new Uint8Array(32),
    });
    await world.revoke(eve, "cardiologist@cedars");
    await failure("revoked", () => request(world, { member: eve, recordId }));

    const { body, bodyBytes, authorisation } = decodeTransaction(
      await captured((provider) => request({ ...world.surroundings, provider }, { member: ben, recordId })),
    );
    expect(body.action.kind).toBe("request-access");
    const message = identifierOf(bodyBytes);
    const attributes = encodeSignature(world.pairing, sign(world.pairing, { ...old, message }, keys));
    const forged = { ...authorisation, attributes };
    await failure("policy-unsatisfied", () => world.provider.relay(encodeTransaction(bodyBytes, forged)));
    await expect(world.ledger.submit(enveloped(bodyBytes, forged))).rejects.toMatchObject({
      data: { name: "attribute-proof-invalid" },
    });
    await retrieve(world, { member: ben, recordId });
    await world.refresh(eve);
    expect([...eve.signingKeys.keys()].some((name) => name.startsWith("cardiologist"))).toBe(false);
  });
});

test("a purpose, a rule or a version that changes between grant and receipt stops the transform", async () => {
  const owner = await world.member();
  await world.rule(owner, "cedars", policy);
  const { recordId } = await world.byAuthor(ben, owner, { namespace: "cedars", policy });
  const granted = await request(world, { member: ben, recordId });
  await world.rule(owner, "cedars", policy, { purposes: ["HPAYMT"] });
  await failure("rule-violated", () => askTransform(world, { member: ben, granted }));
});
