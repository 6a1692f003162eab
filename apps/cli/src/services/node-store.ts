/** A committee node's store in a vault (`NodeStore` of @chartseal/sharing): one sealed file a value, in a folder. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import type { NodeStore } from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";

const suffix = ".sealed";

export class VaultNodeStore implements NodeStore {
  readonly #vault: KeyVault;
  readonly #folder: string;

  /** `folder`: below the vault's own. */
  constructor(vault: KeyVault, folder: string) {
    this.#vault = vault;
    this.#folder = folder;
  }

  async load(name: string): Promise<Uint8Array | undefined> {
    const value = await this.#vault.load(this.#file(name));
    if (value === undefined || value instanceof Uint8Array) return value;
    throw new ChartsealError("chain-altered", "a file of an authority node is damaged", {
      hint: "Restore the node's folder from a backup, or have the committee reshared without it.",
    });
  }

  save(name: string, value: Uint8Array): Promise<void> {
    return this.#vault.save(this.#file(name), value);
  }

  async remove(name: string): Promise<void> {
    this.#vault.remove(this.#file(name));
  }

  async names(): Promise<readonly string[]> {
    const folder = join(this.#vault.folder, this.#folder);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((name) =>
      name.endsWith(suffix) ? [name.slice(0, -suffix.length)] : [],
    );
  }

  #file(name: string): string {
    return `${this.#folder}/${name}${suffix}`;
  }
}
