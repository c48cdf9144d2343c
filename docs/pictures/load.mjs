// How the pictures' loads are made and counted.

import { start } from "../../bench/processes.mjs";

/** Starts a worker, whose warnings are not shown: that lanes are saturated is what the pictures are about. */
export const startQuietly = (name, settings) =>
  start(new URL(`workers/${name}.mjs`, import.meta.url), settings, { NODE_NO_WARNINGS: "1" });

/** Starts an origin that answers after `leastMsecs` to `mostMsecs`. */
export const startOrigin = (settings) => start(new URL("origin.mjs", import.meta.url), settings);

/** A generator of numbers from 0 to 1 that are the same in every run (mulberry32). */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Instants in ms at which requests come by themselves, `perSecond` on average (a Poisson process). */
export function arrivals(perSecond, forMsecs, random) {
  const times = [];
  let at = 0;
  for (;;) {
    at -= (Math.log(1 - random()) * 1_000) / perSecond;
    if (at >= forMsecs) return times;
    times.push(at);
  }
}

export const until = (at) =>
  new Promise((resolve) => setTimeout(resolve, Math.max(at - performance.now(), 0)));

/**
 * Calls `send` for each item when `item.at` ms have passed, whether the ones before have been answered or not.
 * Resolves with what each came to: `sentAt` and `msecs` (both from when it should have been sent), and `error`, the code
 * of what it failed with, or null.
 */
export async function pace(items, send) {
  const from = performance.now();
  const outcomes = [];
  for (const item of items) {
    const dueAt = from + item.at;
    if (dueAt > performance.now()) await until(dueAt);
    const outcome = (error) => ({
      ...item,
      msecs: performance.now() - dueAt,
      error: error === null ? null : (error.code ?? error.name),
    });
    outcomes.push(
      send(item).then(
        () => outcome(null),
        (error) => outcome(error),
      ),
    );
  }
  return Promise.all(outcomes);
}

/** The value below which `share` of the sorted `values` are; null when there are none. */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? null;
}

/** What one says of latencies, in ms. */
export function latencySummary(msecs) {
  return {
    count: msecs.length,
    p50: rounded(quantile(msecs, 0.5)),
    p99: rounded(quantile(msecs, 0.99)),
    max: rounded(quantile(msecs, 1)),
  };
}

export const rounded = (value, digits = 1) =>
  value === null ? null : Number(value.toFixed(digits));
