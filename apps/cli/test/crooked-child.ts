/**
 * The command line with a provider that lies once: its first transform is another element than its key makes, signed with
 * its real key as if it were the right one. Everything else is the program as it is, and its later answers are honest.
 */
import { loadPairing, sha256 } from "@chartseal/crypto";
import { signStatement } from "@chartseal/ledger";
import { type Reveal, readRequest, StorageProvider, type Transformed } from "@chartseal/sharing";
import { homeFolder, openHome } from "../src/home/home.ts";
import { KeyVault } from "../src/home/key-vault.ts";
import { main } from "../src/main.ts";
import { loadProvider } from "../src/services/service-keys.ts";
import { openForReading } from "../src/services/session.ts";

const folder = homeFolder(undefined);
const passphrase = process.env.CHARTSEAL_PASSPHRASE ?? "";
let left = 1;

const { transform } = StorageProvider.prototype;
StorageProvider.prototype.transform = async function (this: StorageProvider, reveal: Reveal) {
  const honest = await transform.call(this, reveal);
  return left-- > 0 ? await crooked(reveal, honest) : honest;
};

async function crooked(reveal: Reveal, honest: Transformed): Promise<Transformed> {
  const home = openHome(folder);
  const identity = await loadProvider(await KeyVault.open(home.paths.service, passphrase));
  const { gt } = await loadPairing();
  const right = gt.decode(honest.transform);
  const transform = gt.encode(gt.multiply(right, right));
  const { ledger, close } = await openForReading(folder);
  const request = await readRequest(ledger, reveal.requestId);
  await close();
  const { requestId, recordId, transformKeyId } = reveal;
  const about = {
    ...{ chainId: ledger.chainId, provider: identity.account, requestId, recordId, transformKeyId },
    ...{ recordDigest: request!.recordDigest, answerHash: sha256(transform) },
  };
  return { ...honest, transform, statement: signStatement(identity, about, honest.statement.rows) };
}

await main(process.argv.slice(2));
