/** namespace oidc, link, unlink, sync, and why: attributes that follow a hospital's identity provider. */
import { createInterface } from "node:readline";
import { ChartsealError } from "@chartseal/crypto";
import { listNamespaces, parseMapping } from "@chartseal/sharing";
import { type Command, InvalidArgumentError } from "commander";
import { homeFolder, openHome, requireMember } from "../home/home.ts";
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
import { memberOf, openSession, openVaults, ownSession, type ReadSession } from "../services/session.ts";
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
      const check = (session: ReadSession): Promise<void> => requireNamespace(session, name);
      const settings = async (): Promise<Parameters<typeof setIdentityProvider>[2]> => {
        const { defaultScopes } = await import("@chartseal/oidc");
        const { issuer, clientId, scopes } = options;
        const clientSecret = clientSecretOf(options.clientSecretFile);
        const asked = scopes === undefined ? defaultScopes : commaList(scopes);
        const mapping = parseMapping(jsonOf(options.mapping), name);
        return { oidc: { issuer, clientId, clientSecret, scopes: asked }, mapping };
      };
      const given = async (session: ReadSession): Promise<void> => {
        await check(session);
        const { checkSettings } = await import("@chartseal/oidc");
        checkSettings((await settings()).oidc);
      };
      const value = await writing(globals, { check: given }, async (session) =>
        setIdentityProvider(ownSession(session), name, await settings()),
      );
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
      const value = await writing(globals, { check }, (session) =>
        showIdentityProvider(ownSession(session), name),
      );
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

/** The login first, while the home is nobody's; then the link, as its one writer. */
async function linked(
  globals: Globals,
  home: ReturnType<typeof openHome>,
  options: {
    readonly namespace: string;
    readonly as: string;
    readonly paste?: boolean;
    readonly timeout: number;
  },
): Promise<{ readonly value: unknown; readonly text: string }> {
  const { namespace, as: member, paste = false, timeout } = options;
  const logged = await reading(globals, async (session) => {
    await requireIdentityProvider(session, namespace);
    requireMember(home, member);
    const passphrase = await readPassphrase(passphraseOption(globals));
    const vaults = await openVaults(home, passphrase, [member]);
    const login = await logIn(session, {
      namespace,
      member,
      vaults,
      come: async (begun, redirect) => {
        globals.output.notice(`Open this address and log in:\n${begun.url}`);
        return paste
          ? await pasted()
          : await redirect.wait({ state: begun.state, timeoutMs: timeout * 1000 });
      },
    });
    return { login, passphrase, vaults };
  });
  const { login, passphrase, vaults } = logged;
  const session = await openSession(home, {
    passphrase,
    vaults: Promise.resolve(vaults),
    members: [member],
    waitMs: globals.waitMs,
  });
  try {
    const report = await linkMember(session, memberOf(session, member), login);
    const brought = report.vouched.length === 0 ? "nothing new" : report.vouched.join(", ");
    return {
      value: reportValue(session, report),
      text: `${member} is linked at ${namespace}; it brought ${brought}.`,
    };
  } finally {
    await session.close();
  }
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
      const value = await writing(globals, { check }, (session) =>
        unlinkMember(ownSession(session), name, member),
      );
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
      const links = await writing(globals, { check }, (session) =>
        syncNamespace(ownSession(session), name, member),
      );
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
