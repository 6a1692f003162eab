/** A file of the command's bundle as the bundler makes it: a chunk, or its source map. */
export interface BundleFile {
  readonly type: "chunk" | "asset";
  readonly fileName: string;
  readonly code?: string;
  /** Of a chunk: the files of the modules in it, and what it imports, at once and later. */
  readonly moduleIds?: readonly string[];
  readonly imports?: readonly string[];
  readonly dynamicImports?: readonly string[];
}

/** Packages of others that go into the bundle. */
export const inlined: readonly string[];

/** The package that a specifier names: `@a/b/c` is of `@a/b`. */
export function packageOf(specifier: string): string;

/** The bundle's files; nothing is written. */
export function bundleOf(root?: string): Promise<readonly BundleFile[]>;

/** Makes the bundle where it is not of the build that lies there; true where it was made. */
export function bundle(root?: string): Promise<boolean>;
