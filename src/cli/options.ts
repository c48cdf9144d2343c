/**
 * Reads the options and the operand of a command from its arguments, against a table that also makes the help.
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
  /** One letter that stands for its name. */
  readonly short?: string;
  /** What comes of it when it is given again; without this the last one wins. */
  merge?(before: V, next: V): V;
}

/** The one argument of a command that is no option. */
export type Operand<V> = Pick<Option<V>, "allowed" | "parse"> & { readonly value: string };

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
  return {
    value: each.value,
    doc: each.doc,
    allowed: each.allowed,
    parse,
    merge: (before, next) => [...before, ...next],
  };
}

const unitMsecs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** An option whose value is a time with its unit, as in `90s`; in milliseconds. */
export function duration(least: string, most: string, doc: string): Option<number> {
  const [leastMsecs, mostMsecs] = [readDuration(least), readDuration(most)];
  return {
    value: "TIME",
    doc,
    allowed: `a time from ${least} to ${most}, as in 500ms, 30s or 2m`,
    parse: (text) => {
      const msecs = readDuration(text);
      return msecs >= leastMsecs && msecs <= mostMsecs ? msecs : null;
    },
  };
}

/** NaN when it is none: a number needs its unit. */
function readDuration(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  return number === "" ? Number.NaN : Number(number) * (unitMsecs[unit] ?? Number.NaN);
}

/** What was given on a command line. */
export interface Arguments<T extends OptionTable, V> {
  readonly options: Values<T>;
  readonly operand: V;
}

/**
 * Reads `args`, all of which are options. The last one wins where an option is given twice, unless it says
 * otherwise.
 *
 * @throws UsageError
 */
export function parseOptions<T extends OptionTable>(table: T, args: readonly string[]): Values<T> {
  return readArguments(table, args).values;
}

/**
 * Reads `args`: options as `parseOptions` does, and exactly one argument that is none, before, between or after them.
 *
 * @throws UsageError
 */
export function parseArguments<T extends OptionTable, V>(
  table: T,
  operand: Operand<V>,
  args: readonly string[],
): Arguments<T, V> {
  const { values, operands } = readArguments(table, args, operand);
  const [text, ...more] = operands;
  if (text === undefined) throw new UsageError(`needs ${operand.value}: ${operand.allowed}`);
  if (more.length > 0) {
    throw new UsageError(`takes one ${operand.value}, but was also given ${show(more[0])}`);
  }
  const value = operand.parse(text);
  if (value === null) {
    throw new UsageError(`${operand.value} must be ${operand.allowed}, not ${show(text)}`);
  }
  return { options: values, operand: value };
}

function readArguments<T extends OptionTable>(
  table: T,
  args: readonly string[],
  operand: Operand<unknown> | null = null,
): { readonly values: Values<T>; readonly operands: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(table).map(([name, { value, short }]) => [
        name,
        {
          type: value === null ? ("boolean" as const) : ("string" as const),
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
    // The errors of the strict mode are for programmers.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (operand === null) throw new UsageError(unexpected(table, token.value));
      operands.push(token.value);
    }
    if (token.kind === "option") {
      const { name } = token;
      const value = readValue(table, name, token.rawName, token.value);
      const merge = name in values ? table[name]?.merge : undefined;
      values[name] = merge === undefined ? value : merge(values[name], value);
    }
  }
  return { values: values as Values<T>, operands };
}

function readValue(table: OptionTable, name: string, rawName: string, text: string | undefined) {
  const option = Object.hasOwn(table, name) ? table[name] : undefined;
  const isItsName = rawName === `--${name}` || rawName === `-${option?.short}`;
  if (option === undefined || !isItsName) {
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
