/** What a tool that npm cannot bring is: where it is, or why it is not there. */
export type FoundTool = { readonly path: string } | { readonly reason: string };

/** The tools known here. */
export const toolNames: readonly string[];

/**
 * Finds a tool on PATH; else, where that works, installs it (Debian's package as root, or a pinned `go install`).
 * @throws Error for a name that is not in `toolNames`
 */
export function findTool(name: string): FoundTool;
