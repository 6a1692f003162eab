/**
 * The grammar of CRYPTO §1, as a recursive descent whose depth is the depth of the parentheses, at most 32 and checked
 * before it descends, so that no input exhausts the stack. Every error holds `position`, the index of the offending
 * character.
 *
 *   policy   = and-expr {"or" and-expr}
 *   and-expr = primary {"and" primary}
 *   primary  = leaf | "(" policy ")" | k "of" "(" policy {"," policy} ")"
 */
import { ChartsealError } from "../errors.ts";
import { isAttribute } from "./attribute.ts";
import type { PolicyLimits } from "./limits.ts";
import type { PolicyNode } from "./tree.ts";

interface Token {
  readonly kind: "word" | "(" | ")" | "," | "end";
  readonly text: string;
  readonly position: number;
}

const blank = /[ \t\r\n]*/y;
const word = /[A-Za-z0-9._:+@-]+/y;
const number = /^[1-9][0-9]*$/;

/** What was parsed, as written: not canonical yet. */
export interface Parsed {
  readonly tree: PolicyNode;
  /** Where each leaf stands in the text. */
  readonly positions: readonly number[];
}

/** @throws ChartsealError `policy-syntax`, `policy-limit` with `position` */
export function parse(text: string, limits: PolicyLimits): Parsed {
  const parser = new Parser(text, limits);
  return { tree: parser.parse(), positions: parser.positions };
}

class Parser {
  readonly positions: number[] = [];
  private readonly text: string;
  private readonly limits: PolicyLimits;
  private readonly occurrences = new Map<string, number>();
  private token: Token;

  constructor(text: string, limits: PolicyLimits) {
    this.text = text;
    this.limits = limits;
    this.token = this.read(0);
  }

  parse(): PolicyNode {
    if (this.at("end")) throw syntax("the policy is empty", this.token.position);
    const tree = this.policy(0);
    if (!this.at("end")) throw syntax("expected `and`, `or` or the end", this.token.position);
    return tree;
  }

  private policy(depth: number): PolicyNode {
    return this.joined("or", () => this.joined("and", () => this.primary(depth)));
  }

  private joined(operator: "and" | "or", operand: () => PolicyNode): PolicyNode {
    const first = operand();
    const children = [first];
    while (this.isWord(operator)) {
      this.advance();
      children.push(operand());
    }
    return children.length === 1 ? first : { kind: operator, children };
  }

  private primary(depth: number): PolicyNode {
    const { kind, text, position } = this.token;
    if (kind === "(") {
      this.open(depth);
      const inner = this.policy(depth + 1);
      this.expect(")", "`)`");
      return inner;
    }
    if (kind !== "word") throw syntax("expected an attribute, `(` or `k of (`", position);
    if (text.includes("@")) return this.leaf(text, position);
    this.advance();
    if (!/^[0-9]+$/.test(text)) throw syntax("expected an attribute, name@namespace", position);
    if (!this.isWord("of")) throw syntax("expected `of` after a number", this.token.position);
    this.advance();
    return this.threshold(text, position, depth);
  }

  private threshold(text: string, position: number, depth: number): PolicyNode {
    if (!this.at("(")) throw syntax("expected `(` after `of`", this.token.position);
    this.open(depth);
    const children = [this.policy(depth + 1)];
    while (this.at(",")) {
      this.advance();
      children.push(this.policy(depth + 1));
    }
    this.expect(")", "`,` or `)`");
    if (!number.test(text)) throw syntax("a number is 1 or more, without leading zeros", position);
    const k = Number(text);
    if (k > children.length) {
      throw syntax(`k of n needs 1 ≤ k ≤ n, and n is ${children.length} here`, position);
    }
    return { kind: "threshold", k, children };
  }

  private leaf(text: string, position: number): PolicyNode {
    if (!isAttribute(text)) {
      const why = /[A-Z]/.test(text) ? "attributes are in lower case" : "an attribute is name@namespace";
      throw syntax(why, position);
    }
    const { leavesMax, occurrencesMax } = this.limits;
    const count = (this.occurrences.get(text) ?? 0) + 1;
    if (this.positions.length === leavesMax)
      throw limit(`a policy has at most ${leavesMax} leaves`, position);
    if (count > occurrencesMax) throw limit(`one attribute has at most ${occurrencesMax} leaves`, position);
    this.occurrences.set(text, count);
    this.positions.push(position);
    this.advance();
    return { kind: "leaf", attribute: text };
  }

  private open(depth: number): void {
    if (depth === this.limits.depthMax) {
      throw limit(`parentheses nest at most ${this.limits.depthMax} deep`, this.token.position);
    }
    this.advance();
  }

  private expect(kind: Token["kind"], name: string): void {
    if (!this.at(kind)) throw syntax(`expected ${name}`, this.token.position);
    this.advance();
  }

  private at(kind: Token["kind"]): boolean {
    return this.token.kind === kind;
  }

  private isWord(operator: string): boolean {
    return this.token.kind === "word" && this.token.text.toLowerCase() === operator;
  }

  private advance(): void {
    this.token = this.read(this.token.position + this.token.text.length);
  }

  private read(from: number): Token {
    blank.lastIndex = from;
    blank.test(this.text);
    const position = blank.lastIndex;
    const character = this.text[position];
    if (character === undefined) return { kind: "end", text: "", position };
    if (character === "(" || character === ")" || character === ",") {
      return { kind: character, text: character, position };
    }
    word.lastIndex = position;
    const match = word.exec(this.text);
    if (match === null) {
      const ascii = character.charCodeAt(0) < 128;
      throw syntax(ascii ? "a character outside the grammar" : "a character that is not ASCII", position);
    }
    return { kind: "word", text: match[0], position };
  }
}

function syntax(message: string, position: number): ChartsealError {
  return new ChartsealError("policy-syntax", `${message} (at ${position})`, { data: { position } });
}

function limit(message: string, position: number): ChartsealError {
  return new ChartsealError("policy-limit", `${message} (at ${position})`, { data: { position } });
}
