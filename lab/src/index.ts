/**
 * The public entry of @chartseal/lab: real servers on loopback, each a process of its own with a folder and credentials
 * that nobody else has, for tests, benchmarks and the demo. Programs are handed in: scripts/tools.mjs finds them.
 */
export { type CutPlan, type Faults, FaultyProxy, type ProxyTarget, type ProxyTwin } from "./faulty-proxy.ts";
export { type FtpsServer, startVsftpd } from "./ftps-server.ts";
export { freePort } from "./ports.ts";
export { programOf } from "./programs.ts";
export { type S3Server, startVersitygw } from "./s3-server.ts";
