/**
 * How much of a client is looked at: all of it, or where it has so many requests that to look would cost it too much, samples.
 * Dials, ends of connections and saturation are told in any case.
 */
import type { Msecs } from "../core/clock.ts";
import type { Observing, Watcher } from "../observe/observing.ts";

/** How long a client with many requests is looked at in each tick. */
const sampleMsecs = 50;
/** While requests fail, all are looked at: nobody wants to miss why. */
const troubleMsecs = 10_000;

/** Has one watcher look, and rest. */
export class Sampling {
  readonly #observing: Observing;
  readonly #watcher: Watcher;
  readonly #mostPerSecond: number;
  readonly #stop: () => void;
  #timer: NodeJS.Timeout | null = null;
  #wokeAt: Msecs;
  /** How long it looked since the last tick, where it rests; null where it still looks. */
  #lookedMsecs: Msecs | null = null;
  /** Requests seen since the last tick. */
  #seen = 0;
  /** Failures and resends so far; null before the first tick. */
  #failures: number | null = null;
  #troubleAt = Number.NEGATIVE_INFINITY;

  /** @param mostPerSecond With more requests a second it looks at samples. */
  constructor(observing: Observing, watcher: Watcher, mostPerSecond: number) {
    this.#observing = observing;
    this.#watcher = watcher;
    this.#mostPerSecond = mostPerSecond;
    this.#stop = observing.add(watcher);
    this.#wokeAt = performance.now();
  }

  /** A request was seen. */
  saw(): void {
    this.#seen++;
  }

  /** Looks at all until the next tick, or at a sample. `failures`: all failures and resends of the client so far. */
  tick(failures: number): void {
    const now = performance.now();
    if (failures > (this.#failures ?? failures)) this.#troubleAt = now;
    this.#failures = failures;
    this.#clear();
    const lookedMsecs = this.#lookedMsecs ?? now - this.#wokeAt;
    const perSecond = (this.#seen * 1_000) / Math.max(lookedMsecs, 1);
    this.#seen = 0;
    this.#lookedMsecs = null;
    this.#wokeAt = now;
    this.#observing.wake(this.#watcher);
    if (perSecond < this.#mostPerSecond || now - this.#troubleAt < troubleMsecs) return;
    this.#timer = setTimeout(() => this.#rest(), sampleMsecs);
    this.#timer.unref();
  }

  /** Looks no more. */
  close(): void {
    this.#clear();
    this.#stop();
  }

  #rest(): void {
    this.#lookedMsecs = performance.now() - this.#wokeAt;
    this.#observing.rest(this.#watcher);
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
