/** A hospital's namespace over HTTP, as the members of its consortium see it: an account collects its own signing keys. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { NamespaceService } from "@chartseal/sharing";
import type { RequestSigner } from "../signature/message.ts";
import type { Connection } from "./connection.ts";
import { bytesOf } from "./fields.ts";

export interface HttpNamespaceOptions {
  readonly connection: Connection;
  readonly name: string;
  /** Who signs for an account; undefined for one whose keys are not here. */
  readonly signerOf: (account: Uint8Array) => RequestSigner | undefined;
}

export class HttpNamespace implements NamespaceService {
  readonly name: string;
  readonly #options: HttpNamespaceOptions;

  constructor(options: HttpNamespaceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async signingKeys(input: { account: Uint8Array; baseKey: Uint8Array }): Promise<Uint8Array> {
    const signer = this.#options.signerOf(input.account);
    if (signer === undefined)
      throw new ChartsealError("defect", "signing keys are asked for by their account only");
    const { sealed } = await this.#options.connection.json({
      target: `/v1/namespace/${this.name}/signing-keys`,
      json: { baseKey: toHex(input.baseKey) },
      signer,
    });
    return bytesOf(sealed, "sealed");
  }
}
