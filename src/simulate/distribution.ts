/**
 * How durations are distributed: what a user gives, and the function that draws one. Nothing here uses `Math.log` and
 * its like, see `arithmetic.ts`.
 */
import type { Msecs, Random } from "../core/clock.ts";
import { type Fault, invalidOption } from "../core/rules.ts";
import { exp, ln } from "./arithmetic.ts";

/** A duration in ms that is always the same, or one that varies. */
export type Distribution =
  | Msecs
  | { readonly kind: "constant"; readonly msecs: Msecs }
  | { readonly kind: "uniform"; readonly fromMsecs: Msecs; readonly toMsecs: Msecs }
  | { readonly kind: "exponential"; readonly meanMsecs: Msecs }
  /** `sigma`: of the logarithm; 0.5 is moderate, 1 has a long tail: its 99th percentile is ten times the median. */
  | { readonly kind: "lognormal"; readonly medianMsecs: Msecs; readonly sigma: number }
  /** `slowShare`, from 0 to 1, are as `slow` says, the others as `fast` says. */
  | {
      readonly kind: "bimodal";
      readonly fast: Distribution;
      readonly slow: Distribution;
      readonly slowShare: number;
    }
  /** One of these, each as likely as the other: what was measured. */
  | { readonly kind: "empirical"; readonly msecs: readonly Msecs[] };

/** Draws a duration. */
export type Sampler = (random: Random) => Msecs;

/** Ten years, as for all durations of keepline. */
const longest = 315_576_000_000;
const kinds = ["constant", "uniform", "exponential", "lognormal", "bimodal", "empirical"] as const;

const allowed =
  'a duration in ms from 0, or { kind: "constant" | "uniform" | "exponential" | "lognormal" | "bimodal" | "empirical", … }';

/** A check for a row of a rules table; `never` allows `Infinity`, too. */
export function distribution(never: "or never" | "finite" = "finite") {
  return (value: unknown): Fault | null => {
    if (value === Number.POSITIVE_INFINITY && never === "or never") return null;
    try {
      samplerOf(value as Distribution, "", "");
      return null;
    } catch (error) {
      const { message } = error as Error;
      const words = never === "or never" ? `${allowed}, or Infinity for never` : allowed;
      const within = /^: (\..+) must be (.+)$/.exec(message);
      const isNumber = typeof value === "number" || typeof value === "object";
      const more = within === null ? "" : ` whose ${within[1]?.slice(1)} is ${within[2]}`;
      return { nature: isNumber ? "RangeError" : "TypeError", allowed: `${words}${more}` };
    }
  };
}

/**
 * The function that draws from `given`.
 *
 * @throws InvalidOptionError that names `path` and what of it is not allowed.
 */
export function samplerOf(given: Distribution, path: string, where: string): Sampler {
  const refuse = (part: string, value: unknown, words: string): Error => {
    const option = `${path}${part}`;
    return invalidOption(option, value, { nature: "RangeError", allowed: words }, where);
  };
  const duration = (part: string, value: unknown): Msecs => {
    if (typeof value === "number" && value >= 0 && value <= longest) return value;
    throw refuse(part, value, "a number of milliseconds of at least 0");
  };
  if (typeof given === "number") {
    const msecs = duration("", given);
    return () => msecs;
  }
  if (typeof given !== "object" || given === null) throw refuse("", given, allowed);
  switch (given.kind) {
    case "constant": {
      const msecs = duration(".msecs", given.msecs);
      return () => msecs;
    }
    case "uniform": {
      const from = duration(".fromMsecs", given.fromMsecs);
      const to = duration(".toMsecs", given.toMsecs);
      if (to < from) throw refuse(".toMsecs", to, `at least fromMsecs, ${from}`);
      return (random) => from + (to - from) * random();
    }
    case "exponential": {
      const mean = duration(".meanMsecs", given.meanMsecs);
      return (random) => -mean * ln(1 - random());
    }
    case "lognormal": {
      const median = duration(".medianMsecs", given.medianMsecs);
      const { sigma } = given;
      if (!(sigma >= 0 && sigma <= 10)) throw refuse(".sigma", sigma, "a number from 0 to 10");
      return (random) => median * exp(sigma * normal(random));
    }
    case "bimodal": {
      const fast = samplerOf(given.fast, `${path}.fast`, where);
      const slow = samplerOf(given.slow, `${path}.slow`, where);
      const { slowShare } = given;
      if (!isShare(slowShare)) throw refuse(".slowShare", slowShare, "a number from 0 to 1");
      return (random) => (random() < slowShare ? slow(random) : fast(random));
    }
    case "empirical": {
      if (!Array.isArray(given.msecs) || given.msecs.length === 0) {
        throw refuse(".msecs", given.msecs, "an array of one or more durations");
      }
      const all = Float64Array.from(given.msecs, (each) => duration(".msecs[]", each));
      return (random) => all[Math.floor(random() * all.length)] as number;
    }
    default:
      throw refuse(".kind", (given as { kind?: unknown }).kind, kinds.join(", "));
  }
}

/** Whether `value` is a number from 0 to 1. */
export function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

/** A standard normal number (Marsaglia's polar method). */
function normal(random: Random): number {
  for (;;) {
    const x = 2 * random() - 1;
    const y = 2 * random() - 1;
    const square = x * x + y * y;
    if (square < 1 && square > 0) return x * Math.sqrt((-2 * ln(square)) / square);
  }
}
