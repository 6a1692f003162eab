/** What a test asks of a member that runs in another process (member-child.ts), and what that answers. */
import type { Submitted } from "../../src/index.ts";
import type { CometHeld, Held } from "./chain-check.ts";

export interface ChildSettings {
  readonly directory: string;
  readonly program: string;
  readonly rpcPort: number;
  readonly waitMs: number;
}

/** Each question with its answer. */
export interface Questions {
  submit: { asked: Uint8Array; answer: Submitted };
  held: { asked: number; answer: Held[] };
  comet: { asked: number; answer: CometHeld[] };
  /** Height of our last block with its commit, CometBFT's on the disk, and whether the node is part of the consensus. */
  where: { asked: null; answer: { height: number; cometHeight: number; ready: boolean } };
  failures: { asked: null; answer: string[] };
  /** The node's process. */
  pid: { asked: null; answer: number };
  /** Ends the process and its node. */
  end: { asked: null; answer: null };
}

export interface Question<K extends keyof Questions = keyof Questions> {
  readonly id: number;
  readonly kind: K;
  readonly asked: Questions[K]["asked"];
}

export interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly data: Record<string, unknown>;
  };
}
