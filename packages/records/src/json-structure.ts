/**
 * Walks JSON text without building values: what JSON.parse does not tell. Iterative, so nesting cannot exhaust the
 * stack, and it never throws: for text that is no JSON it answers something harmless.
 */

/** Deepest nesting of a record that is looked into. */
export const depthMax = 200;

/** The end of the string literal that begins at `start` (its quote): the index after its closing quote. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const character = text[i];
    if (character === "\\") i++;
    else if (character === '"') return i + 1;
  }
  return text.length;
}

/** The value of a string literal, its quotes included; undefined where it is broken. */
function stringValue(literal: string): string | undefined {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

const nextSolid = /[^ \t\r\n]/g;
function skipSpace(text: string, from: number): number {
  nextSolid.lastIndex = from;
  return nextSolid.exec(text)?.index ?? text.length;
}

/** The string value of a member of the outermost object, from the text's beginning or from all of it. */
export function topMember(text: string, name: string): string | undefined {
  let depth = 0;
  for (let i = skipSpace(text, 0); i < text.length; ) {
    const character = text[i];
    if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    if (depth === 0 || (depth === 1 && character === "[")) return undefined;
    if (character !== '"') {
      i++;
      continue;
    }
    const end = stringEnd(text, i);
    const colon = skipSpace(text, end);
    if (depth === 1 && text[colon] === ":" && stringValue(text.slice(i, end)) === name) {
      const value = skipSpace(text, colon + 1);
      return text[value] === '"' ? stringValue(text.slice(value, stringEnd(text, value))) : undefined;
    }
    i = end;
  }
  return undefined;
}

/** What is wrong with valid JSON text that JSON.parse takes: a member given twice, nesting beyond `depthMax`. */
export function jsonFault(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; ) {
    const character = text[i];
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > depthMax) return `nested more than ${depthMax} deep`;
    } else if (character === "}" || character === "]") open.pop();
    if (character !== '"') {
      i++;
      continue;
    }
    const end = stringEnd(text, i);
    const members = open.at(-1);
    if (members !== undefined && text[skipSpace(text, end)] === ":") {
      const name = stringValue(text.slice(i, end)) ?? "";
      if (members.has(name)) return "an object has the same member twice";
      members.add(name);
    }
    i = end;
  }
  return undefined;
}
