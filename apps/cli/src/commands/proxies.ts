/** proxy: a guardian or carer who acts for the owner until a time: appoint, list, end. Reading is `open --proxy-for`. */
import { ChartsealError, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import { type ProxyRight, proxyRights } from "@chartseal/ledger";
import {
  type Appointment,
  appointProxy,
  endProxy,
  listAppointments,
  listProxies,
  readProxy,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { type Home, requireMember } from "../home/home.ts";
import { nameOf, parseGrantId, timeText } from "../operations/emergencies.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { dropSpecialKey } from "../services/special-keys.ts";
import { commaList, endOf, example } from "./shared.ts";

export function addProxyCommands(program: Command): void {
  const group = program
    .command("proxy")
    .description("guardians and carers who act for an owner until a time: appoint, list, end");
  addAppoint(group);
  addList(group);
  addEnd(group);
}

interface AppointOptions {
  readonly owner: string;
  readonly proxy: string;
  readonly until?: string;
  readonly for?: string;
  readonly may?: string;
}

function addAppoint(group: Command): void {
  const command = group
    .command("appoint")
    .description("let another member read and set rules for the owner, until a time")
    .requiredOption("--owner <name>", "who appoints")
    .requiredOption("--proxy <name>", "the guardian or carer")
    .option("--until <time>", "RFC 3339 time, or a date, at which it ends by itself")
    .option("--for <time>", "how long from now, such as 30d")
    .option("--may <rights>", "read, rules or both, comma-separated; default both")
    .action(async (options: AppointOptions) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        checkAppointed(session, options);
      };
      const value = await writing(globals, { members: [options.owner], check }, async (session) => {
        const { endMs, may } = checkAppointed(session, options);
        const proxy = fromHex(requireMember(session.home, options.proxy).account, 20);
        const owner = memberOf(session, options.owner).keys;
        const standing = await standingBetween(session, { owner: owner.account, proxy });
        const { proxyId, submitted } = await appointProxy(session, { owner, proxy, endMs, may });
        const names = { owner: options.owner, proxy: options.proxy };
        const made = { proxyId: toHex(proxyId), ...names, may, until: timeText(endMs) };
        return { ...made, height: submitted.height, standing };
      });
      const { proxy, owner, may, until, standing } = value;
      if (standing.length > 0) {
        const before = standing.map((one) => one.proxyId).join(", ");
        globals.output.warn(
          `${proxy} is proxy of ${owner} already, and each appointment ends by itself: ${before}`,
        );
      }
      globals.output.value(value, `${proxy} is proxy of ${owner} for ${may.join(" and ")} until ${until}.`);
    });
  example(command, "chartseal proxy appoint --owner alice --proxy carol --until 2027-06-30T00:00:00Z");
}

/** The appointments in force of these two: what ends one of them leaves the others. */
async function standingBetween(
  session: ReadSession,
  { owner, proxy }: Pick<Appointment, "owner" | "proxy">,
): Promise<readonly { readonly proxyId: string; readonly until: string }[]> {
  const all = await listProxies(session, owner);
  const standing = all.filter((one) => one.status === "in-force" && equalBytes(one.proxy, proxy));
  return standing.map(({ id, endMs }) => ({ proxyId: toHex(id), until: timeText(endMs) }));
}

/** @throws ChartsealError `input-invalid`, `member-unknown` */
function checkAppointed(
  { home, now }: ReadSession,
  options: AppointOptions,
): { readonly endMs: number; readonly may: readonly ProxyRight[] } {
  const endMs = endOf(options, { now: now() });
  const may = options.may === undefined ? proxyRights : rightsOf(options.may);
  requireMember(home, options.owner);
  requireMember(home, options.proxy);
  if (options.owner === options.proxy) {
    throw new ChartsealError("input-invalid", "a proxy is another member than the owner");
  }
  return { endMs, may };
}

function rightsOf(text: string): readonly ProxyRight[] {
  const given = [...new Set(commaList(text))];
  const rights = proxyRights.filter((right) => given.includes(right));
  if (rights.length === given.length && rights.length > 0) return rights;
  throw new ChartsealError("input-invalid", `--may takes ${proxyRights.join(" and ")}`);
}

function proxyLine(home: Home, { id, owner, proxy, may, endMs, ended, status }: Appointment) {
  return {
    proxyId: toHex(id),
    status,
    owner: nameOf(home, owner),
    proxy: nameOf(home, proxy),
    may,
    until: timeText(endMs),
    ended: ended === null ? null : { by: nameOf(home, ended.account), at: timeText(ended.timestampMs) },
  };
}

function addList(group: Command): void {
  const command = group
    .command("list <member>")
    .description("whom the member appointed, and for whom the member was appointed")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const lines = await reading(globals, async (session) => {
        const account = fromHex(requireMember(session.home, name).account, 20);
        const own = await listProxies(session, account);
        const appointed = await listAppointments(session, account);
        return [...own, ...appointed].map((one) => proxyLine(session.home, one));
      });
      for (const line of lines) {
        const { proxyId, status, proxy, owner, may, until } = line;
        const text = `${proxyId}  ${status}  ${proxy} for ${owner}: ${may.join(", ")} until ${until}`;
        globals.output.line(line, text);
      }
      if (lines.length === 0) globals.output.note("No proxies.");
    });
  example(command, "chartseal proxy list alice");
}

function addEnd(group: Command): void {
  const command = group
    .command("end <proxy>")
    .description("end an appointment before its time: the owner, or the proxy")
    .requiredOption("--as <name>", "the owner or the proxy")
    .action(async (text: string, options: { as: string }) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        const id = parseGrantId(text);
        requireMember(session.home, options.as);
        await readProxy(session, id);
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const proxyId = parseGrantId(text);
        const member = memberOf(session, options.as);
        const { height } = await endProxy(session, { by: member.keys, proxyId });
        dropSpecialKey(member, { mode: "proxy", grantId: proxyId });
        const appointed = await readProxy(session, proxyId);
        const names = {
          owner: nameOf(session.home, appointed.owner),
          proxy: nameOf(session.home, appointed.proxy),
        };
        const standing = await standingBetween(session, appointed);
        return { proxyId: text, ended: true, height, ...names, standing };
      });
      const { owner, proxy, standing } = value;
      const others = standing.map((one) => `\n  ${one.proxyId} until ${one.until}`).join("");
      const still = others === "" ? "" : `\n${proxy} is still proxy of ${owner}:${others}`;
      globals.output.value(value, `The appointment ${text} has ended.${still}`);
    });
  example(command, "chartseal proxy end 70de… --as alice");
}
