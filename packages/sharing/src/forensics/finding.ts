/**
 * What `verify` and `forensics` find: one kind a sort of damage, where it is as exactly as the evidence allows, and what
 * repairs it (CONTRACT, verify and forensics; CRYPTO §5, last line). spec/7-sharing.md, Forensics, lists the kinds.
 */

/** Kind → what it is about, in the words of the report. */
export const findingKinds = {
  "chain-header": "block header",
  "chain-transaction": "transaction",
  "chain-commit": "commit",
  "chain-state": "state",
  "chain-missing": "missing block",
  "chain-store": "ledger store",
  "chain-genesis": "genesis",
  "chain-rollback": "rolled-back chain",
  "chain-fork": "another history",
  "home-file": "file of the home",
  "object-missing": "missing object",
  "object-altered": "chunk range",
  "header-altered": "record header",
  "object-unreadable": "unreadable object",
  "foreign-object": "foreign object",
  "erased-object": "object of an erased record",
  "leaves-damaged": "leaf hashes",
  "journal-incomplete": "journal",
  "tombstone-missing": "tombstone",
  "shard-missing": "missing shard",
  "shard-altered": "altered shard",
  "place-unreachable": "place out of reach",
} as const;

export type FindingKind = keyof typeof findingKinds;

export interface Finding {
  readonly kind: FindingKind;
  readonly height?: number;
  /** Position in the block, from 0. */
  readonly transaction?: number;
  /** Of a block or a header. */
  readonly field?: string;
  /** 64 hex. */
  readonly recordId?: string;
  /** Which copy: the object's name in the provider's store; of a divided object, the place. */
  readonly copy?: string;
  readonly part?: "payload" | "header" | "leaves";
  /** First bad chunk and how many; absent where the whole object is meant. */
  readonly chunk?: number;
  readonly chunks?: number;
  /** First bad byte of the copy and how many. */
  readonly offset?: number;
  readonly length?: number;
  /** Of a divided object: its name, the place, the shard's index, and its first wrong blocks. */
  readonly object?: string;
  readonly place?: string;
  readonly shard?: number;
  readonly blocks?: readonly number[];
  /** Who saw what the finding contradicts. */
  readonly member?: string;
  /** Name of another object that holds the right bytes. */
  readonly goodCopy?: string;
  readonly detail: string;
  readonly remedy: string;
}

/** The commonest remedies, worded once. */
export const remedies = {
  chain:
    "Restore the home's ledger folder from a backup made after the last block that a member saw (chartseal restore).",
  rollback:
    "Restore the newer ledger; if it is lost, chartseal restore --accept-loss records what is missing.",
  payload:
    "Restore this object from a backup of the home's provider/objects, or of its bucket; no key can make it again.",
  header:
    "Restore this header from a backup of the home's provider/objects, or of its bucket; a header of this version cannot be made again.",
  goodCopy: "Run chartseal forensics --repair: the right bytes lie elsewhere in the store.",
  extended: "Run chartseal forensics --repair: it cuts the object back to its registered length.",
  leaves: "Run chartseal forensics --repair: leaf hashes are rebuilt from the object.",
  leavesLater: "Repair the object first; chartseal forensics --repair then rebuilds its leaf hashes.",
  foreign:
    "Find out who wrote it, then run chartseal forensics --repair, which moves it to the home's provider/quarantine.",
  erased: "Run chartseal gc or chartseal forensics --repair: the ledger says that this must be gone.",
  journal: "Run chartseal forensics --repair: it enters the registered object in the journal.",
  tombstone: "Run chartseal forensics --repair: it writes the tombstone again from the ledger.",
  shard:
    "Run chartseal forensics --repair or chartseal provider repair: they make the shard again from the others.",
  place:
    "Bring the place back; or chartseal provider repair makes its shards again at another place that may have them.",
  unreadable: "Check the disk and the file's permissions, then restore the object from a backup.",
} as const;
