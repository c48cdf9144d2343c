/**
 * One timer for all deadlines of a client. It keeps the process alive only while `hold` says so.
 */
import type { Msecs } from "../core/clock.ts";
import type { ClientClock, ClockTimer } from "./clock.ts";

/** What setTimeout takes at most, in ms. */
const longestMsecs = 2 ** 31 - 1;

/** Calls `ring` at the instant that was last set. */
export class Alarm {
  readonly #clock: ClientClock;
  readonly #ring: () => void;
  #timer: ClockTimer | null = null;
  #isHeld = false;

  constructor(clock: ClientClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `at`, and no more at an instant that was set before. */
  set(at: Msecs): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    const msecs = Math.min(Math.max(Math.ceil(at - this.#clock.now()), 1), longestMsecs);
    this.#timer = this.#clock.setTimer(this.#fired, msecs);
    if (!this.#isHeld) this.#timer.unref();
  }

  /** Whether the process must stay alive until the alarm rings. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (!isHeld) this.#timer?.unref();
    else if (this.#timer === null) this.set(Number.POSITIVE_INFINITY);
    else this.#timer.ref();
  }

  /** Never rings again unless it is set again. */
  clear(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  readonly #fired = (): void => {
    this.#timer = null;
    this.#ring();
    // What is held may wait for something without a deadline.
    if (this.#isHeld && this.#timer === null) this.set(Number.POSITIVE_INFINITY);
  };
}
