/** A namespace's identity provider over HTTP, as a member meets it: its login, its own claims, why it holds what. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { type Identity, type LinkPlace, signLinkWish } from "@chartseal/sharing";
import type { Connection } from "./connection.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./fields.ts";

export interface HttpIdentityOptions {
  /** Signs as the member. */
  readonly connection: Connection;
  readonly namespace: string;
  readonly member: Identity;
  readonly chainId: Uint8Array;
}

export class HttpIdentity {
  readonly #options: HttpIdentityOptions;

  constructor(options: HttpIdentityOptions) {
    this.#options = options;
  }

  async #ask(path: string, json?: object): Promise<Fields> {
    const { connection, namespace, member } = this.#options;
    const signer = { keyId: toHex(member.account), seed: member.seed };
    const target = `/v1/namespace/${namespace}/identity${path}`;
    return await connection.json({ target, signer, ...(json === undefined ? {} : { json }) });
  }

  /**
   * The whole login. `come` opens the address in the member's browser and gives the one that it came back to, at
   * `redirectUri` on this machine. What came back is another login's: refused here, before the namespace sees it.
   * @throws ChartsealError `identity-refused`, `identity-unreachable`
   */
  async link(options: {
    readonly redirectUri: string;
    readonly come: (begun: { readonly url: string; readonly state: string }) => Promise<URL>;
  }): Promise<Fields> {
    const { chainId, namespace, member } = this.#options;
    const { issuer, clientId } = await this.#ask("");
    const place: LinkPlace = {
      chainId,
      namespace,
      issuer: textOf(issuer, "issuer"),
      clientId: textOf(clientId, "clientId"),
    };
    const { challenge, signature } = signLinkWish(place, member);
    const { redirectUri, come } = options;
    const wish = { challenge: toHex(challenge), signature: toHex(signature), redirectUri };
    const begun = await this.#ask("/begin", wish);
    const [url, state] = [textOf(begun.url, "url"), textOf(begun.state, "state")];
    const redirected = await come({ url, state });
    if (redirected.searchParams.get("state") !== state) {
      throw new ChartsealError("identity-refused", "the browser came back from another login");
    }
    return await this.#ask("/finish", { state, redirected: redirected.href });
  }

  /** Has the member's own claims read again. */
  async sync(): Promise<readonly Fields[]> {
    const { links } = await this.#ask("/sync", {});
    return listOf(links, "links").map((link) => fieldsOf(link, "links"));
  }

  async unlink(): Promise<Fields> {
    return await this.#ask("/unlink", {});
  }

  async why(attribute?: string): Promise<readonly Fields[]> {
    const { reasons } = await this.#ask("/why", attribute === undefined ? {} : { attribute });
    return listOf(reasons, "reasons").map((reason) => fieldsOf(reason, "reasons"));
  }
}
