/**
 * Which idle times to try next, to find in little time and with few connections how long a server keeps a
 * connection. Pure: several connections wait at once, each to be tried at an age of its own, and the ages of
 * a round divide what is not known yet in equal proportions: a bisection with more than one knife.
 */
import type { Msecs } from "../../core/clock.ts";

/** What is known: an idle time that was survived, and the shortest one that was not. */
export interface Bounds {
  /** 0 while nothing was survived. */
  readonly keptMsecs: Msecs;
  /** `Infinity` while everything was. */
  readonly lostMsecs: Msecs;
}

/** What one connection showed. */
export interface Trial {
  readonly idleMsecs: Msecs;
  /** True when it was still there after that time. */
  readonly kept: boolean;
}

/** A round that ends by this share of the time leaves enough for a second one, and for what handshakes take. */
const coarseShare = 0.45;
/** Ages beyond that, up to the whole time: apart by a factor of 1.14, so that their middle is right to 7 %. */
const fineCount = 6;
/** Connections of each further round: they divide a doubling as finely. */
const roundSize = 4;
/** Well enough known: the middle is right to 5 %. */
const goodRatio = 1.1;
/** From the longest time down to this share of it. */
const smallestShare = 1 / 256;
const smallestMsecs = 25;

/**
 * The ages of the first round, ascending. Those of which a second round fits into the time are a doubling apart,
 * longer ones as far as the result may be.
 */
export function firstAges(maxMsecs: Msecs): Msecs[] {
  const longest = maxMsecs * coarseShare;
  const coarse: Msecs[] = [];
  const least = Math.max(maxMsecs * smallestShare, smallestMsecs);
  for (let age = longest; age >= least; age /= 2) coarse.unshift(age);
  const ratio = (1 / coarseShare) ** (1 / fineCount);
  return [...coarse, ...Array.from({ length: fineCount }, (_, at) => longest * ratio ** (at + 1))];
}

/** What trials say together. An idle time that was survived beyond one that was not is left aside: see `isSteady`. */
export function boundsOf(trials: readonly Trial[]): Bounds {
  const lostMsecs = Math.min(
    Number.POSITIVE_INFINITY,
    ...trials.filter((each) => !each.kept).map((each) => each.idleMsecs),
  );
  const kept = trials.filter((each) => each.kept && each.idleMsecs < lostMsecs);
  return { keptMsecs: Math.max(0, ...kept.map((each) => each.idleMsecs)), lostMsecs };
}

/**
 * The ages of a further round, ascending. None when the limit is known well enough, was not met, or when
 * `leftMsecs` do not suffice to find out more.
 */
export function nextAges(bounds: Bounds, leftMsecs: Msecs, mostConnections: number): Msecs[] {
  const { lostMsecs } = bounds;
  if (lostMsecs === Number.POSITIVE_INFINITY || lostMsecs > leftMsecs) return [];
  // Nothing was kept: it may be anything below.
  const from = bounds.keptMsecs === 0 ? lostMsecs / 8 : bounds.keptMsecs;
  const ratio = lostMsecs / from;
  if (ratio <= goodRatio || lostMsecs < smallestMsecs) return [];
  const count = Math.min(roundSize, mostConnections);
  return Array.from({ length: count }, (_, index) => from * ratio ** ((index + 1) / (count + 1)));
}

/** The best guess of the limit: as far, in proportion, from both bounds. Null when no limit was met. */
export function estimateOf({ keptMsecs, lostMsecs }: Bounds): Msecs | null {
  if (lostMsecs === Number.POSITIVE_INFINITY) return null;
  return keptMsecs === 0 ? lostMsecs : Math.sqrt(keptMsecs * lostMsecs);
}

/** Whether there is one limit: no idle time was survived that is well beyond one that was not. */
export function isSteady(trials: readonly Trial[]): boolean {
  const { lostMsecs } = boundsOf(trials);
  return !trials.some((each) => each.kept && each.idleMsecs > lostMsecs * goodRatio);
}
