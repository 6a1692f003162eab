/** The embedded engine does what every engine must. */
import { conformance } from "./conformance.ts";
import { createToy, genesis, makeHome, openToy } from "./embedded-home.ts";
import { toyRules } from "./toy-rules.ts";

conformance("embedded", {
  async make() {
    const { directory, remove } = makeHome();
    const opened = [await createToy(directory)];
    return {
      ledger: opened[0]!,
      rules: toyRules(genesis),
      async reopen() {
        const ledger = await openToy(directory);
        opened.push(ledger);
        return ledger;
      },
      async dispose() {
        for (const ledger of opened) await ledger.close();
        remove();
      },
    };
  },
});
