/**
 * Reads TypeScript just well enough for the tidy rules: takes out comments, and the contents of literals where asked, and
 * finds imports. TypeScript 7 offers no parser to programs. Line numbers stay as they were.
 */

const blankOf = (text: string) => text.replace(/[^\n]/g, " ");
/** After these a slash begins a regular expression, not a division. */
const beforeRegex =
  /(?:^|[([{,;=:!&|?+\-*%~^<>]|\b(?:return|typeof|case|in|of|else|do|void|await|yield|new))\s*$/;
/** A string of one line, with its escapes. */
const quoted = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const regex = /\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
/** Template text up to its end or to the next `${`. */
const templateText = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)?/y;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The source with its comments blanked, and with `literals` the contents of strings, templates and regexes too. */
export function strip(source: string, { literals }: { literals: boolean }): string {
  let out = "";
  /** Braces open inside each `${ … }` that we are in. */
  const templates: number[] = [];
  const keep = (text: string) => {
    out += literals ? text[0] + blankOf(text.slice(1, -1)) + (text.length > 1 ? text.at(-1)! : "") : text;
  };
  for (let at = 0; at < source.length; ) {
    const character = source[at]!;
    const isTemplateEnd = character === "}" && templates.at(-1) === 0;
    let token = character;
    if (character === "/") {
      const remark = matchAt(comment, source, at);
      token = remark ?? (beforeRegex.test(out.slice(-40)) ? matchAt(regex, source, at) : undefined) ?? "/";
      if (remark !== undefined) out += blankOf(remark);
      else if (token.length > 1) keep(token);
      else out += token;
    } else if (character === '"' || character === "'") {
      token = matchAt(quoted, source, at) ?? character;
      keep(token);
    } else if (character === "`" || isTemplateEnd) {
      if (isTemplateEnd) templates.pop();
      token = character + (matchAt(templateText, source, at + 1) ?? "");
      if (token.endsWith("${")) templates.push(0);
      keep(token);
    } else {
      if (character === "{" && templates.length > 0) templates[templates.length - 1]!++;
      if (character === "}" && templates.length > 0) templates[templates.length - 1]!--;
      out += character;
    }
    at += token.length;
  }
  return out;
}

export interface Import {
  readonly specifier: string;
  /** Erased by the compiler: nothing is loaded. */
  readonly typeOnly: boolean;
}

const statement =
  /(?:^|[\n;])[ \t]*(?:import|export)\b(?:([ \t]+type\b)?[^"';()]*?\bfrom)?[ \t\n]*["']([^"'\n]+)["']/g;
const dynamic = /\bimport\([ \t\n]*["']([^"'\n]+)["']/g;
/** A worker, a data file, a child process: reached by its address. */
const address = /\bnew URL\([ \t\n]*["'](\.[^"'\n]+)["'],[ \t\n]*import\.meta\.url/g;

/** What a file imports, re-exports, loads or addresses. */
export function importsOf(source: string): Import[] {
  const text = strip(source, { literals: false });
  const found: Import[] = [];
  for (const [, type, specifier] of text.matchAll(statement)) {
    found.push({ specifier: specifier!, typeOnly: type !== undefined });
  }
  for (const pattern of [dynamic, address]) {
    for (const [, specifier] of text.matchAll(pattern))
      found.push({ specifier: specifier!, typeOnly: false });
  }
  return found;
}

/** `specifier` of the file at `path`, as a path of the tree; undefined for a package. */
export function resolveRelative(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const parts = path.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** The line, from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
