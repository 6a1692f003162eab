/** The public entry of @chartseal/oidc. */
export { verifyIdToken } from "./id-token.ts";
export { type BegunLogin, IdentityProvider } from "./identity-provider.ts";
export { NamespaceIdentity, type NamespaceIdentityParts } from "./namespace-identity.ts";
export { checkSettings, defaultScopes, type OidcSettings } from "./settings.ts";
