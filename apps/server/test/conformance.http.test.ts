/** The ledger over HTTP does what every engine must: the engines' own suite, unchanged, through a real server. */
import { sha256 } from "@chartseal/crypto";
import { conformance } from "../../../packages/ledger/test/conformance.ts";
import { createToy, genesis, makeHome, openToy } from "../../../packages/ledger/test/embedded-home.ts";
import { seenKind, toyRules } from "../../../packages/ledger/test/toy-rules.ts";
import { fetchTransport, type Transport } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import { clientOf, serveLedger } from "./ledger-server.ts";

function overHttp(name: string, transportOf: () => Transport): void {
  conformance(name, {
    async make() {
      const { directory, remove } = makeHome();
      const rules = toyRules(genesis);
      const ends: (() => Promise<void>)[] = [];
      const open = async (opening: ReturnType<typeof openToy>) => {
        const embedded = await opening;
        const host = await serveLedger({ ledger: embedded, transactionKind: seenKind });
        const transport = transportOf();
        const transactions = { kind: seenKind, identifierOf: sha256 };
        const ledger = clientOf(host.url, rules, { transactions, transport });
        ends.push(async () => {
          await ledger.close();
          transport.close();
          await host.close();
          await embedded.close();
        });
        return ledger;
      };
      return {
        ledger: await open(createToy(directory)),
        rules,
        async reopen() {
          await ends.pop()!();
          return await open(openToy(directory));
        },
        async dispose() {
          for (const end of ends) await end();
          remove();
        },
      };
    },
  });
}

overHttp("over HTTP", nodeTransport);
overHttp("over HTTP by fetch", () => fetchTransport);
