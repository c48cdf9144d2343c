/**
 * Time that a test moves by hand. Invariant: a timer runs at its instant, those of the same instant in
 * the order in which they were set, and only while `advance` runs.
 */
import type { Msecs } from "../core/clock.ts";
import type { ClientClock, ClockTimer } from "../net/clock.ts";
import { checkMsecs } from "./faults.ts";

/** Longer than any test. */
const longMsecs = 2 ** 31 - 1;

/** A timer of a `ManualClock`. */
class ManualTimer implements ClockTimer {
  readonly run: () => void;
  readonly dueAt: Msecs;
  /** Keeps the process alive, as a timer of Node's would. */
  #holder: NodeJS.Timeout | null = null;

  constructor(run: () => void, dueAt: Msecs) {
    this.run = run;
    this.dueAt = dueAt;
    this.ref();
  }

  ref(): this {
    this.#holder ??= setInterval(() => {}, longMsecs);
    return this;
  }

  unref(): this {
    if (this.#holder !== null) clearInterval(this.#holder);
    this.#holder = null;
    return this;
  }
}

/**
 * A clock for the option `clock` of a client, that stands still until a test moves it. keepline's own
 * deadlines run on it: idle connections, queues, timeouts, back-off and the age of sockets. Sockets, DNS
 * and the servers at the other end are real and know nothing of it.
 */
export class ManualClock implements ClientClock {
  #now: Msecs;
  /** By instant, and then by when they were set. */
  readonly #timers: ManualTimer[] = [];

  /**
   * @param startMsecs What `now` returns at first. 0 when not given.
   * @throws TypeError or RangeError
   */
  constructor(startMsecs: Msecs = 0) {
    checkMsecs("startMsecs", startMsecs);
    this.#now = startMsecs;
  }

  /** The instant at which the clock stands, in ms. */
  now(): Msecs {
    return this.#now;
  }

  /** How many timers are set and have not run. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /**
   * Moves time on, and runs every timer that comes due on the way at its instant, those too that are set
   * meanwhile. What timers bring about in promises and sockets is seen later: await it. What a timer throws
   * is thrown, and the clock then stands at that instant.
   *
   * @throws TypeError or RangeError
   */
  advance(msecs: Msecs): void {
    checkMsecs("msecs", msecs);
    const until = this.#now + msecs;
    for (;;) {
      const timer = this.#timers[0];
      if (timer === undefined || timer.dueAt > until) break;
      this.#timers.shift();
      timer.unref();
      this.#now = Math.max(this.#now, timer.dueAt);
      timer.run();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** For the client. A time below 1 ms counts as 1 ms, as with `setTimeout`. */
  setTimer(run: () => void, msecs: Msecs): ClockTimer {
    const timer = new ManualTimer(run, this.#now + Math.max(1, msecs));
    const behind = this.#timers.findIndex((each) => each.dueAt > timer.dueAt);
    this.#timers.splice(behind === -1 ? this.#timers.length : behind, 0, timer);
    return timer;
  }

  /** For the client. */
  clearTimer(timer: ClockTimer): void {
    const at = this.#timers.indexOf(timer as ManualTimer);
    if (at === -1) return;
    this.#timers.splice(at, 1);
    timer.unref();
  }
}
