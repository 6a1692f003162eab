/**
 * The vaults that a command opens: the home's services' and those of the members that it acts for, which may have another
 * passphrase. Each key is derived once, side by side where there are two (CONTRACT, Keys and passphrases).
 */
import { hasCode } from "@chartseal/crypto";
import { type Home, isOfConsortium, memberFolder } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { readNetworkFile } from "../home/network-file.ts";
import {
  askPassphrase,
  memberPassphraseAtHand,
  type PassphraseFiles,
  passphraseAtHand,
  readMemberPassphrase,
  readPassphrase,
} from "../home/passphrase.ts";
import { readServerFile } from "./server-file.ts";

/** Each is opened when it is first asked for, and stays open. @throws ChartsealError `passphrase-wrong`, … */
export interface Vaults {
  /** Beside a server, which has these keys open, hardly ever needed: `asksElsewhere` says when. */
  service(): Promise<KeyVault>;
  /** In the order of the names that the command gave. */
  members(): Promise<readonly KeyVault[]>;
}

/** @throws ChartsealError `passphrase-wrong`; `chain-altered` where the vault is damaged */
export function openServiceVault({ paths }: Pick<Home, "paths">, passphrase: string): Promise<KeyVault> {
  return KeyVault.open(paths.service, passphrase, "service");
}

/** @throws ChartsealError `passphrase-wrong`; `chain-altered` where the vault is damaged */
export function openMemberVault(home: Home, name: string, passphrase: string): Promise<KeyVault> {
  return KeyVault.open(memberFolder(home, name), passphrase, { member: name });
}

/** All under one passphrase. */
export function vaultsUnder(passphrase: string, home: Home, members: readonly string[]): Vaults {
  return {
    service: once(() => openServiceVault(home, passphrase)),
    members: once(() => Promise.all(members.map((name) => openMemberVault(home, name, passphrase)))),
  };
}

/** All that a command without a server needs. Where nothing opens, it is the services' keys that are named. */
export async function openAll(vaults: Vaults): Promise<readonly [KeyVault, readonly KeyVault[]]> {
  const members = vaults.members();
  members.catch(() => {});
  return [await vaults.service(), await members];
}

/** An institution whose members' provider is another's asks that one in the name of its own, with its services' keys. */
export function asksElsewhere(home: Home): boolean {
  if (!isOfConsortium(home)) return false;
  const { name, provider } = readNetworkFile(home.paths);
  return name !== provider;
}

/** By the passphrases that the command was given, and those that are asked for on a terminal. */
export interface CommandVaults extends Vaults {
  /** Begins with what is sure to be needed; what fails here is met, in its turn, where it is used. */
  begin(): void;
  /** Once the command's other checks are done: who has to be asked answers before the home is held for it. */
  settle(): Promise<void>;
}

export function commandVaults(
  home: Home,
  options: PassphraseFiles & {
    readonly members: readonly string[];
    /** The command makes or opens a member's keys by itself. */
    readonly makesKeys?: boolean;
    /** No question before it is done (CONTRACT, Order of checks). */
    readonly checked: Promise<void>;
  },
): CommandVaults {
  const { members: names, makesKeys = false, checked } = options;
  // The file of a server that was killed is found out later: the services' vault is opened then.
  const isServed = readServerFile(home.paths) !== undefined;
  // What is done for no member takes the home's passphrase, whoever has its keys open.
  const isHomes = names.length === 0 && !makesKeys;
  const needsService = !isServed || isHomes || asksElsewhere(home);
  const given = once(async () => {
    if (!passphraseAtHand(options)) await checked;
    const [name] = names;
    const whose = memberPassphraseAtHand(options) ? services : isServed ? name : undefined;
    const question = whose === undefined ? {} : { question: `Passphrase of ${whose}: ` };
    return await readPassphrase({ ...options, ...question });
  });
  const passphraseOf = (name: string): Promise<string> =>
    memberPassphraseAtHand(options) ? readMemberPassphrase(options, name) : given();
  const service = once(() =>
    openOrAsk(services, {
      passphrase: given(),
      mayAsk: () => checked,
      open: (one) => openServiceVault(home, one),
    }),
  );
  const members = once(() =>
    Promise.all(
      names.map((name) => {
        const passphrase = passphraseOf(name);
        // The home's is asked for before the member's.
        const mayAsk = async (): Promise<void> => {
          await checked;
          if (needsService) await service();
        };
        return openOrAsk(name, { passphrase, mayAsk, open: (one) => openMemberVault(home, name, one) });
      }),
    ),
  );
  const needed = (): Promise<unknown>[] => (needsService ? [service(), members()] : [members()]);
  const begin = (): void => {
    for (const vault of needed()) vault.catch(() => {});
  };
  const settle = async (): Promise<void> => {
    begin();
    // None at all is said before the home is waited for.
    await Promise.all([...(needsService ? [given()] : []), ...names.map(passphraseOf)]);
    if (isHomes) await service();
    if (process.stdin.isTTY) for (const vault of needed()) await vault;
  };
  return { service, members, begin, settle };
}

const services = "the home's services";

/** On a terminal a passphrase that does not open the keys is asked for once more. */
async function openOrAsk(
  whose: string,
  by: {
    readonly passphrase: Promise<string>;
    readonly mayAsk: () => Promise<void>;
    readonly open: (passphrase: string) => Promise<KeyVault>;
  },
): Promise<KeyVault> {
  try {
    return await by.open(await by.passphrase);
  } catch (error) {
    if (!process.stdin.isTTY || !hasCode(error, "passphrase-wrong")) throw error;
  }
  await by.mayAsk();
  return await by.open(await askPassphrase(`Passphrase of ${whose} (the one given is another): `));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
