/**
 * When the next dial may start after dials have failed. The first failure costs nothing, since it may be
 * one lost packet; repeated ones wait 50 ms, 100 ms … up to 1 s, and then one dial at a time asks whether
 * the origin is back. Dials that were under way together count as one failure.
 */
import type { Msecs, Random } from "./clock.ts";

const firstDelayMsecs = 50;
const longestDelayMsecs = 1_000;

/** Whether dials to an origin succeed. */
export type DialHealth =
  | { readonly kind: "well" }
  | {
      readonly kind: "failing";
      /** Failures in a row; dials under way together count once. */
      readonly count: number;
      readonly lastFailedAt: Msecs;
      /** No dial starts before. */
      readonly retryAt: Msecs;
      /** What the last dial failed with. */
      readonly cause: unknown;
    };

export const well: DialHealth = { kind: "well" };

/** Health after a dial that began at `dialedSince` has failed. */
export function afterFailure(
  health: DialHealth,
  dialedSince: Msecs,
  cause: unknown,
  now: Msecs,
  random: Random,
): DialHealth {
  if (health.kind === "failing" && dialedSince < health.lastFailedAt) return { ...health, cause };
  const count = health.kind === "failing" ? health.count + 1 : 1;
  return { kind: "failing", count, lastFailedAt: now, retryAt: now + delay(count, random), cause };
}

/** True when failures are repeated: one dial at a time, and its failure fails all who wait with nothing else open. */
export function isDown(health: DialHealth): boolean {
  return health.kind === "failing" && health.count > 1;
}

/** Between half and all of the step, so that many processes do not come back at the same instant. */
function delay(count: number, random: Random): Msecs {
  if (count === 1) return 0;
  const step = Math.min(firstDelayMsecs * 2 ** (count - 2), longestDelayMsecs);
  return step * (1 - 0.5 * random());
}
