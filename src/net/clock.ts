/**
 * Where a client takes its time from: the system's monotonic clock and timers, unless it is given another.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { Fault } from "../core/rules.ts";

/** A timer of a `ClientClock`, as `setTimeout` returns it. */
export interface ClockTimer {
  /** The process stays alive until the timer has run, which is so from the start. */
  ref(): unknown;
  /** The process may end before. */
  unref(): unknown;
}

/** A clock with timers: the option `clock` of a client. `ManualClock` of `keepline/testing` is one that a test moves by hand. */
export interface ClientClock {
  /** Now, in ms from an arbitrary instant. Never goes back, whatever happens to the system's time of day. */
  now(): Msecs;
  /** Calls `run` once, when `msecs` have passed: at least 1, and at most 2 ** 31 - 1. Not before it returns. */
  setTimer(run: () => void, msecs: Msecs): ClockTimer;
  /** The timer, which `setTimer` has returned, does not run any more. It may have run. */
  clearTimer(timer: ClockTimer): void;
}

/** The system's clock, which is not moved by changes of the time of day, and Node's timers. */
export const systemClock: ClientClock = Object.freeze({
  now: () => performance.now(),
  setTimer: (run: () => void, msecs: Msecs) => setTimeout(run, msecs),
  clearTimer: (timer: ClockTimer) => clearTimeout(timer as NodeJS.Timeout),
});

/** How `clock` is read: a plain function, because that happens several times in each request. */
export function readerOf(clock: ClientClock): Clock {
  return clock === systemClock ? systemClock.now : () => clock.now();
}

/** Null when `value` is a `ClientClock`, as far as can be seen. */
export function checkClock(value: unknown): Fault | null {
  const given = Object(value) as { [K in keyof ClientClock]?: unknown };
  const isClock = [given.now, given.setTimer, given.clearTimer].every(
    (each) => typeof each === "function",
  );
  const allowed = "an object with the functions now, setTimer and clearTimer";
  return isClock ? null : { nature: "TypeError", allowed };
}
