/**
 * Random choices that depend on a seed and on what they are made for, and not on what was chosen before: so a
 * plan stays the same however the things that are planned overlap in time.
 */
import { seeded } from "./client-kit.ts";

/** Random choices that follow from a seed. */
export interface Choices {
  /** A whole number from 0 on, below `limit`. */
  readonly upTo: (limit: number) => number;
  readonly oneOf: <V>(values: readonly V[]) => V;
}

/** The choices for the `index`th of something. */
export function choices(seed: number, index: number): Choices {
  // Seeds that are neighbours give sequences that are not.
  const random = seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const upTo = (limit: number): number => Math.floor(random() * limit);
  return { upTo, oneOf: (values) => values[upTo(values.length)] as (typeof values)[number] };
}
