/**
 * How large a policy may be (CONTRACT, Limits). The limits are on the written policy; the sealed one holds the owner's
 * leaf and the emergency leaf besides and may be two rows larger.
 */

export interface PolicyLimits {
  /** Leaves, thus rows of the matrix. */
  readonly leavesMax: number;
  /** Parentheses nested in one another as written, redundant ones too. */
  readonly depthMax: number;
  /** Non-zero entries of the matrix. */
  readonly entriesMax: number;
  /** Leaves that name one and the same attribute. */
  readonly occurrencesMax: number;
}

export const writtenLimits: PolicyLimits = {
  leavesMax: 256,
  depthMax: 32,
  entriesMax: 1024,
  occurrencesMax: 8,
};

/** Two more leaves with one entry each; the owner's own leaf may stand in the written policy already. */
export const sealedLimits: PolicyLimits = {
  leavesMax: 258,
  depthMax: 32,
  entriesMax: 1026,
  occurrencesMax: 9,
};
