/**
 * A validator of bad will: the application of open.ts, whose answers to its own node are others while it is told so. The node is
 * CometBFT as everybody's.
 */
import { encode, sha256, utf8 } from "@chartseal/crypto";
import {
  type Request,
  Response,
  ResponseProcessProposal_ProposalStatus as Verdict,
} from "cosmjs-types/tendermint/abci/types";
import { serveAbci } from "../../src/comet/abci-server.ts";
import { Application, blockBytesMax } from "../../src/comet/application.ts";
import { CometStore } from "../../src/comet/comet-store.ts";
import { CometLedger, type CometOptions, CometRpc, type OpenedComet } from "../../src/comet/index.ts";
import { toyTransaction } from "../toy-rules.ts";

/** What it does otherwise: proposes what no rules take, or more than a block holds, or answers another app hash. */
export type Bent = "honest" | "refused-transaction" | "oversized" | "app-hash";

export class BentApplication {
  bent: Bent = "honest";
  /** How often it did so. */
  times = 0;
  #nonce = 1_000_000;

  /** As `openComet`. */
  readonly open = async (options: CometOptions): Promise<OpenedComet> => {
    const { directory, rules, now, failed, rpcUrl, abciPort: port } = options;
    const store = CometStore.open(directory, rules);
    const application: Application = new Application(
      { store, rules, now },
      {
        committed: (_, made) => ledger.committed(made),
        refused: (key, reason) => ledger.refused(key, reason),
      },
    );
    const server = await serveAbci({
      port,
      handle: (request) => this.#answer(request, application),
      failed,
      connected: () => application.connected(),
    });
    const ledger: CometLedger = new CometLedger({
      store,
      rules,
      application,
      rpc: new CometRpc(rpcUrl),
      waitMs: options.waitMs ?? 60_000,
      release: async () => {
        await server.close();
        await application.close();
      },
    });
    return { ledger, abciPort: server.port, cometHeight: () => store.cometHeight() };
  };

  async #answer(request: Request, application: Application): Promise<Response> {
    const proposes = this.bent === "refused-transaction" || this.bent === "oversized";
    if (proposes && request.prepareProposal !== undefined) {
      this.times++;
      return Response.fromPartial({ prepareProposal: { txs: this.#transactions() } });
    }
    // Its own node must vote for what it proposes, or nobody would see more than a proposal.
    if (proposes && request.processProposal !== undefined) {
      return Response.fromPartial({ processProposal: { status: Verdict.ACCEPT } });
    }
    const response = await application.handle(request);
    if (this.bent === "app-hash" && response.finalizeBlock !== undefined) {
      this.times++;
      response.finalizeBlock.appHash = sha256(utf8("another state"));
    }
    return response;
  }

  #transactions(): Uint8Array[] {
    if (this.bent === "refused-transaction") return [toyTransaction(this.#nonce++, ["take", 999, 5])];
    // Above the application's limit, and below that of CometBFT, which would not even propose it.
    const each = 200_000;
    const count = Math.floor(blockBytesMax / each) + 1;
    return Array.from({ length: count }, () => encode([this.#nonce++, "give", 1, 1, new Uint8Array(each)]));
  }
}
