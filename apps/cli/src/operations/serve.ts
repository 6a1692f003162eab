/**
 * serve: the home's services over HTTP, until the process is told to stop. The server is the home's one writer; commands
 * on the home find it by DIR/run/server.json and go through it (CONTRACT, Locking).
 */
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ChartsealError, ed25519KeyPairFromSeed, isFamily, randomBytes } from "@chartseal/crypto";
import { signAdmission } from "@chartseal/ledger";
import type { NamespaceIdentity } from "@chartseal/oidc";
import type { HostConfig, HostConfigInput, Role, RoleName, Staging } from "@chartseal/server";
import { type Hospital, listNamespaces, readAccount } from "@chartseal/sharing";
import { openFilesystemStore } from "@chartseal/storage";
import { isOfConsortium } from "../home/home.ts";
import { institutionOf, type NetworkFile } from "../home/network-file.ts";
import { payloadUploads } from "../services/asides.ts";
import { openAuditJournal } from "../services/audit-journal.ts";
import { hasIdentityProvider } from "../services/identity-store.ts";
import { registerOwnProvider } from "../services/registering.ts";
import { removeServerFile, writeServerFile } from "../services/server-file.ts";
import { loadProvider } from "../services/service-keys.ts";
import type { OwnSession } from "../services/session.ts";
import { type RotaOptions, rotaDefaults, startRota } from "./audit-rota.ts";
import { identityOf } from "./identity.ts";

export interface ServeOptions {
  readonly config: HostConfig;
  readonly version: string;
  readonly log: { write(line: string): void };
  readonly logLevel: "error" | "warn" | "info" | "debug";
  /** How often, and how fast, the provider audits itself. */
  readonly audits?: RotaOptions;
}

export interface Serving {
  readonly address: string;
  readonly port: number;
  readonly roles: readonly RoleName[];
  /** Lets what is under way finish, then lets the home go. */
  stop(): Promise<void>;
}

/** How often the services look after what time alone brings: new signing periods, what the ledger says must go. */
const dutyMs = 60_000;

/** How long an upload on which nothing moves is kept. */
const uploadGraceMs = 86_400_000;
/** All payloads that are under way together: one of the largest, and as much again. */
const payloadsBytesMax = 2 ** 41;

/** How often leftovers of interrupted deposits are looked for. */
const collectMs = 3_600_000;

/** What a file and the options say together; options win. @throws ChartsealError `input-invalid` */
export async function serveConfig(options: {
  readonly file?: string;
  readonly host?: string;
  readonly port?: number;
  readonly roles?: readonly string[];
  /** The home's, where it is an institution's of a consortium. */
  readonly network?: NetworkFile;
}): Promise<HostConfig> {
  const { parseConfig } = await import("@chartseal/server");
  const { file, host, port, roles, network } = options;
  const given = file === undefined ? {} : readConfigFile(file);
  const own = network === undefined ? {} : consortiumConfig(network);
  const listen = { ...own.listen, ...(given.listen as object), ...(host === undefined ? {} : { host }) };
  const holds =
    parseConfig({ objects: given.objects as HostConfigInput["objects"] }).objects.peers.length > 0;
  return parseConfig({
    ...own,
    roles: ["ledger", "provider", "namespace", ...(own.roles ?? []), ...(holds ? ["objects"] : [])],
    ...given,
    listen: { ...listen, ...(port === undefined ? {} : { port }) },
    ...(roles === undefined ? {} : { roles: roles as HostConfigInput["roles"] }),
  } as HostConfigInput);
}

/** What network.json says of the server: where it listens, under which name the others know it, its node's role. */
function consortiumConfig(network: NetworkFile): HostConfigInput {
  const { listen: host, serverPort: port } = network;
  const { url, authority } = institutionOf(network, network.name);
  return {
    listen: { host, port },
    authorities: [new URL(url).host.toLowerCase()],
    ...(authority === null ? {} : { roles: ["authority"] }),
  };
}

function readConfigFile(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Falls through: no file, or no JSON.
  }
  throw new ChartsealError("input-invalid", `the configuration ${file} is no readable JSON object`, {
    data: { file },
  });
}

/** Starts the host on an opened home; the session is the host's from then on, and closed when it stops. */
export async function startServing(session: OwnSession, options: ServeOptions): Promise<Serving> {
  const { chooseRoles, startHost } = await import("@chartseal/server");
  const { home, ledger, now } = session;
  const { config, version, log, logLevel } = options;
  const token = randomBytes(32);
  const identities = identitiesOf(session);
  const stagings = await stagingsOf(session, config);
  session.provider.watchAside("upload", stagings.payloads);
  const { home: own, ...made } = await rolesOf(session, { token, identities, config, stagings });
  const host = await startHost({
    config,
    roles: [...chooseRoles(config.roles, made), own],
    version,
    localKey: ed25519KeyPairFromSeed(token).publicKey,
    accountKey: async (account) => (await readAccount(ledger, account))?.publicKey,
    now,
    log,
    logLevel,
    logStacks: process.env.CHARTSEAL_DEBUG === "1",
  });
  const server = { address: host.url, token, pid: process.pid };
  writeServerFile(home.paths, server);
  const duties = lookAfter({ session, identities, stagings, log: logged(log, logLevel) });
  const journal = openAuditJournal(home.paths);
  const restored = judgeRestored(session, log);
  const going = restored.done.then(async (isDone): Promise<readonly Going[]> => {
    if (!isDone) return [];
    const rota = { journal, log: logged(log, logLevel) };
    return [
      await driveNodes(session, log),
      ...(isOfConsortium(home) ? [register(session, log)] : []),
      startRota(session, options.audits ?? rotaDefaults, rota),
    ];
  });
  return {
    address: host.url,
    port: host.port,
    roles: config.roles,
    async stop() {
      // No command comes any more; those under way are finished.
      removeServerFile(home.paths, server);
      await restored.stop();
      await duties.stop();
      await Promise.all((await going).map((one) => one.stop()));
      await host.close();
      await session.close();
    },
  };
}

/** Lines of our own below the level that was asked for are left out. */
function logged(log: ServeOptions["log"], level: ServeOptions["logLevel"]): ServeOptions["log"] {
  const least = { debug: 20, info: 30, warn: 40, error: 50 }[level];
  return {
    write: (line) => void ((JSON.parse(line) as { level: number }).level >= least && log.write(line)),
  };
}

/** Every role that this home can play, and the one for its own commands. */
async function rolesOf(
  session: OwnSession,
  parts: {
    readonly token: Uint8Array;
    readonly identities: Identities;
    readonly config: HostConfig;
    readonly stagings: Stagings;
  },
): Promise<Partial<Record<RoleName, Role>> & { readonly home: Role }> {
  const { authorityRole, homeRole, ledgerRole, namespaceRole, providerRole } = await import(
    "@chartseal/server"
  );
  const { token, identities, config, stagings } = parts;
  const { home, ledger, provider, node, now, validatorSeed, addNamespace } = session;
  const { engineHealth, askNode, ownNodes } = session;
  const engine = {
    ...(engineHealth === undefined ? {} : { engineHealth }),
    ...(askNode === undefined ? {} : { askNode }),
  };
  const namespace = hospitalsOf(session);
  return {
    ledger: ledgerRole({ ledger, ...engine }),
    ...(ownNodes.length === 0 ? {} : { authority: authorityRole({ nodes: ownNodes }) }),
    provider: providerRole({
      provider,
      now,
      ledger,
      staging: stagings.payloads,
      check: () => session.provider.check(),
      usage: () => session.provider.usage(),
    }),
    namespace: namespaceRole({
      namespace,
      names: () => listNamespaces(ledger),
      identity: identities.of,
    }),
    objects: await heldRole(session, config, stagings.objects),
    home: homeRole({
      token,
      folder: realpathSync(home.paths.root),
      node,
      namespace,
      addNamespace,
      admit: async (body) => signAdmission(validatorSeed, body),
      submitAudit: (body) => provider.submitAudit(body),
      submitOperation: (body) => session.submitOperation(body),
    }),
  };
}

/** Uploads that are under way: of payloads, and of what other providers keep here. */
interface Stagings {
  readonly payloads: Staging;
  readonly objects: Staging;
}

async function stagingsOf({ home, now }: OwnSession, { objects }: HostConfig): Promise<Stagings> {
  const { Staging } = await import("@chartseal/server");
  const of = (folder: string, bytesMax: number): Staging =>
    new Staging({
      folder,
      now,
      graceMs: uploadGraceMs,
      uploadsMax: 1_024,
      bytesMax: Math.min(bytesMax, Number.MAX_SAFE_INTEGER),
    });
  const quotas = objects.peers.reduce((bytes, { quotaBytes }) => bytes + quotaBytes, 0);
  return {
    payloads: of(payloadUploads(home.paths), payloadsBytesMax),
    objects: of(join(home.paths.uploads, "objects"), quotas),
  };
}

/** What other providers keep here: a folder for each peer. */
async function heldRole(
  { home, provider }: OwnSession,
  { objects }: HostConfig,
  staging: Staging,
): Promise<Role> {
  const { objectsRole } = await import("@chartseal/server");
  return objectsRole({
    peers: objects.peers,
    storeOf: (account) => openFilesystemStore(join(home.paths.held, account)),
    staging,
    account: provider.account,
    attest: (erased) => provider.attestErased(erased),
  });
}

/** One of each hospital: two would take each other's numbers. */
function hospitalsOf({ namespace }: OwnSession): (name: string) => Promise<Hospital | undefined> {
  const known = new Map<string, Hospital>();
  return async (name) => {
    const found = known.get(name) ?? (await namespace(name));
    if (found !== undefined && !known.has(name)) known.set(name, found);
    return known.get(name);
  };
}

/** The identity providers that hospitals of this home follow. */
interface Identities {
  readonly of: (namespace: string) => Promise<NamespaceIdentity | undefined>;
  /** Reads everybody's claims. @returns what failed, by namespace; nothing follows from it */
  sync(): Promise<ReadonlyMap<string, unknown>>;
}

/** One service a hospital: it holds the logins that are under way, and does one thing at a time. */
function identitiesOf(session: OwnSession): Identities {
  const known = new Map<string, Promise<NamespaceIdentity>>();
  const of = async (name: string): Promise<NamespaceIdentity | undefined> => {
    if (!hasIdentityProvider(session.home.paths.service, name)) return undefined;
    const found = known.get(name) ?? identityOf(session, name);
    known.set(name, found);
    return await found;
  };
  const sync = async (): Promise<ReadonlyMap<string, unknown>> => {
    const failed = new Map<string, unknown>();
    for (const name of await listNamespaces(session.ledger)) {
      try {
        await (await of(name))?.sync();
      } catch (error) {
        failed.set(name, error);
      }
    }
    return failed;
  };
  return { of, sync };
}

/** Runs the duties again and again; what fails is logged and tried again. */
function lookAfter(looked: {
  readonly session: OwnSession;
  readonly identities: Identities;
  readonly stagings: Stagings;
  readonly log: ServeOptions["log"];
}): { stop(): Promise<void> } {
  const { session, identities, stagings, log } = looked;
  let running: Promise<void> = Promise.resolve();
  const tell = (error: unknown, about: object): void => {
    const code = error instanceof ChartsealError ? error.code : "defect";
    const level = isFamily(error, "unavailable") ? 40 : 50;
    log.write(`${JSON.stringify({ level, time: Date.now(), msg: "a duty failed", code, ...about })}\n`);
  };
  let collectAtMs = 0;
  // Leftovers of interrupted deposits, as `gc` removes them while no server runs.
  const collectDue = async (): Promise<void> => {
    if (session.now() < collectAtMs) return;
    collectAtMs = session.now() + collectMs;
    const removed = await session.provider.collect({ graceMs: uploadGraceMs });
    if (removed.length === 0) return;
    const msg = "payloads that were never registered are removed";
    log.write(`${JSON.stringify({ level: 30, time: Date.now(), msg, count: removed.length })}\n`);
  };
  const duties: readonly (() => Promise<unknown>)[] = [
    () => session.rollPeriods(),
    () => session.provider.follow(),
    () => session.provider.eraseDue(),
    () => session.provider.sayRepairs(),
    ...Object.values(stagings).map((staging) => () => staging.sweep()),
    collectDue,
  ];
  // One that fails keeps none of the others from being done.
  const round = async (): Promise<void> => {
    if (await isBehind(session)) return;
    for (const duty of duties) await duty().catch((error: unknown) => tell(error, {}));
  };
  const follow = async (): Promise<void> => {
    if (await isBehind(session)) return;
    for (const [namespace, error] of await identities.sync()) tell(error, { namespace });
  };
  const every = (milliseconds: number, duty: () => Promise<void>): NodeJS.Timeout =>
    setInterval(() => {
      running = running.then(duty).catch((error: unknown) => tell(error, {}));
    }, milliseconds);
  const timers = [every(dutyMs, round), every(identityMs(), follow)];
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await running;
    },
  };
}

/**
 * Whether the ledger here is older than what the others have, or than what this home had before it was restored. What it does
 * not know yet is nothing to act upon.
 */
async function isBehind({ engineHealth, provider }: OwnSession): Promise<boolean> {
  return (await provider.isBehind()) || (await engineHealth?.())?.catchingUp === true;
}

const restoredMs = 2_000;

/**
 * After a restore: has what came back judged once the node has caught up. Everything else that acts by itself waits for that: to
 * a ledger of before, the committee has no keys yet, and a stored record is not what the ledger says.
 */
function judgeRestored(session: OwnSession, log: ServeOptions["log"]): Attempts {
  const { provider } = session;
  const tell = (error: unknown): void => {
    const code = error instanceof ChartsealError ? error.code : "defect";
    const msg = "what a restore brought back is not all judged yet";
    log.write(`${JSON.stringify({ level: 40, time: Date.now(), msg, code })}\n`);
  };
  return untilDone(async () => {
    try {
      if (!(await provider.isExpecting())) return true;
      if (await isBehind(session)) return restoredMs;
    } catch (error) {
      tell(error);
      return restoredMs;
    }
    // What a place that is away keeps from it, the next rounds of duties do.
    await provider.follow().catch(tell);
    return true;
  });
}

interface Going {
  stop(): Promise<void>;
}

interface Attempts extends Going {
  /** Resolves at the end: whether it was done, or stopped before. */
  readonly done: Promise<boolean>;
}

/** Tries again and again until it says that it is done, or is stopped; else it says after how many milliseconds. */
function untilDone(attempt: () => Promise<true | number>): Attempts {
  const stopping = new AbortController();
  const { signal } = stopping;
  const attempts = async (): Promise<boolean> => {
    while (!signal.aborted) {
      const next = await attempt();
      if (next === true) return true;
      await sleep(next, undefined, { signal }).catch(() => {});
    }
    return false;
  };
  const done = attempts();
  return {
    done,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/** How often claims are read again: every ten minutes, or as CHARTSEAL_IDENTITY_SECONDS says. */
function identityMs(): number {
  const seconds = Number(process.env.CHARTSEAL_IDENTITY_SECONDS ?? "600");
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400 ? seconds * 1000 : 600_000;
}

/** The home's own authority nodes take their steps in changes of the committee for as long as the server runs. */
async function driveNodes(
  { drivers, ledger }: OwnSession,
  log: ServeOptions["log"],
): Promise<{ stop(): Promise<void> }> {
  const { driveNode } = await import("@chartseal/server");
  const stopping = new AbortController();
  const { signal } = stopping;
  const failed = (error: unknown): void => {
    const code = error instanceof ChartsealError ? error.code : "defect";
    log.write(`${JSON.stringify({ level: 50, time: Date.now(), msg: "an authority node failed", code })}\n`);
  };
  const driving = Promise.all(drivers.map((driver) => driveNode({ driver, ledger, signal, failed })));
  return {
    async stop() {
      stopping.abort();
      await driving;
    },
  };
}

const registerMs = 2_000;
/** How often a provider that the genesis does not name asks again; a refusal is this node's own, and on no ledger. */
const approvalMs = 10_000;

/** Registers an institution's provider once the ledger takes it, which needs more than two thirds of the institutions. */
function register(session: OwnSession, log: ServeOptions["log"]): Going {
  let isTold = false;
  return untilDone(async () => {
    try {
      await registerOwnProvider(session, await loadProvider(session.vault));
      return true;
    } catch (error) {
      const code = error instanceof ChartsealError ? error.code : "defect";
      // One that the genesis does not name needs a vote (chartseal consortium propose register-provider).
      const needsVote = isFamily(error, "refused");
      const msg = needsVote ? "the provider needs a vote" : "the provider is not registered yet";
      if (!(needsVote && isTold)) {
        log.write(`${JSON.stringify({ level: 40, time: Date.now(), msg, code })}\n`);
      }
      isTold ||= needsVote;
      return needsVote ? approvalMs : registerMs;
    }
  });
}

/** Resolves when the process is told to stop. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
