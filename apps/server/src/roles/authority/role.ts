/**
 * The authority role: nodes of the committee as their consortium sees them (CRYPTO §2.3). A node answers what the ledger
 * shows as granted, sealed to whom the ledger names, so it matters little who asks; an account signs all the same, since
 * each answer costs the node work.
 */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { transactionBytesMax } from "@chartseal/ledger";
import type { NodeStatus, SealedAnswer } from "@chartseal/sharing";
import { z } from "zod";
import type { Role, RoleApp } from "../../host/role.ts";
import { hexOf, hexUpTo } from "../../wire.ts";

/** A node that this host runs; `NodeDriver` of @chartseal/sharing is one. */
export interface ServedNode {
  readonly account: Uint8Array;
  answer(requestId: Uint8Array): Promise<SealedAnswer>;
  basePartial(account: Uint8Array): Promise<SealedAnswer>;
  status(): Promise<NodeStatus>;
  /** Its own registration as a node, signed by it, for validators to admit. */
  registration(): Promise<Uint8Array>;
}

export interface AuthorityRoleOptions {
  readonly nodes: readonly ServedNode[];
}

const sealedBytesMax = 256 * 1024;
const whole = z.int().min(0);
const answer = z.strictObject({ node: z.int().min(1).max(64), sealed: hexUpTo(sealedBytesMax) });
const status = z.strictObject({
  account: hexOf(20),
  index: z.int().min(1).max(64).nullable(),
  epoch: whole,
  threshold: whole,
  nodes: whole,
  hasKeys: z.boolean(),
  hasShares: z.boolean(),
  run: z
    .strictObject({ kind: z.enum(["fresh", "refresh", "reshare"]), open: z.array(z.string()) })
    .nullable(),
  faults: z.array(z.strictObject({ account: hexOf(20), fault: z.string(), epoch: whole, height: whole })),
});
const params = z.strictObject({ account: hexOf(20) });

export function authorityRole({ nodes }: AuthorityRoleOptions): Role {
  return {
    name: "authority",
    register(app) {
      addAnswers(app, nodes);
      addStatus(app, nodes);
    },
    async health() {
      const found = await Promise.all(nodes.map((node) => node.status()));
      return { nodes: found.length, ready: found.filter(({ hasShares }) => hasShares).length };
    },
  };
}

/** @throws ChartsealError `input-invalid` for a node of another host */
function requireNode(nodes: readonly ServedNode[], account: string): ServedNode {
  const node = nodes.find((one) => toHex(one.account) === account);
  if (node !== undefined) return node;
  throw new ChartsealError("input-invalid", "this authority node does not run here", { data: { account } });
}

function addAnswers(app: RoleApp, nodes: readonly ServedNode[]): void {
  const shown = ({ node, sealed }: SealedAnswer) => ({ node, sealed: toHex(sealed) });
  const response = { 200: answer };
  app.post(
    "/:account/answers",
    {
      config: { access: "signed", cost: 10 },
      schema: {
        summary: "The node's part of a key that the ledger shows as asked for, sealed to the key's keeper",
        params,
        body: z.strictObject({ requestId: hexOf(32) }),
        response,
      },
    },
    async (request) => {
      const node = requireNode(nodes, request.params.account);
      return shown(await node.answer(fromHex(request.body.requestId, 32)));
    },
  );
  app.post(
    "/:account/base-partials",
    {
      config: { access: "signed", cost: 10 },
      schema: {
        summary: "The node's part of an account's base key, sealed to the account",
        params,
        body: z.strictObject({ account: hexOf(20) }),
        response,
      },
    },
    async (request) => {
      const node = requireNode(nodes, request.params.account);
      return shown(await node.basePartial(fromHex(request.body.account, 20)));
    },
  );
}

function addStatus(app: RoleApp, nodes: readonly ServedNode[]): void {
  app.get(
    "/:account/status",
    {
      config: { access: "open" },
      schema: {
        summary: "Where the node stands: index, epoch, what is under way, whom the ledger names",
        params,
        response: { 200: status },
      },
    },
    async (request) => {
      const node = requireNode(nodes, request.params.account);
      const { faults, run, ...rest } = await node.status();
      return {
        ...rest,
        account: toHex(node.account),
        run: run === null ? null : { kind: run.kind, open: [...run.open] },
        faults: faults.map((one) => ({ ...one, account: toHex(one.account) })),
      };
    },
  );
  app.get(
    "/:account/registration",
    {
      config: { access: "open", cost: 10 },
      schema: {
        summary: "The node's own registration on the ledger, signed by it, for validators to admit",
        params,
        response: { 200: z.strictObject({ transaction: hexUpTo(transactionBytesMax) }) },
      },
    },
    async (request) => {
      const node = requireNode(nodes, request.params.account);
      return { transaction: toHex(await node.registration()) };
    },
  );
}
