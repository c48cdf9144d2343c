/**
 * Checks options against a table with one row an option: default, check, unit, doc line. The same table
 * makes the docs. Nothing is repaired silently: what is not allowed is refused with a message that says
 * which option, which value, and what is allowed.
 */
import { InvalidOptionError } from "./errors.ts";

/** One row of an options table. */
export interface Rule<V> {
  readonly default: V;
  /** Null when `value` is allowed. */
  readonly check: (value: unknown) => Fault | null;
  readonly unit: "ms" | "sockets" | "requests" | "origins" | "bytes" | null;
  /** What the option does, in one line. */
  readonly doc: string;
}

/** Why a value is refused. */
export interface Fault {
  readonly nature: "TypeError" | "RangeError";
  /** What is allowed, to be read after "must be". */
  readonly allowed: string;
}

/** A table for all options of `O`. */
export type Rules<O> = { readonly [K in keyof O]-?: Rule<O[K]> };

/** The options as a user may give them: absent and undefined both mean the default. */
export type Given<O> = { readonly [K in keyof O]?: O[K] | undefined };

/**
 * Checks `given` and completes it with `base`, or with the defaults.
 *
 * @param where What the options are for, to begin a message with, as in `new Client()`.
 * @param prefix Path of these options, as in `connect.`.
 * @throws InvalidOptionError on the first option that is unknown or not allowed.
 */
export function resolveOptions<O extends object>(
  rules: Rules<O>,
  given: unknown,
  where: string,
  prefix = "",
  base?: O,
): Readonly<O> {
  const resolved: Partial<Record<keyof O, unknown>> = {};
  for (const key of keysOf(rules))
    resolved[key] = base === undefined ? rules[key].default : base[key];
  if (given !== undefined) {
    requireObject(given, where, prefix);
    for (const [key, value] of Object.entries(given)) {
      checkOption(rules, key, value, where, prefix);
      if (value !== undefined) resolved[key as keyof O] = value;
    }
  }
  return Object.freeze(resolved) as Readonly<O>;
}

/**
 * Checks one option.
 *
 * @throws InvalidOptionError when `key` is unknown or `value` not allowed; undefined is always allowed.
 */
export function checkOption<O extends object>(
  rules: Rules<O>,
  key: string,
  value: unknown,
  where: string,
  prefix = "",
): void {
  const rule = Object.hasOwn(rules, key) ? rules[key as keyof O] : undefined;
  if (rule === undefined) throw unknownOption(keysOf(rules) as string[], key, where, prefix);
  if (value === undefined) return;
  const fault = rule.check(value);
  if (fault !== null) throw invalidOption(`${prefix}${key}`, value, fault, where);
}

/** The error for a value that is not allowed. */
export function invalidOption(
  option: string,
  value: unknown,
  fault: Fault,
  where: string,
): InvalidOptionError {
  const message = `${where}: ${option} must be ${fault.allowed}, not ${show(value)}`;
  return new InvalidOptionError(option, fault.nature, message);
}

function unknownOption(
  known: readonly string[],
  key: string,
  where: string,
  prefix: string,
): InvalidOptionError {
  const near = nearest(known, key);
  const hint = near === null ? `known are ${known.join(", ")}` : `did you mean ${prefix}${near}?`;
  const message = `${where}: there is no option ${prefix}${clip(key)}; ${hint}`;
  return new InvalidOptionError(`${prefix}${clip(key)}`, "TypeError", message);
}

function requireObject(given: unknown, where: string, prefix: string): asserts given is object {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return;
  const option = prefix === "" ? "options" : prefix.slice(0, -1);
  throw invalidOption(option, given, { nature: "TypeError", allowed: "an object" }, where);
}

function keysOf<O extends object>(rules: Rules<O>): (keyof O)[] {
  return Object.keys(rules) as (keyof O)[];
}

/** A check for whole numbers from `least` up to a number, if one is given; `Infinity` is allowed where it means "no limit". */
export function wholeNumber(least: number, upTo: "or Infinity" | "finite" | number) {
  const most = typeof upTo === "number" ? upTo : Number.MAX_SAFE_INTEGER;
  const allowed =
    typeof upTo === "number"
      ? `a whole number from ${least} to ${upTo}`
      : `a whole number of at least ${least}${upTo === "finite" ? "" : ", or Infinity"}`;
  return numberCheck(allowed, (value) => {
    if (value === Number.POSITIVE_INFINITY) return upTo === "or Infinity";
    return Number.isSafeInteger(value) && value >= least && value <= most;
  });
}

/** A check for durations in ms, fractions allowed. Ten years is the most; `Infinity` stands for never. */
export function duration(least: "from 0" | "above 0") {
  const longest = 315_576_000_000;
  const allowed = `a number of milliseconds ${least === "from 0" ? "of at least 0" : "above 0"}, or Infinity`;
  return numberCheck(allowed, (value) => {
    if (value === Number.POSITIVE_INFINITY) return true;
    return value <= longest && (least === "from 0" ? value >= 0 : value > 0);
  });
}

/** A check for one of some words. */
export function oneOf(...words: readonly string[]) {
  const allowed = words.map((word) => show(word)).join(" or ");
  return (value: unknown): Fault | null => {
    if (typeof value !== "string") return { nature: "TypeError", allowed };
    return words.includes(value) ? null : { nature: "RangeError", allowed };
  };
}

/** A check by JavaScript type. */
export function ofType(type: "boolean" | "string" | "function", allowed: string) {
  return (value: unknown): Fault | null =>
    typeof value === type ? null : { nature: "TypeError", allowed };
}

function numberCheck(allowed: string, isAllowed: (value: number) => boolean) {
  return (value: unknown): Fault | null => {
    if (typeof value !== "number" || Number.isNaN(value)) return { nature: "TypeError", allowed };
    return isAllowed(value) ? null : { nature: "RangeError", allowed };
  };
}

/** `value` for a message: short, on one line, and without calling anything of the user's. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clip(value));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The known word that is at most a third of its letters away from `word`; null when none is. */
export function nearest(known: readonly string[], word: string): string | null {
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    const steps = distance(each.toLowerCase(), word.slice(0, 60).toLowerCase());
    if (steps < least && steps <= Math.max(1, each.length / 3)) {
      best = each;
      least = steps;
    }
  }
  return best;
}

/** Letters to insert, delete or replace to make `a` of `b` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
