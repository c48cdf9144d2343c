/**
 * Reads the options of a command from its arguments, against a table that also makes the help.
 * Nothing is guessed: what is not allowed is refused in one line that names option, value and what is allowed.
 */
import { parseArgs } from "node:util";
import { nearest, show } from "../core/rules.ts";
import { UsageError } from "./errors.ts";

/** One option of a command. */
export interface Option<V> {
  /** How help calls its value; null when it takes none. */
  readonly value: string | null;
  /** What it does, in one line. */
  readonly doc: string;
  /** What is allowed, to be read after "must be". */
  readonly allowed: string;
  /** Null when `text` is not allowed. */
  readonly parse: (text: string) => V | null;
  /** Of an option that may be given again and again: `V` is an array, and each time adds its items. */
  readonly isMany?: true;
}

/** The options of a command by their names, without dashes. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What was given; undefined where an option was not. */
export type Values<T extends OptionTable> = {
  readonly [K in keyof T]: (T[K] extends Option<infer V> ? V : never) | undefined;
};

/** An option without a value. */
export function flag(doc: string): Option<true> {
  return { value: null, doc, allowed: "", parse: () => true };
}

/** An option whose value is a whole number. */
export function wholeNumber(least: number, most: number, doc: string): Option<number> {
  return {
    value: "N",
    doc,
    allowed: `a whole number from ${least} to ${most}`,
    parse: (text) => {
      const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
      return number >= least && number <= most ? number : null;
    },
  };
}

/** An option that may be given again and again, each time with one more item. */
export function many<V>(each: Option<V>): Option<readonly V[]> {
  const parse = (text: string): readonly V[] | null => {
    const value = each.parse(text);
    return value === null ? null : [value];
  };
  return { ...each, parse, isMany: true };
}

/**
 * Reads `args`. The last one wins where an option is given twice that is not for many.
 *
 * @throws UsageError
 */
export function parseOptions<T extends OptionTable>(table: T, args: readonly string[]): Values<T> {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(table).map(([name, { value }]) => [
        name,
        { type: value === null ? "boolean" : "string" } as const,
      ]),
    ),
    // The errors of the strict mode are for programmers.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(unexpected(table, token.value));
    if (token.kind === "option") {
      const value = readValue(table, token.name, token.rawName, token.value);
      const before = table[token.name]?.isMany === true ? values[token.name] : undefined;
      values[token.name] = Array.isArray(before) ? before.concat(value) : value;
    }
  }
  return values as Values<T>;
}

function readValue(table: OptionTable, name: string, rawName: string, text: string | undefined) {
  const option = Object.hasOwn(table, name) ? table[name] : undefined;
  if (option === undefined || rawName !== `--${name}`) {
    throw new UsageError(
      `there is no option ${rawName}; ${suggestion(Object.keys(table), name, "--")}`,
    );
  }
  if (option.value === null) {
    if (text === undefined) return true;
    throw new UsageError(`--${name} takes no value, but was given ${show(text)}`);
  }
  if (text === undefined) {
    throw new UsageError(`--${name} needs a value: ${option.allowed}`);
  }
  const value = option.parse(text);
  if (value === null) {
    throw new UsageError(`--${name} must be ${option.allowed}, not ${show(text)}`);
  }
  return value;
}

function unexpected(table: OptionTable, text: string): string {
  const fitting = Object.entries(table).find(
    ([, option]) => option.value !== null && option.parse(text) !== null,
  );
  const hint = fitting === undefined ? "" : `; did you mean --${fitting[0]} ${text}?`;
  return `there is no place for the argument ${show(text)}${hint}`;
}

/** "did you mean …?" when a known word is near, otherwise all of them. */
export function suggestion(known: readonly string[], word: string, prefix = ""): string {
  const near = nearest(known, word);
  if (near !== null) return `did you mean ${prefix}${near}?`;
  return `known are ${known.map((each) => `${prefix}${each}`).join(", ")}`;
}
