/**
 * How much tests that draw at random or wait for long do: enough to see what a change breaks, and all of it with
 * KEEPLINE_THOROUGH=1, as `.ci/run` has it once.
 */
export const isThorough = process.env.KEEPLINE_THOROUGH === "1";

/** `usual`, or `full` when it is to be thorough. */
export function extent(usual: number, full: number): number {
  return isThorough ? full : usual;
}
