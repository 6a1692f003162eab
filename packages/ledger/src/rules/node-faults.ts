/** Nodes that are named on the ledger, with what they did: dealers left out of a key generation, and wrong answers. */
import type { NodeFault } from "../state-kinds.ts";
import { append, emptyKey, entries, lists, load, nodeFaultKey, save } from "../state-kinds.ts";
import type { Setting } from "./setting.ts";

/** Names a node once for the same thing; false where it is named for it already. */
export function nameNode(
  { state, block }: Setting,
  fault: {
    readonly node: Uint8Array;
    /** The identifier of the transaction that shows it, or d of a wrong answer. */
    readonly about: Uint8Array;
    readonly fault: NodeFault;
    readonly epoch: number;
  },
): boolean {
  const key = nodeFaultKey(fault.node, fault.about);
  if (load(state, entries.nodeFault, key) !== undefined) return false;
  save(state, entries.nodeFault, key, { fault: fault.fault, epoch: fault.epoch, height: block.height });
  append(state, lists.nodeFaults, emptyKey, key);
  return true;
}
