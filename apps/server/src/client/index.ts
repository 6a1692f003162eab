/** The public entry of a server's clients: it imports no server and runs in browsers too. */
export { fromProblem, type Problem, problemType, statusOf, toProblem } from "../problem.ts";
export { contentDigest, type RequestSigner, signatureTag, signRequest } from "../signature/message.ts";
export { Connection, type ConnectionOptions } from "./connection.ts";
export { type HomeClient, homeClient, isServerOf, tokenSigner } from "./home-services.ts";
export { HttpAuthorityNode, type HttpAuthorityNodeOptions } from "./http-authority.ts";
export { HttpIdentity, type HttpIdentityOptions } from "./http-identity.ts";
export { HttpLedger, type HttpLedgerOptions } from "./http-ledger.ts";
export { HttpNamespace, type HttpNamespaceOptions } from "./http-namespace.ts";
export { HttpProvider, type HttpProviderOptions } from "./http-provider.ts";
export type { SendingOptions } from "./payload-sending.ts";
export { fetchTransport, type HttpRequest, type HttpResponse, type Transport } from "./transport.ts";
