/**
 * The provider role: payloads as streams, headers, the relay, transforms, issues and what an owner tells the provider to
 * do. What must not name its sender (CRYPTO §3.1) is open and bounded; the rest is signed.
 */
import { Readable } from "node:stream";
import { ChartsealError, fromHex, headerBytesMax, sealedLimits, toHex } from "@chartseal/crypto";
import { type Ledger, transactionBytesMax } from "@chartseal/ledger";
import type { Provider, Use } from "@chartseal/sharing";
import { z } from "zod";
import { begun } from "../../host/begun.ts";
import { sendStored } from "../../host/byte-answers.ts";
import type { Role, RoleApp } from "../../host/role.ts";
import type { Staging } from "../../uploads/staging.ts";
import { hexOf, hexUpTo } from "../../wire.ts";
import { AuditAllowance, type AuditLimits, auditDefaults } from "./audit-allowance.ts";
import { addAudits } from "./audits.ts";
import { Intake, type IntakeLimits, intakeDefaults } from "./intake.ts";
import { addPayloads, addUploads } from "./payloads.ts";
import { Tickets } from "./tickets.ts";

export interface ProviderRoleOptions {
  readonly provider: Provider;
  readonly now: () => number;
  readonly limits?: Partial<IntakeLimits & AuditLimits>;
  /** Where uploads that can be resumed wait; without it there are none. */
  readonly staging?: Staging;
  /** Whether store and ledger answer; what it throws is how the role is. */
  readonly check?: () => Promise<void>;
  /** Bytes and records by account, in hex, for whoever runs the provider. */
  readonly usage?: () => Promise<{
    owners(): ReadonlyMap<string, Use>;
    relays(): ReadonlyMap<string, Use>;
  }>;
  /** By which what an audit costs is known beforehand; without it audits are not bounded. */
  readonly ledger?: Ledger;
}

const recordBody = z.strictObject({ recordId: hexOf(32) });
const done = z.strictObject({ done: z.literal(true) });
const sealedAnswerBytesMax = 256 * 1024;

export function providerRole(options: ProviderRoleOptions): Role {
  const { provider, now } = options;
  const { ledger, limits, staging } = options;
  const intakeLimits = { ...intakeDefaults, ...limits };
  const { payloadBytesMax } = intakeLimits;
  const intake = new Intake(intakeLimits, now);
  const allowance = ledger && new AuditAllowance(ledger, { ...auditDefaults, ...limits }, now);
  return {
    name: "provider",
    register(app) {
      addAccount(app, provider);
      addPayloads(app, provider, intake);
      if (staging !== undefined) addUploads(app, { provider, staging, intake, payloadBytesMax });
      addHeaders(app, provider);
      addRelay(app, provider);
      addTransforms(app, provider, new Tickets(now));
      addIssues(app, provider);
      addDuties(app, provider);
      if (options.usage !== undefined) addUsage(app, options.usage);
      addAudits(app, provider, allowance);
    },
    health: async () => {
      await options.check?.();
      return { account: toHex(provider.account) };
    },
    measures: async () => {
      await options.check?.();
      await staging?.open();
      return staging === undefined ? {} : { uploads: staging.count, upload_bytes: staging.bytes() };
    },
  };
}

function addAccount(app: RoleApp, provider: Provider): void {
  const schema = {
    summary: "The provider's account",
    response: { 200: z.strictObject({ account: hexOf(20) }) },
  };
  app.get("/", { config: { access: "open" }, schema }, async () => ({ account: toHex(provider.account) }));
}

function addHeaders(app: RoleApp, provider: Provider): void {
  const schema = {
    summary: "Stores a record's header beside its payload; the provider's signature over the storage receipt",
    body: z.strictObject({ header: hexUpTo(headerBytesMax), body: hexUpTo(transactionBytesMax) }),
    response: { 200: z.strictObject({ provider: hexOf(20), signature: hexOf(64) }) },
  };
  app.post("/headers", { config: { access: "open", cost: 10 }, schema }, async (request) => {
    const { header, body } = request.body;
    const receipt = await provider.takeHeader({ header: fromHex(header), body: fromHex(body) });
    return { provider: toHex(receipt.provider), signature: toHex(receipt.signature) };
  });
}

function addRelay(app: RoleApp, provider: Provider): void {
  const schema = {
    summary: "Brings an anonymous deposit or request to the ledger",
    body: z.strictObject({ transaction: hexUpTo(transactionBytesMax) }),
    response: {
      200: z.strictObject({ height: z.int(), index: z.int(), identifier: hexOf(32), blockHash: hexOf(32) }),
    },
  };
  app.post("/relay", { config: { access: "open", cost: 10 }, schema }, async (request) => {
    const { height, index, identifier, blockHash } = await provider.relay(fromHex(request.body.transaction));
    return { height, index, identifier: toHex(identifier), blockHash: toHex(blockHash) };
  });
}

const reveal = z.strictObject({
  requestId: hexOf(32),
  recordId: hexOf(32),
  account: hexOf(20),
  publicKey: hexOf(32),
  transformKeyId: hexOf(32),
  oneTimePublicKey: hexOf(32),
  oneTimeSignature: hexOf(64),
  accountSignature: hexOf(64),
});

function addTransforms(app: RoleApp, provider: Provider, tickets: Tickets): void {
  const schema = {
    summary: "Transforms for a reveal; leaf hashes whole, or null where they are fetched by spans",
    body: reveal,
    response: {
      200: z.strictObject({
        ticket: hexOf(32),
        transform: hexUpTo(1024),
        rows: z.array(z.int().min(0)).max(sealedLimits.leavesMax),
        signature: hexOf(64),
        header: hexUpTo(headerBytesMax),
        leaves: hexUpTo(1024 * 1024).nullable(),
        /** Where the store itself gives the payload for some minutes; null where it cannot. */
        url: z.string().nullable(),
      }),
    },
  };
  // The reveal is signed twice by itself, by the one-time key and by the account: no other signature is needed.
  app.post("/transforms", { config: { access: "open", cost: 10 }, schema }, async (request) => {
    const { account, oneTimeSignature, accountSignature, ...hashes } = request.body;
    const transformed = await provider.transform({
      requestId: fromHex(hashes.requestId),
      recordId: fromHex(hashes.recordId),
      account: fromHex(account),
      publicKey: fromHex(hashes.publicKey),
      transformKeyId: fromHex(hashes.transformKeyId),
      oneTimePublicKey: fromHex(hashes.oneTimePublicKey),
      oneTimeSignature: fromHex(oneTimeSignature),
      accountSignature: fromHex(accountSignature),
    });
    const { transform, statement, header, leaves } = transformed;
    return {
      ticket: tickets.issue(transformed),
      transform: toHex(transform),
      rows: [...statement.rows],
      signature: toHex(statement.signature),
      header: toHex(header),
      leaves: "list" in leaves ? toHex(leaves.list) : null,
      url: (await transformed.directUrl?.().catch(() => undefined)) ?? null,
    };
  });
  addFetches(app, tickets);
}

function addFetches(app: RoleApp, tickets: Tickets): void {
  const whole = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
  const span = {
    summary: "One span of leaf hashes, with its proof",
    params: z.strictObject({ ticket: hexOf(32), index: whole }),
    response: {
      200: z.strictObject({ leafHashes: hexUpTo(1024 * 1024), proof: z.array(hexOf(32)).max(64) }),
    },
  };
  app.get(
    "/transforms/:ticket/leaves/:index",
    { config: { access: "open" }, schema: span },
    async (request) => {
      const { leaves } = tickets.use(request.params.ticket);
      if (!("span" in leaves)) throw new ChartsealError("input-invalid", "these leaf hashes came whole");
      const { leafHashes, proof } = await leaves.span(request.params.index);
      return { leafHashes: toHex(leafHashes), proof: proof.map(toHex) };
    },
  );
  const payload = {
    summary: "Ciphertext bytes: `length` of them from `offset` on, or the whole or a Range of it",
    params: z.strictObject({ ticket: hexOf(32) }),
    querystring: z.strictObject({ offset: whole.optional(), length: whole.optional() }),
  };
  app.route({
    method: ["GET", "HEAD"],
    url: "/transforms/:ticket/payload",
    config: { access: "open" },
    schema: payload,
    handler: async (request, reply) => {
      const transformed = tickets.use(request.params.ticket);
      const { offset, length } = request.query;
      if (offset !== undefined && length !== undefined) {
        reply.type("application/octet-stream");
        const source = await begun(transformed.payload(offset, length));
        return reply.send(Readable.from(source, { objectMode: false }));
      }
      const { stored } = transformed;
      if (stored === undefined) throw new ChartsealError("input-invalid", "say offset and length");
      return await sendStored(request, reply, {
        size: stored.bytes,
        etag: `"${stored.address}"`,
        open: (from, toInclusive) => transformed.payload(from, toInclusive - from + 1),
      });
    },
  });
}

function addIssues(app: RoleApp, provider: Provider): void {
  const answer = z.strictObject({ node: z.int().min(1).max(64), sealed: hexUpTo(sealedAnswerBytesMax) });
  const schema = {
    summary: "Combines the committee's answers to an issue into the account's live transform key",
    body: z.strictObject({ requestId: hexOf(32), answers: z.array(answer).min(1).max(64) }),
    response: { 200: z.strictObject({ keyId: hexOf(32) }) },
  };
  const bodyLimit = 32 * 1024 * 1024;
  app.post("/issues", { config: { access: "signed", cost: 20 }, bodyLimit, schema }, async (request) => {
    const { requestId, answers } = request.body;
    const { keyId } = await provider.takeIssue({
      requestId: fromHex(requestId, 32),
      answers: answers.map(({ node, sealed }) => ({ node, sealed: fromHex(sealed) })),
    });
    return { keyId: toHex(keyId) };
  });
}

/** What the ledger says anyway; asking only makes it happen now. */
function addDuties(app: RoleApp, provider: Provider): void {
  const copy = z.strictObject({ holder: hexOf(20), address: z.string(), signature: hexOf(64) });
  const destroy = {
    summary: "Destroys an erased record's objects; a signature for each copy",
    body: recordBody,
    response: { 200: z.strictObject({ copies: z.array(copy) }) },
  };
  app.post("/destroyed", { config: { access: "signed", cost: 10 }, schema: destroy }, async (request) => {
    const copies = await provider.destroy({ recordId: fromHex(request.body.recordId, 32) });
    return {
      copies: copies.map(({ holder, address, signature }) => ({
        holder: toHex(holder),
        address,
        signature: toHex(signature),
      })),
    };
  });
  const discard = {
    summary: "Destroys payloads that a rekey has replaced",
    body: recordBody,
    response: { 200: done },
  };
  app.post("/discarded", { config: { access: "signed", cost: 10 }, schema: discard }, async (request) => {
    await provider.discard({ recordId: fromHex(request.body.recordId, 32) });
    return { done: true as const };
  });
  const placed = {
    summary: "Says on the ledger in which regions a record's payload lies",
    body: recordBody,
    response: { 200: done },
  };
  app.post("/placed", { config: { access: "signed", cost: 10 }, schema: placed }, async (request) => {
    await provider.placed?.({ recordId: fromHex(request.body.recordId, 32) });
    return { done: true as const };
  });
  const follow = {
    summary: "Acts on what the ledger says by now",
    body: z.strictObject({}),
    response: { 200: done },
  };
  app.post("/followed", { config: { access: "signed", cost: 20 }, schema: follow }, async () => {
    await provider.follow();
    return { done: true as const };
  });
}

function addUsage(app: RoleApp, usage: NonNullable<ProviderRoleOptions["usage"]>): void {
  const use = z.strictObject({ account: z.string(), records: z.int(), bytes: z.int() });
  const schema = {
    summary: "Bytes and records by owner, and by the relay that brought them (empty: the owner)",
    response: { 200: z.strictObject({ owners: z.array(use), relays: z.array(use) }) },
  };
  const listed = (sums: ReadonlyMap<string, Use>) =>
    [...sums].map(([account, { records, bytes }]) => ({ account, records, bytes }));
  app.get("/usage", { config: { access: "local" }, schema }, async () => {
    const found = await usage();
    return { owners: listed(found.owners()), relays: listed(found.relays()) };
  });
}
