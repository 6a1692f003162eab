/** A provider's stores in memory, for issues alone: keys in custody, and nothing that holds an object. */
import { toHex } from "@chartseal/crypto";
import type { CustodyKey, ProviderStores } from "@chartseal/sharing";

export function custodyOnly(): ProviderStores {
  const held = new Map<string, CustodyKey[]>();
  const of = (account: Uint8Array): CustodyKey[] => held.get(toHex(account)) ?? [];
  const keys: ProviderStores["keys"] = {
    get: async (account, keyId) => of(account).find((one) => toHex(one.keyId) === toHex(keyId)),
    put: async (account, key) => void held.set(toHex(account), [...of(account), key]),
    settle: async (account, keyId) => {
      held.set(
        toHex(account),
        of(account).filter((one) => toHex(one.keyId) === toHex(keyId)),
      );
    },
    remove: async (account) => void held.delete(toHex(account)),
    accounts: async () => [],
  };
  const unused = {
    get: () => {
      throw new Error("an issue stores no object");
    },
  };
  return { ...Object.fromEntries(names.map((name) => [name, unused])), keys } as unknown as ProviderStores;
}

const names = ["objects", "pending", "leaves", "answered", "journal", "tombstones"] as const;
