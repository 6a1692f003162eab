/**
 * A window on the headers of the institution's CometBFT node, for light clients elsewhere: JSON-RPC 2.0 as CometBFT's own
 * light client speaks it (v0.38, light/provider/http, statesync/stateprovider.go), which needs three methods. A call is
 * checked and written anew; the node itself listens on loopback alone. Headers, commits and validators are everybody's:
 * who asks checks them. Nothing else is passed on, least of all what writes or names peers.
 */
import { ChartsealError } from "@chartseal/crypto";
import { z } from "zod";
import type { RoleApp } from "../../host/role.ts";

/** Asks the node and takes its answer as it is. @throws ChartsealError `ledger-unreachable` */
export type AskNode = (
  method: string,
  parameters: Readonly<Record<string, string>>,
) => Promise<{
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly data?: unknown };
}>;

/** Of a request; the longest call that there is has some 150 bytes. */
const callBytesMax = 2_048;
/** Calls that wait for the node at once. */
const callsMax = 64;
/** Of the node's own words in an error. */
const wordsMax = 500;

/** Whole numbers, as texts (CometBFT's own way for 64 bits) or as numbers; to the node they go as texts. */
const whole = (least: number, most: number) =>
  z
    .union([z.string().regex(/^(0|[1-9]\d{0,15})$/), z.int()])
    .refine((value) => Number(value) >= least && Number(value) <= most, `not from ${least} to ${most}`)
    .transform(String);
const height = whole(1, Number.MAX_SAFE_INTEGER).optional().describe("the newest without it");

/** What is passed on, with all that it may be asked with. */
const methods = {
  commit: z.strictObject({ height }),
  validators: z.strictObject({
    height,
    page: whole(1, 10_000).optional(),
    per_page: whole(1, 100).optional(),
  }),
  consensus_params: z.strictObject({ height }),
} as const;
const isMethod = (name: string): name is keyof typeof methods => Object.hasOwn(methods, name);

const id = z.union([z.int(), z.string().max(64)]);
const call = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id,
  method: z
    .string()
    .max(64)
    .describe(`one of ${Object.keys(methods).join(", ")}`),
  params: z.record(z.string().max(64), z.unknown()).nullish(),
});
const rpcError = z.strictObject({ code: z.int(), message: z.string(), data: z.string().optional() });
const answer = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: id.nullable(),
  result: z.unknown().optional(),
  error: rpcError.optional(),
});
type Answer = z.output<typeof answer>;

export function addLightRpc(app: RoleApp, askNode: AskNode): void {
  const schema = {
    summary:
      "Headers, commits and validators of the CometBFT node, for light clients: JSON-RPC 2.0, one call",
    // What is no call is answered in JSON-RPC's own words, so that every client of it understands.
    body: z.union([call, z.unknown()]),
    response: { 200: answer },
  };
  let calls = 0;
  app.post("/light-rpc", { config: { access: "open" }, bodyLimit: callBytesMax, schema }, async (request) => {
    if (calls >= callsMax) throw new ChartsealError("rate-limited", "too many wait for the node's headers");
    calls++;
    try {
      return await answerTo(request.body, askNode);
    } finally {
      calls--;
    }
  });
}

async function answerTo(body: unknown, askNode: AskNode): Promise<Answer> {
  const asked = call.safeParse(body);
  if (!asked.success) {
    const said = Array.isArray(body) ? "one call at a time" : faultOf(asked.error);
    return { jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid Request", data: said } };
  }
  const { id, method, params } = asked.data;
  const refuse = (code: number, message: string, data: string): Answer => ({
    jsonrpc: "2.0",
    id,
    error: { code, message, data },
  });
  if (!isMethod(method)) {
    return refuse(-32601, "Method not found", `only ${Object.keys(methods).join(", ")} are answered here`);
  }
  const checked = methods[method].safeParse(params ?? {});
  if (!checked.success) return refuse(-32602, "Invalid params", faultOf(checked.error));
  try {
    const { result, error } = await askNode(method, JSON.parse(JSON.stringify(checked.data)));
    if (error === undefined) return { jsonrpc: "2.0", id, result: result ?? null };
    return refuse(numberOf(error.code), wordsOf(error.message) || "Internal error", wordsOf(error.data));
  } catch (error) {
    if (!(error instanceof ChartsealError)) throw error;
    // The words by which CometBFT's light client knows that asking once more is worth it.
    return refuse(-32603, "Internal error", "the node does not answer (Timeout exceeded)");
  }
}

function faultOf({ issues: [first] }: z.ZodError): string {
  const path = first?.path.join(".") ?? "";
  return wordsOf(`${path === "" ? "" : `${path}: `}${first?.message ?? "malformed"}`);
}

const numberOf = (code: unknown): number => (Number.isSafeInteger(code) ? Number(code) : -32603);

/** The node's words, e.g. that a height is not there yet, which light clients read. */
const wordsOf = (words: unknown): string => (typeof words === "string" ? words.slice(0, wordsMax) : "");
