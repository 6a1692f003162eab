/** Command lines as help, documents and the demo show them, held against the commands that there are. */
import type { Command } from "commander";

/** The words of the first simple command of a shell line; quotes are taken off, a comment or an operator ends it. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  for (const match of line.matchAll(/\s*((?:"[^"]*"|'[^']*'|[^\s"'#|&;<>()]|(?<=\S)#)+)|\s*([#|&;<>()])/g)) {
    if (match[2] !== undefined) break;
    words.push(match[1]!.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
  }
  return words;
}

/** Every `chartseal …` in a line that may hold several, joined by operators and led by variables. */
export function chartsealLines(text: string): string[] {
  return [...text.matchAll(/(?<![\w./-])chartseal (?=\S)[^\n]*/g)].map(([found]) => found);
}

/** What of a command line does not exist: a command's name or an option. */
export function unknownParts(program: Command, line: string): string[] {
  const [name, ...words] = shellWords(line);
  if (name !== "chartseal") return [`${line} does not begin with chartseal`];
  const unknown: string[] = [];
  let command = program;
  let skip = false;
  for (const word of words) {
    if (skip) {
      skip = false;
      continue;
    }
    if (word.startsWith("--")) {
      const [long] = word.split("=");
      const option = [...command.options, ...program.options].find((each) => each.long === long);
      if (option === undefined && long !== "--help") unknown.push(`${line}: no option ${long}`);
      skip = (option?.required || option?.optional) === true && !word.includes("=");
      continue;
    }
    const child = command.commands.find((each) => each.name() === word);
    if (child !== undefined) command = child;
    else if (command.commands.length > 0) return [...unknown, `${line}: no command ${word}`];
  }
  return unknown;
}

/** Every command that does something, by its way: `attributes grant`. */
export function leaves(command: Command, way: readonly string[] = []): { way: string; command: Command }[] {
  if (command.commands.length === 0) return [{ way: way.join(" "), command }];
  return command.commands.flatMap((child) => leaves(child, [...way, child.name()]));
}
