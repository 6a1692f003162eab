/**
 * A hospital's identity provider for tests and development: oidc-provider itself, on this machine, with users whose claims
 * a test changes. It rotates refresh tokens and signs with Ed25519 alone. `signIn` is the user's browser.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { OidcSettings } from "../src/index.ts";

type Claims = Record<string, unknown>;

/** What of oidc-provider is used here; it brings no types. */
interface ProviderLike {
  readonly callback: () => (request: IncomingMessage, response: ServerResponse) => void;
  interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
  interactionFinished(
    request: IncomingMessage,
    response: ServerResponse,
    result: object,
    options: { mergeWithLastSubmission: boolean },
  ): Promise<void>;
  readonly Grant: new (
    about: object,
  ) => {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  };
}

interface Interaction {
  readonly prompt: { readonly name: string };
  readonly params: { readonly client_id: string; readonly scope: string };
  readonly session?: { readonly accountId: string };
}

export class HospitalProvider {
  /** Subject → claims. Whoever is not here does not exist, or is disabled. */
  readonly users = new Map<string, Claims>();
  /** Answers in the provider's place, where it returns true: a provider, or something before it, that is out of order. */
  fault: ((path: string, response: ServerResponse) => boolean) | undefined;
  /** Who sits at the browser. */
  user = "";
  readonly settings: OidcSettings;
  readonly #server: Server;
  readonly #port: number;

  private constructor(server: Server, port: number, settings: OidcSettings) {
    this.#server = server;
    this.#port = port;
    this.settings = settings;
  }

  static async start(): Promise<HospitalProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const issuer = `http://127.0.0.1:${port}`;
    const clientSecret = randomBytes(24).toString("hex");
    const scopes = ["openid", "profile", "offline_access"];
    const made = new HospitalProvider(server, port, { issuer, clientId: "cedars", clientSecret, scopes });
    const provider = await makeProvider(made);
    const answer = provider.callback();
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (made.fault?.(request.url ?? "/", response) === true) return;
      if (!request.url?.startsWith("/interaction/")) return answer(request, response);
      interact(made, provider, request, response).catch((error) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    });
    return made;
  }

  /** The provider is down: nobody listens at its address. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** And up again, with all that it knew. */
  async restart(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
  }

  /** What a browser does with the address: follows the provider's redirects to the one that leaves it. */
  async signIn(url: string, user = this.user): Promise<URL> {
    this.user = user;
    const cookies = new Map<string, string>();
    let at = new URL(url);
    for (let step = 0; step < 10; step++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const response = await fetch(at, { redirect: "manual", headers: { cookie } });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        cookies.set(name!, value!);
      }
      const location = response.headers.get("location");
      if (location === null)
        throw new Error(`the provider says ${response.status}: ${await response.text()}`);
      at = new URL(location, at);
      if (at.origin !== this.settings.issuer) return at;
    }
    throw new Error("the provider redirects without end");
  }
}

async function makeProvider(hospital: HospitalProvider): Promise<ProviderLike> {
  const { issuer, clientId, clientSecret } = hospital.settings;
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  // No types come with it: the name is not a literal, so that the compiler does not look for them.
  const name: string = "oidc-provider";
  const { default: Provider } = (await import(name)) as {
    default: new (issuer: string, configuration: object) => ProviderLike;
  };
  return new Provider(issuer, {
    jwks: { keys: [{ ...jwk, use: "sig", alg: "EdDSA", kid: "one" }] },
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
        id_token_signed_response_alg: "EdDSA",
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: ["EdDSA"] },
    claims: { openid: ["sub"], profile: ["name", "groups", "title", "employed", "unit", "level"] },
    findAccount: (_context: unknown, subject: string) => {
      const claims = hospital.users.get(subject);
      if (claims === undefined) return undefined;
      return { accountId: subject, claims: async () => ({ sub: subject, ...hospital.users.get(subject) }) };
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      IdToken: 300,
      Grant: 86_400,
      Interaction: 300,
      Session: 300,
      RefreshToken: 86_400,
    },
  });
}

/** The user logs in, and consents to what was asked. */
async function interact(
  hospital: HospitalProvider,
  provider: ProviderLike,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const options = { mergeWithLastSubmission: true };
  if (prompt.name === "login") {
    const login = hospital.users.has(hospital.user)
      ? { login: { accountId: hospital.user } }
      : { error: "access_denied" };
    return await provider.interactionFinished(request, response, login, options);
  }
  const grant = new provider.Grant({ accountId: session?.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(
    request,
    response,
    { consent: { grantId: await grant.save() } },
    options,
  );
}
