/** completion: scripts that complete names and options in bash, zsh and fish, made from the commands themselves. */
import { Argument, type Command, type Option } from "commander";
import { globalsOf } from "../program-globals.ts";
import { example } from "./shared.ts";

interface Choice {
  readonly word: string;
  readonly about: string;
  /** Options only: whether a value follows. */
  readonly takesValue: boolean;
}

/** A command by the way to it, `/attributes/grant`, and what may stand there. */
interface Place {
  readonly path: string;
  readonly commands: readonly Choice[];
  readonly options: readonly Choice[];
}

function optionChoice(option: Option): Choice[] {
  const takesValue = option.required || option.optional;
  return option.long == null ? [] : [{ word: option.long, about: option.description, takesValue }];
}

function places(program: Command): Place[] {
  const shared = program.options.filter((option) => option.long !== "--version");
  const walk = (command: Command, path: string): Place[] => {
    const own = command.options.filter((option) => !shared.some((each) => each.long === option.long));
    const options = path === "" ? program.options : [...own, ...shared];
    const help = { word: "--help", about: "show help", takesValue: false };
    const here: Place = {
      path,
      commands: command.commands.map((child) => ({
        word: child.name(),
        about: child.description(),
        takesValue: false,
      })),
      options: [...options.flatMap(optionChoice), help],
    };
    return [here, ...command.commands.flatMap((child) => walk(child, `${path}/${child.name()}`))];
  };
  return walk(program, "");
}

const allWords = ({ commands, options }: Place): string =>
  [...commands, ...options].map(({ word }) => word).join(" ");

/** Every option that takes a value: what follows it is a file or a name, never one of ours. */
function valued(all: readonly Place[]): string {
  const options = all.flatMap(({ options: each }) => each).filter(({ takesValue }) => takesValue);
  return [...new Set(options.map(({ word }) => word))].join(" | ");
}

/** All places but the first, as a pattern of `case`. */
function deeper(all: readonly Place[]): string {
  return all
    .slice(1)
    .map(({ path }) => path)
    .join(" | ");
}

function bash(all: readonly Place[]): string {
  return `# Completion for bash. Load it with: source <(chartseal completion bash)
_chartseal() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place="" word previous="" words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$previous" in
      ${valued(all)}) previous="" ; continue ;;
    esac
    previous="$word"
    case "$place/$word" in
      ${deeper(all)}) place="$place/$word" ;;
    esac
  done
  COMPREPLY=()
  case "$previous" in
    ${valued(all)}) return ;;
  esac
  case "$place" in
${all.map((place) => `    "${place.path}") words="${allWords(place)}" ;;`).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _chartseal chartseal`;
}

/** Text inside single quotes, for zsh's \`_describe\`, where a colon parts word and description. */
const zshQuoted = (text: string): string => text.replaceAll(":", "\\:").replaceAll("'", "'\\''");

function zsh(all: readonly Place[]): string {
  const choices = ({ commands, options }: Place): string =>
    [...commands, ...options]
      .map(({ word, about }) => `'${zshQuoted(word)}:${zshQuoted(about)}'`)
      .join("\n        ");
  return `#compdef chartseal
# Completion for zsh. Save it as _chartseal in a folder of $fpath.
_chartseal() {
  local place="" word previous=""
  local -a choices
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$previous" in
      ${valued(all)}) previous=""; continue ;;
    esac
    previous="$word"
    case "$place/$word" in
      ${deeper(all)}) place="$place/$word" ;;
    esac
  done
  case "$previous" in
    ${valued(all)}) _files; return ;;
  esac
  case "$place" in
${all.map((place) => `    "${place.path}")\n      choices=(\n        ${choices(place)}\n      ) ;;`).join("\n")}
  esac
  _describe chartseal choices
  _files
}
compdef _chartseal chartseal`;
}

const fishQuoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");

function fish(all: readonly Place[]): string {
  const lines = all.flatMap(({ path, commands, options }) => {
    const when = `complete -c chartseal -n '__chartseal_at "${path}"'`;
    return [
      ...commands.map(({ word, about }) => `${when} -f -a '${word}' -d '${fishQuoted(about)}'`),
      ...options.map(
        ({ word, about, takesValue }) =>
          `${when} -l '${word.slice(2)}'${takesValue ? " -r" : ""} -d '${fishQuoted(about)}'`,
      ),
    ];
  });
  return `# Completion for fish. Save it as ~/.config/fish/completions/chartseal.fish.
function __chartseal_at
  set -l place ""
  set -l previous ""
  for word in (commandline -opc)[2..]
    if contains -- "$previous" ${valued(all).replaceAll(" | ", " ")}
      set previous ""
      continue
    end
    set previous "$word"
    switch "$place/$word"
      case ${all
        .slice(1)
        .map(({ path }) => `'${path}'`)
        .join(" ")}
        set place "$place/$word"
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}`;
}

const shells: Readonly<Record<string, (all: readonly Place[]) => string>> = { bash, zsh, fish };

export function addCompletionCommand(program: Command): void {
  const command = program
    .command("completion")
    .description("print a script that completes commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(shells)))
    .action((shell: string) => {
      const script = shells[shell]!(places(program));
      globalsOf(command).output.value({ shell, script }, script);
    });
  example(command, "source <(chartseal completion bash)");
}
