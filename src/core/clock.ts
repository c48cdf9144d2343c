/**
 * Time as the core sees it: numbers that somebody passes in. Nothing in the core reads a clock.
 */

/** A duration or an instant in milliseconds, fractions allowed. Instants count from an arbitrary origin and never go back. */
export type Msecs = number;

/** A monotonic clock: the process's in production, a number that a test or the simulator moves elsewhere. */
export type Clock = () => Msecs;

/** Uniform random numbers in [0, 1): the process's in production, seeded elsewhere. */
export type Random = () => number;
