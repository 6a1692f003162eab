/**
 * The demo's consortium: one home in a temporary folder, one open session with every member in it, and a pairing that
 * counts, one for the reader and one for the provider, so that what the story says of cost is measured.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { countingPairing, toHex } from "@chartseal/crypto";
import { readCommittee, retrieve, StorageProvider } from "@chartseal/sharing";
import { type Home, type MemberFile, openHome, requireMember } from "../home/home.ts";
import { deliver } from "../operations/output-file.ts";
import { openInput, planSeal, type SealPlan, type SealRequest, seal } from "../operations/seal.ts";
import { closePlaces } from "../services/places.ts";
import { openProviderStores } from "../services/provider-stores.ts";
import { loadProvider } from "../services/service-keys.ts";
import { memberOf, openSession, refreshKeys, type Session, type SessionMember } from "../services/session.ts";
import type { Authorities } from "./authorities.ts";
import { recordPath } from "./cast.ts";
import type { Clouds } from "./clouds.ts";
import type { Institutions } from "./institutions.ts";

export const demoPassphrase = "demo";

type Counter = ReturnType<typeof countingPairing>;

export interface Sealed {
  readonly recordId: string;
  readonly address: string;
  readonly bytes: number;
  readonly validation: string;
}

export class World {
  readonly folder: string;
  /** The authority's processes, where its nodes run apart. */
  readonly authorities: Authorities | undefined;
  /** Servers for what is stored, where it does not lie in the home. */
  readonly clouds: Clouds | undefined;
  /** A consortium of institutions under CometBFT, where the ledger is not embedded. */
  readonly institutions: Institutions | undefined;
  /** What waits for its votes. */
  proposals: readonly Uint8Array[] = [];
  readonly members: SessionMember[] = [];
  #session:
    | (Session & { readonly counters: { readonly reader: Counter; readonly provider: Counter } })
    | undefined;

  constructor(
    folder: string,
    apart: {
      readonly authorities?: Authorities;
      readonly clouds?: Clouds;
      readonly institutions?: Institutions;
    } = {},
  ) {
    this.folder = folder;
    this.institutions = apart.institutions;
    this.authorities = apart.authorities;
    this.clouds = apart.clouds;
  }

  get homeFolder(): string {
    return this.institutions?.homeOf("institution-1") ?? join(this.folder, "home");
  }

  get home(): Home {
    return openHome(this.homeFolder);
  }

  /** The session; the members' keys stay in memory when it is closed and opened again. */
  get session(): Session {
    return this.#open;
  }

  get counters(): { readonly reader: Counter; readonly provider: Counter } {
    return this.#open.counters;
  }

  get #open() {
    if (this.#session === undefined) throw new Error("the demo's session is closed");
    return this.#session;
  }

  async open(): Promise<void> {
    const opened = await openSession(this.home, { passphrase: demoPassphrase, waitMs: 0 });
    const counters = { reader: countingPairing(opened.pairing), provider: countingPairing(opened.pairing) };
    await this.authorities?.serve(opened.ledger);
    await this.institutions?.work(opened);
    const provider = new StorageProvider({
      surroundings: { ...opened, pairing: counters.provider.pairing },
      identity: await loadProvider(opened.vault),
      stores: await openProviderStores(this.home.paths, opened),
    });
    const { members } = this;
    this.#session = { ...opened, pairing: counters.reader.pairing, provider, members, counters };
  }

  /** The committee's keys are decoded once for each pairing: no part of what the story counts. */
  async knowCommittee(): Promise<void> {
    const { ledger } = this.session;
    for (const { pairing } of Object.values(this.counters)) await readCommittee(ledger, pairing);
  }

  async close(): Promise<void> {
    await this.authorities?.unserve();
    await this.institutions?.rest();
    await this.#session?.close();
    this.#session = undefined;
  }

  /** After the last act: no process stays behind. */
  async end(): Promise<void> {
    await this.close();
    closePlaces();
    await this.clouds?.end();
    await this.authorities?.stop();
    await this.institutions?.stop();
  }

  member(name: string): SessionMember {
    return memberOf(this.session, name);
  }

  file(name: string): MemberFile {
    return requireMember(this.home, name);
  }

  /** What `chartseal seal` does. */
  async seal(request: SealRequest, file: string): Promise<Sealed> {
    const plan: SealPlan = await planSeal(this.session, request);
    const input = openInput(recordPath(file));
    const made = await seal(this.session, { ...request, plan, input });
    const { recordId, address, bytes, metadata } = made;
    return { recordId: toHex(recordId), address, bytes, validation: metadata.validation };
  }

  /** What `chartseal open --out` does; the bytes go to a file of the demo's folder. */
  async read(
    name: string,
    recordId: Uint8Array,
    options: { purpose?: string; out?: string } = {},
  ): Promise<string> {
    const member = this.member(name);
    await refreshKeys(this.session, member);
    const { out, ...purpose } = options;
    const opened = await retrieve(this.session, { member: member.keys, recordId, ...purpose });
    const destination = out === undefined ? ("nowhere" as const) : { file: join(this.folder, out) };
    return (await deliver(opened.read(), destination)).sha256;
  }
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
