/** Audits over HTTP: a challenge in, chunks with their proofs out, as a stream (spec/9-http.md). Anyone may ask. */
import { Readable } from "node:stream";
import { fromHex } from "@chartseal/crypto";
import { auditChallengesMax } from "@chartseal/ledger";
import type { AuditChallenge, Provider } from "@chartseal/sharing";
import { z } from "zod";
import { begun } from "../../host/begun.ts";
import type { RoleApp } from "../../host/role.ts";
import { hexOf } from "../../wire.ts";
import type { AuditAllowance } from "./audit-allowance.ts";

const challengeBody = z.strictObject({
  recordId: hexOf(32),
  version: z.int().min(1),
  seedHeight: z.int().min(0),
  seedHash: hexOf(32),
  nonce: hexOf(32),
  challenges: z.int().min(1).max(auditChallengesMax),
});

export function addAudits(app: RoleApp, provider: Provider, allowance: AuditAllowance | undefined): void {
  const schema = {
    summary: "Random chunks of a stored payload with their proofs, application/octet-stream",
    body: challengeBody,
  };
  app.post("/audits", { config: { access: "open", cost: 20 }, schema }, async (request, reply) => {
    const { recordId, seedHash, nonce, ...numbers } = request.body;
    const challenge: AuditChallenge = {
      recordId: fromHex(recordId, 32),
      seedHash: fromHex(seedHash, 32),
      nonce: fromHex(nonce, 32),
      ...numbers,
    };
    await allowance?.spend(challenge, { signer: request.signer, address: request.ip });
    reply.type("application/octet-stream");
    return reply.send(Readable.from(await begun(provider.audit(challenge)), { objectMode: false }));
  });
}
