/** The rows of inner nodes as spec/6-ledger.md has them, read and changed past the program: 77 bytes a node. */
import type Database from "better-sqlite3";

const recordBytes = 77;
/** Where the places of a node's children begin in it, six bytes each. */
const placesAt = [65, 71] as const;

export interface InnerRecord {
  readonly row: number;
  /** Which node of the row. */
  readonly slot: number;
  /** 0x01 ‖ left ‖ right. */
  readonly node: Uint8Array;
  /** Left and right, 0 for none. */
  readonly places: readonly [number, number];
}

export function innerRecords(database: Database.Database): InnerRecord[] {
  const rows = database.prepare("SELECT id, nodes FROM inner_nodes ORDER BY id").all() as {
    id: number;
    nodes: Buffer;
  }[];
  return rows.flatMap(({ id, nodes }) =>
    Array.from({ length: nodes.length / recordBytes }, (_, slot) => {
      const record = nodes.subarray(recordBytes * slot, recordBytes * (slot + 1));
      const [left, right] = placesAt.map((at) => record.readUIntBE(at, 6)) as [number, number];
      return { row: id, slot, node: new Uint8Array(record.subarray(0, 65)), places: [left, right] as const };
    }),
  );
}

/** A node's place. */
export const placeOf = ({ row, slot }: InnerRecord): number => 2 ** 40 + 16 * row + slot;

/** Puts other bytes in the place of a node's own, from a byte of it on. */
export function overwrite(
  database: Database.Database,
  { row, slot }: InnerRecord,
  bytes: Uint8Array,
  from = 0,
): void {
  const nodes = database.prepare("SELECT nodes FROM inner_nodes WHERE id = ?").pluck().get(row) as Buffer;
  nodes.set(bytes, recordBytes * slot + from);
  database.prepare("UPDATE inner_nodes SET nodes = ? WHERE id = ?").run(nodes, row);
}

/** Makes the way to a node's left (0) or right (1) child lead to another place. */
export function leadTo(database: Database.Database, record: InnerRecord, side: 0 | 1, at: number): void {
  const place = Buffer.alloc(6);
  place.writeUIntBE(at, 0, 6);
  overwrite(database, record, place, placesAt[side]);
}

/** One place before it. */
export function leadAstray(database: Database.Database, record: InnerRecord, side: 0 | 1): void {
  leadTo(database, record, side, record.places[side] - 1);
}
