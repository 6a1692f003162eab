/** Where everything of a home lies (CONTRACT, Files). One place that joins paths, so that no command spells one. */
import { join } from "node:path";

export interface HomePaths {
  readonly root: string;
  readonly config: string;
  readonly genesis: string;
  readonly run: string;
  readonly ledger: string;
  /** Of a consortium's institution: who the others are, and the folder of its CometBFT node. */
  readonly network: string;
  readonly comet: string;
  readonly objects: string;
  readonly leaves: string;
  /** The provider's places, with their credentials; and where the shards of what is divided lie. */
  readonly places: string;
  readonly placements: string;
  /** Repairs that are not on the ledger yet. */
  readonly repairs: string;
  readonly tombstones: string;
  readonly journal: string;
  readonly service: string;
  readonly namespaces: string;
  readonly members: string;
  readonly alerts: string;
  /** What owners may have stored here. */
  readonly quotas: string;
  /** What other providers keep here, a folder for each account; and uploads that are under way. */
  readonly held: string;
  readonly uploads: string;
  /** What this home's audits found. */
  readonly audits: string;
  /** Where authority nodes of other institutions are reached. */
  readonly authority: string;
  namespace(name: string): string;
  member(name: string): string;
}

export function homePaths(root: string): HomePaths {
  const provider = join(root, "provider");
  return {
    root,
    config: join(root, "config.json"),
    genesis: join(root, "genesis.cbor"),
    run: join(root, "run"),
    ledger: join(root, "ledger"),
    network: join(root, "network.json"),
    comet: join(root, "comet"),
    objects: join(provider, "objects"),
    leaves: join(provider, "leaves"),
    places: join(provider, "places.json"),
    placements: join(provider, "placements"),
    repairs: join(provider, "repairs.json"),
    tombstones: join(provider, "tombstones"),
    journal: join(provider, "journal"),
    service: join(root, "service"),
    namespaces: join(root, "namespaces"),
    members: join(root, "members"),
    alerts: join(provider, "alerts"),
    quotas: join(provider, "quotas.json"),
    held: join(provider, "held"),
    uploads: join(provider, "uploads"),
    audits: join(root, "audits"),
    authority: join(root, "authority-nodes.json"),
    namespace: (name) => join(root, "namespaces", name),
    member: (name) => join(root, "members", name),
  };
}
