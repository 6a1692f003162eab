/** namespace oidc, link, unlink, sync, and why: attributes that follow a hospital's identity provider. */
import { createInterface } from "node:readline";
import { ChartsealError } from "@chartseal/crypto";
import { type LinkReport, listNamespaces, parseMapping } from "@chartseal/sharing";
import { type Command, InvalidArgumentError } from "commander";
import { type Home, homeFolder, openHome, requireMember } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import { readPassphrase } from "../home/passphrase.ts";
import {
  checkWhy,
  hasEvidence,
  linkMember,
  logIn,
  reportValue,
  requireIdentityProvider,
  requireNamespace,
  setIdentityProvider,
  showIdentityProvider,
  syncNamespace,
  unlinkMember,
  whyLines,
  whyMember,
  whyValue,
} from "../operations/identity.ts";
import { readGiven } from "../operations/ledger.ts";
import { exitCodes } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { passphraseOption, reading, writing } from "../run.ts";
import type { LoopbackRedirect } from "../services/loopback.ts";
import { findServer } from "../services/server-file.ts";
import {
  memberOf,
  type OwnSession,
  openSession,
  ownSession,
  type ReadSession,
  refreshKeys,
} from "../services/session.ts";
import { commandVaults, openAll, openServiceVault, type Vaults } from "../services/vaults.ts";
import { openForWriting } from "../services/writing-session.ts";
import { commaList, example } from "./shared.ts";

const secretVariable = "CHARTSEAL_OIDC_CLIENT_SECRET";
const loginWaitMs = 300_000;

/** Into the group `namespace`, and `why` beside it. */
export function addIdentityCommands(program: Command): void {
  const group = program.commands.find((one) => one.name() === "namespace");
  if (group === undefined) throw new ChartsealError("defect", "there is no group of commands for namespaces");
  const oidc = group.command("oidc").description("the identity provider that a namespace follows: set, show");
  addSet(oidc);
  addShow(oidc);
  addLink(group);
  addUnlink(group);
  addSync(group);
  addWhy(program);
}

interface SetOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly mapping: string;
  readonly clientSecretFile?: string;
  readonly scopes?: string;
}

function addSet(group: Command): void {
  const command = group
    .command("set <namespace>")
    .description("follow an OpenID provider: claims become attributes by the rules of a mapping")
    .requiredOption("--issuer <url>", "the provider's issuer, as its discovery document names it")
    .requiredOption("--client-id <id>", "the client that the provider knows this namespace as")
    .requiredOption("--mapping <file>", "the rules, JSON (spec/vectors/oidc-mapping.schema.json)")
    .option("--client-secret-file <file>", `the client's secret; else ${secretVariable}, else none`)
    .option(
      "--scopes <names>",
      "what is asked for, by commas; default openid, profile, email, offline_access",
    )
    .action(async (name: string, options: SetOptions) => {
      const globals = globalsOf(command);
      const settings = async (): Promise<Parameters<typeof setIdentityProvider>[2]> => {
        const { defaultScopes } = await import("@chartseal/oidc");
        const { issuer, clientId, scopes } = options;
        const clientSecret = clientSecretOf(options.clientSecretFile);
        const asked = scopes === undefined ? defaultScopes : commaList(scopes);
        const mapping = parseMapping(jsonOf(options.mapping), name);
        return { oidc: { issuer, clientId, clientSecret, scopes: asked }, mapping };
      };
      const check = async (session: ReadSession): Promise<void> => {
        await requireNamespace(session, name);
        const { checkSettings } = await import("@chartseal/oidc");
        checkSettings((await settings()).oidc);
      };
      const set = async (vault: KeyVault): Promise<unknown> =>
        setIdentityProvider(vault, name, await settings());
      const value = await ownOrServed(globals, check, {
        own: ({ vault }) => set(vault),
        served: ({ vault }) => set(vault),
      });
      globals.output.value(value, `${name} follows ${options.issuer}.`);
    });
  example(
    command,
    "chartseal namespace oidc set cedars --issuer https://login.cedars.example --client-id chartseal --mapping cedars.json",
  );
}

/** @throws ChartsealError `input-invalid` */
function clientSecretOf(file: string | undefined): string | null {
  const text = file === undefined ? process.env[secretVariable] : textOf(file, "a client secret");
  const secret = text?.trim();
  return secret === undefined || secret === "" ? null : secret;
}

function textOf(file: string, what: string): string {
  return new TextDecoder().decode(readGiven(file, what));
}

/** @throws ChartsealError `input-invalid` */
function jsonOf(file: string): unknown {
  try {
    return JSON.parse(textOf(file, "a mapping"));
  } catch (cause) {
    if (cause instanceof ChartsealError) throw cause;
    throw new ChartsealError("input-invalid", `${file} is no JSON`, { data: { file }, cause });
  }
}

function addShow(group: Command): void {
  const command = group
    .command("show <namespace>")
    .description("issuer, client, mapping, number of links; never the secret")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const check = (session: ReadSession): Promise<void> => requireIdentityProvider(session, name);
      const value = await ownOrServed(globals, check, {
        own: ({ vault }) => showIdentityProvider(vault, name),
        served: ({ vault }) => showIdentityProvider(vault, name),
      });
      globals.output.value(value, JSON.stringify(value, null, 2));
    });
  example(command, "chartseal namespace oidc show cedars");
}

function addLink(group: Command): void {
  const command = group
    .command("link <namespace>")
    .description("link a member to its identity: prints the provider's address and waits for the login")
    .requiredOption("--as <name>", "the member who logs in")
    .option("--paste", "the browser is elsewhere: give the address that it ended at on standard input")
    .option(
      "--timeout <seconds>",
      "how long to wait for the login; default 300",
      secondsOf,
      loginWaitMs / 1000,
    )
    .action(async (name: string, options: { as: string; paste?: boolean; timeout: number }) => {
      const globals = globalsOf(command);
      const home = openHome(homeFolder(globals.home));
      const { value, text } = await linked(globals, home, { ...options, namespace: name });
      globals.output.value(value, text);
    });
  example(command, "chartseal namespace link cedars --as bob");
}

function secondsOf(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a whole number of seconds.");
}

interface LinkOptions {
  readonly namespace: string;
  readonly as: string;
  readonly paste?: boolean;
  readonly timeout: number;
}

async function linked(
  globals: Globals,
  home: Home,
  options: LinkOptions,
): Promise<{ readonly value: unknown; readonly text: string }> {
  const { namespace, as: member } = options;
  await reading(globals, async (session) => {
    await requireIdentityProvider(session, namespace);
    requireMember(home, member);
  });
  const wanted = { ...passphraseOption(globals), members: [member], checked: Promise.resolve() };
  const vaults = commandVaults(home, wanted);
  await vaults.settle();
  const server = await findServer(home.paths);
  server?.close();
  const report = await (server === undefined ? linkedHere : linkedThere)(globals, home, {
    ...options,
    vaults,
  });
  const { vouched } = report;
  const brought = vouched.length === 0 ? "nothing new" : vouched.join(", ");
  const text = `${member} is linked at ${namespace}; it brought ${brought}.`;
  return { value: reportValue(home, report), text };
}

type Linking = LinkOptions & { readonly vaults: Vaults };

/** Tells the user where to log in, and gives the address that the browser came back to. */
async function come(
  globals: Globals,
  { paste = false, timeout }: LinkOptions,
  begun: { readonly url: string; readonly state: string; readonly redirect: LoopbackRedirect },
): Promise<URL> {
  globals.output.notice(`Open this address and log in:\n${begun.url}`);
  if (paste) return await pasted();
  return await begun.redirect.wait({ state: begun.state, timeoutMs: timeout * 1000 });
}

/** The login first, while the home is nobody's; then the link, as its one writer. */
async function linkedHere(globals: Globals, home: Home, linking: Linking): Promise<LinkReport> {
  const { namespace, as: member, vaults } = linking;
  const [service, [own]] = await openAll(vaults);
  const login = await reading(globals, (session) =>
    logIn(session, {
      namespace,
      member,
      vaults: [service, own!],
      come: ({ url, state }, redirect) => come(globals, linking, { url, state, redirect }),
    }),
  );
  const opened = { vaults, members: [member], waitMs: globals.waitMs };
  const session = await openSession(home, opened);
  try {
    return await linkMember(session, memberOf(session, member), login);
  } finally {
    await session.close();
  }
}

/** Through the server that runs on the home: it is the namespace, this command the member with its browser. */
async function linkedThere(globals: Globals, home: Home, linking: Linking): Promise<LinkReport> {
  const { namespace, as: name, vaults } = linking;
  const opened = { vaults, members: [name], waitMs: globals.waitMs };
  const session = await openForWriting(home, opened);
  const server = await findServer(home.paths);
  const { HttpIdentity } = await import("@chartseal/server/client");
  const { LoopbackRedirect } = await import("../services/loopback.ts");
  const redirect = await LoopbackRedirect.open();
  try {
    if (server === undefined) throw new ChartsealError("provider-unreachable", "the server has stopped");
    const member = memberOf(session, name);
    const { chainId } = session.ledger;
    const { connection } = server;
    const identity = new HttpIdentity({ connection, namespace, member: member.keys, chainId });
    const report = await identity.link({
      redirectUri: redirect.redirectUri,
      come: ({ url, state }) => come(globals, linking, { url, state, redirect }),
    });
    await refreshKeys(session, member);
    return report as unknown as LinkReport;
  } finally {
    await redirect.close();
    server?.close();
    await session.close();
  }
}

/** The server that runs on the home, for what the operator asks of a namespace; the passphrase was given and is right. */
interface Served {
  readonly home: Home;
  readonly vault: KeyVault;
  ask(namespace: string, what: string, member: string | undefined): Promise<Record<string, unknown>>;
}

/** As the home's one writer, or through the server that runs on it. */
async function ownOrServed<T>(
  globals: Globals,
  check: (session: ReadSession) => Promise<void>,
  work: {
    readonly own: (session: OwnSession) => Promise<T>;
    readonly served: (server: Served) => Promise<T>;
  },
): Promise<T> {
  const home = openHome(homeFolder(globals.home));
  await reading(globals, check);
  const server = await findServer(home.paths);
  if (server === undefined) return await writing(globals, {}, (session) => work.own(ownSession(session)));
  try {
    const vault = await openServiceVault(home, await readPassphrase(passphraseOption(globals)));
    const ask: Served["ask"] = async (namespace, what, member) => {
      const account = member === undefined ? {} : { account: requireMember(home, member).account };
      const target = `/v1/namespace/${namespace}/identity/${what}`;
      return await server.connection.json({ target, json: account });
    };
    return await work.served({ home, vault, ask });
  } finally {
    server.close();
  }
}

function servedReport({ home }: Served, report: object): Record<string, unknown> {
  return reportValue(home, report as LinkReport);
}

/** One line of standard input: the address that the browser ended at. @throws ChartsealError `input-invalid` */
async function pasted(): Promise<URL> {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    const text = line.trim();
    if (text === "") continue;
    lines.close();
    if (text.length <= 8192 && URL.canParse(text)) return new URL(text);
    break;
  }
  throw new ChartsealError("input-invalid", "no address was given on standard input", {
    hint: "Copy the whole address that the browser ended at, http://127.0.0.1:…/callback?…",
  });
}

function addUnlink(group: Command): void {
  const command = group
    .command("unlink <namespace>")
    .description("end a member's link: what its claims brought is revoked, the refresh token is forgotten")
    .requiredOption("--member <name>", "the member whose link ends")
    .action(async (name: string, { member }: { member: string }) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        await requireIdentityProvider(session, name);
        requireMember(session.home, member);
      };
      const value = await ownOrServed(globals, check, {
        own: (session) => unlinkMember(session, name, member),
        served: async (server) => servedReport(server, await server.ask(name, "unlink", member)),
      });
      globals.output.value(value, `${member} is no longer linked at ${name}.`);
    });
  example(command, "chartseal namespace unlink cedars --member bob");
}

function addSync(group: Command): void {
  const command = group
    .command("sync <namespace>")
    .description("read the linked members' claims again: vouch for what is new, revoke what is gone")
    .option("--member <name>", "this member only")
    .action(async (name: string, { member }: { member?: string }) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        await requireIdentityProvider(session, name);
        if (member !== undefined) requireMember(session.home, member);
      };
      const links = await ownOrServed(globals, check, {
        own: (session) => syncNamespace(session, name, member),
        served: async (server) => {
          const { links: found } = await server.ask(name, "sync", member);
          return (found as LinkReport[]).map((one) => servedReport(server, one));
        },
      });
      globals.output.value({ namespace: name, links }, links.map(syncLine).join("\n") || "Nobody is linked.");
      if (links.some(({ outcome }) => outcome === "unreachable")) process.exitCode = exitCodes.unavailable;
    });
  example(command, "chartseal namespace sync cedars");
}

function syncLine(report: Record<string, unknown>): string {
  const { member, account, outcome, reason, vouched, revoked, withheld } = report;
  const list = (word: string, attributes: unknown): string[] =>
    Array.isArray(attributes) && attributes.length > 0 ? [`${word} ${attributes.join(", ")}`] : [];
  const parts = [...list("vouched for", vouched), ...list("revoked", revoked), ...list("withheld", withheld)];
  const said = reason === undefined ? String(outcome) : `${String(outcome)} (${String(reason)})`;
  return `${String(member ?? account)}: ${said}; ${parts.join("; ") || "nothing changed"}`;
}

function addWhy(program: Command): void {
  const command = program
    .command("why <member> [attribute]")
    .description("why a member holds an attribute, or no longer does: claim, rule, vouch on the ledger")
    .action(async (member: string, attribute: string | undefined) => {
      const globals = globalsOf(command);
      const reasons = await reading(globals, async (session) => {
        checkWhy(session, member, attribute);
        const sealed = hasEvidence(session, await listNamespaces(session.ledger));
        const passphrase = (): Promise<string> => readPassphrase(passphraseOption(globals));
        return await whyMember(session, {
          member,
          ...(attribute && { attribute }),
          ...(sealed && { passphrase }),
        });
      });
      for (const reason of reasons)
        globals.output.line(whyValue(member, reason), whyLines(reason).join("\n"));
      if (reasons.length === 0) globals.output.note(`No hospital ever vouched for ${member}.`);
    });
  example(command, "chartseal why bob cardiology@cedars");
}
