/**
 * The option `tuning`: whether `maxFreeSockets` and `keepAliveMsecs` of a service move by themselves, and within which bounds.
 * Checked as a table of its own, and completed from the options that it moves.
 */
import type { Msecs } from "./clock.ts";
import { type CostWeights, usualWeights } from "./cost.ts";
import type { PoolOptions } from "./options.ts";
import {
  duration,
  type Fault,
  type Given,
  invalidOption,
  oneOf,
  type Rules,
  resolveOptions,
} from "./rules.ts";

/**
 * `off`: both options are as they were given. `auto`: they move to where connections cost least, slowly. `frozen`: they stay
 * where they are.
 */
export type TuningMode = "off" | "auto" | "frozen";

/** The least and the most, both finite. */
export type Bounds = readonly [least: number, most: number];

/** What a connection that is opened, held and waited for costs: see `CostWeights`. */
export type TuningWeights = Omit<CostWeights, "failure">;

/** How a service is tuned. */
export interface TuningOptions {
  /** Default `"auto"`. */
  readonly mode: TuningMode;
  /** Whole numbers from 1. Default: from 1 to `maxSockets`, or to the greater of 256 and the configured value where that is less. */
  readonly maxFreeSockets: Bounds;
  /** In ms, from 1. Default: from 1 s to 60 s, and as far as the configured value where that is finite. */
  readonly keepAliveMsecs: Bounds;
  /** How often there is a decision, in ms. Default 30 s; at least 100 ms. */
  readonly intervalMsecs: Msecs;
  /** Default: the usual ones, as those of sweeps and advice. */
  readonly weights: Given<TuningWeights>;
}

/** What the option takes: a mode, or more than that. */
export type Tuning = TuningMode | Given<TuningOptions>;

/** Tuning, complete. */
export interface TuningPolicy {
  readonly mode: "auto" | "frozen";
  readonly maxFreeSockets: Bounds;
  readonly keepAliveMsecs: Bounds;
  readonly intervalMsecs: Msecs;
  readonly weights: TuningWeights;
}

const checkMode = oneOf("off", "auto", "frozen");
const mostSockets = 65_536;
const longestMsecs: Msecs = 3_600_000;

/** A check for a pair of numbers. */
function bounds(most: number, words: string, isAllowed: (value: number) => boolean) {
  const allowed = `[least, most], two ${words} from 1 to ${most}, the first no greater than the second`;
  return (value: unknown): Fault | null => {
    if (!Array.isArray(value) || value.some((each) => typeof each !== "number")) {
      return { nature: "TypeError", allowed };
    }
    const [least, greatest] = value as number[];
    const isPair = value.length === 2 && value.every((each) => isAllowed(each as number));
    if (isPair && (least as number) >= 1 && (greatest as number) <= most) {
      return (least as number) <= (greatest as number) ? null : { nature: "RangeError", allowed };
    }
    return { nature: "RangeError", allowed };
  };
}

/** The table. What is undefined by default follows from the options that are tuned. */
export const tuningRules = {
  mode: {
    default: "auto",
    check: checkMode,
    unit: null,
    doc: '`"auto"`, `"frozen"` for the values of now, or `"off"`',
  },
  maxFreeSockets: {
    default: undefined,
    check: bounds(mostSockets, "whole numbers", Number.isSafeInteger),
    unit: "sockets",
    doc: "the least and the most",
  },
  keepAliveMsecs: {
    default: undefined,
    check: bounds(longestMsecs, "numbers of milliseconds", Number.isFinite),
    unit: "ms",
    doc: "the least and the most",
  },
  intervalMsecs: {
    default: 30_000,
    check: (value: unknown): Fault | null => {
      const allowed = `a number of milliseconds from 100 to ${longestMsecs}`;
      if (typeof value !== "number") return { nature: "TypeError", allowed };
      return value >= 100 && value <= longestMsecs ? null : { nature: "RangeError", allowed };
    },
    unit: "ms",
    doc: "from one decision to the next",
  },
  weights: {
    default: undefined,
    // Checked as a table of its own, so that a message names the weight.
    check: () => null,
    unit: null,
    doc: "what a dial, an idle second and a second of waiting cost",
  },
} as const satisfies Rules<Partial<TuningOptions>>;

const checkWeight = duration("from 0");

function weight(value: unknown): Fault | null {
  const fault = checkWeight(value);
  const isEndless = value === Number.POSITIVE_INFINITY;
  if (fault === null && !isEndless) return null;
  return { nature: fault?.nature ?? "RangeError", allowed: "a finite number of at least 0" };
}

const weightRules = {
  dial: { default: usualWeights.dial, check: weight, unit: null, doc: "a socket opened" },
  idleSecond: {
    default: usualWeights.idleSecond,
    check: weight,
    unit: null,
    doc: "a socket idle for a second",
  },
  waitSecond: {
    default: usualWeights.waitSecond,
    check: weight,
    unit: null,
    doc: "a request waiting for a second",
  },
} as const satisfies Rules<TuningWeights>;

/** The check of the option's row: its kind. What is inside is checked by `checkTuning`, so that a message names it. */
export function tuningFault(value: unknown): Fault | null {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return null;
  const fault = checkMode(value);
  if (fault === null) return null;
  return { ...fault, allowed: `${fault.allowed}, or an object with more` };
}

/**
 * Checks what is inside of `options.tuning`, and that it leaves room for `minFreeSockets`.
 *
 * @param prefix Path of the options, as in `services.payments.`.
 * @throws InvalidOptionError, with a path such as `tuning.maxFreeSockets`.
 */
export function checkTuning(options: PoolOptions, where: string, prefix = ""): void {
  const { tuning, minFreeSockets } = options;
  if (typeof tuning === "string") return;
  const path = `${prefix}tuning.`;
  const given = resolveOptions<Partial<TuningOptions>>(tuningRules, tuning, where, path);
  resolveOptions<TuningWeights>(weightRules, given.weights, where, `${path}weights.`);
  const most = given.maxFreeSockets?.[1] ?? minFreeSockets;
  if (most >= minFreeSockets) return;
  const allowed = `at least ${minFreeSockets}, as minFreeSockets is`;
  throw invalidOption(`${path}maxFreeSockets[1]`, most, { nature: "RangeError", allowed }, where);
}

/** `given` with what `change` says: a mode alone leaves all else as it is. */
export function mergeTuning(given: Tuning, change: Tuning | undefined): Tuning {
  if (change === undefined) return given;
  if (typeof given === "string" && typeof change === "string") return change;
  // What is wrong stays in, to be refused with its path when it is checked.
  if (tuningFault(change) !== null) return change;
  const before = typeof given === "string" ? { mode: given } : given;
  if (typeof change === "string") return { ...before, mode: change };
  // Who gives bounds wants them used.
  const isFresh = given === "off" && change.mode === undefined;
  const defined = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...before, ...(isFresh ? { mode: "auto" } : {}), ...Object.fromEntries(defined) };
}

/** The tuning that `options`, which were checked, ask for; null when it is off. */
export function tuningOf(options: PoolOptions): TuningPolicy | null {
  const { tuning, maxSockets, maxFreeSockets, minFreeSockets, keepAliveMsecs } = options;
  const given: Given<TuningOptions> = typeof tuning === "string" ? { mode: tuning } : tuning;
  const mode = given.mode ?? tuningRules.mode.default;
  if (mode === "off") return null;
  const configured = Number.isFinite(maxFreeSockets) ? maxFreeSockets : 0;
  const [fewest, most] = given.maxFreeSockets ?? [
    1,
    Math.min(maxSockets, Math.max(256, configured)),
  ];
  const [shortest, longest] = given.keepAliveMsecs ?? usualTimes(keepAliveMsecs);
  const least = Math.max(fewest, minFreeSockets);
  // Sockets that are held ready are replaced when their time is over: the shorter that is, the more dials are for nobody.
  const replaced = minFreeSockets > 0 ? Math.min(keepAliveMsecs, longest) : shortest;
  return {
    mode,
    maxFreeSockets: [least, Math.max(least, most)],
    keepAliveMsecs: [Math.max(shortest, replaced), longest],
    intervalMsecs: given.intervalMsecs ?? tuningRules.intervalMsecs.default,
    weights: resolveOptions<TuningWeights>(weightRules, given.weights, "tuning"),
  };
}

function usualTimes(configured: Msecs): Bounds {
  if (!Number.isFinite(configured) || configured < 1) return [1_000, 60_000];
  return [Math.min(1_000, configured), Math.max(60_000, configured)];
}
