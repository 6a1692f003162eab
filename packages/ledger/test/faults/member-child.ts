/**
 * A member in a process of its own: the application, its ledger and its CometBFT node, all in the network namespace that the
 * process is in. It is asked by messages from the test, and ends with it.
 */
import { ChartsealError } from "@chartseal/crypto";
import { CometRpc, openComet, startNode } from "../../src/comet/index.ts";
import { cometHeldBy, heldBy } from "./chain-check.ts";
import type { Answer, ChildSettings, Question, Questions } from "./member-messages.ts";
import { faultRules } from "./toy-network.ts";

const { directory, program, rpcPort, waitMs } = JSON.parse(process.argv[2]!) as ChildSettings;
const rpcUrl = `http://127.0.0.1:${rpcPort}`;
const failures: string[] = [];
const { rules } = faultRules();
const failed = (error: unknown) => failures.push(String(error));
const opened = await openComet({ directory, rules, rpcUrl, abciPort: 0, now: Date.now, failed, waitMs });
const { ledger, abciPort } = opened;
const rpc = new CometRpc(rpcUrl);
const node = startNode({ program, directory, abciPort });

const answers: { [K in keyof Questions]: (asked: never) => Promise<Questions[K]["answer"]> } = {
  submit: (transaction: Uint8Array) => ledger.submit(new Uint8Array(transaction)),
  held: (from: number) => heldBy(ledger, from),
  comet: (from: number) => cometHeldBy(rpcUrl, from),
  where: async () => {
    const { height } = await ledger.head();
    const status = await rpc.status().catch(() => undefined);
    const ready = status !== undefined && status.height > 0 && !status.catchingUp;
    return { height, cometHeight: opened.cometHeight(), ready };
  },
  failures: async () => failures,
  pid: async () => node.pid,
  end: async () => {
    await node.stop();
    return null;
  },
};

async function answer({ id, kind, asked }: Question): Promise<Answer> {
  try {
    return { id, answer: await answers[kind](asked as never) };
  } catch (error) {
    const { code, message, data } =
      error instanceof ChartsealError ? error : { code: "defect", message: String(error), data: {} };
    return { id, error: { code, message, data } };
  }
}

process.on("message", async (question: Question) => {
  process.send?.(await answer(question));
  if (question.kind === "end") process.disconnect();
});
// The test is gone: so is its network.
process.on("disconnect", () => void node.kill().then(() => process.exit()));
