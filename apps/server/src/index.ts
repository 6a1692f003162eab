/** The public entry of @chartseal/server: the host, its roles and their configuration. Clients use ./client. */
export {
  type HostConfig,
  type HostConfigInput,
  parseConfig,
  type RoleName,
  roleNames,
} from "./host/config.ts";
export { chooseRoles, type Host, type HostOptions, startHost } from "./host/host.ts";
export type { Access, Role, RoleApp, Signer } from "./host/role.ts";
export { type DriveOptions, driveNode } from "./roles/authority/drive.ts";
export { type AuthorityRoleOptions, authorityRole, type ServedNode } from "./roles/authority/role.ts";
export { type HomeServices, homeRole } from "./roles/home/role.ts";
export { type LedgerRoleOptions, ledgerRole } from "./roles/ledger/role.ts";
export type { IdentityOf, IdentityService } from "./roles/namespace/identity.ts";
export { type NamespaceRoleOptions, namespaceRole } from "./roles/namespace/role.ts";
export type { Peer } from "./roles/objects/holdings.ts";
export { type ObjectsRoleOptions, objectsRole } from "./roles/objects/role.ts";
export { type ProviderRoleOptions, providerRole } from "./roles/provider/role.ts";
export { Staging, type StagingOptions } from "./uploads/staging.ts";
export { hexOf, hexUpTo } from "./wire.ts";
