/**
 * The next arrival, whatever it takes to know it.
 */
import type { Msecs } from "../core/clock.ts";
import { type Arrivals, Batch } from "./arrivals.ts";
import type { Kind } from "./model.ts";

const none: Arrivals = { fill: () => {} };

/** Arrivals one by one. */
export class Feed {
  /** When the next one comes; `Infinity` when there is none, or none is known while `filling`. */
  nextAt: Msecs = Number.POSITIVE_INFINITY;
  /** Until it resolves nothing is known of the next ones; null as a rule. */
  filling: Promise<void> | null = null;
  #arrivals = none;
  readonly #batch = new Batch();
  #index = 0;

  /** Arrivals come from here. */
  from(arrivals: Arrivals): void {
    this.#arrivals = arrivals;
    this.#refill();
  }

  /** Takes the next one, of which there must be one. */
  take(ask: (kind: Kind, serviceMsecs: Msecs, isReplayable: boolean) => void): void {
    const index = this.#index++;
    const { kinds, services, replayable, at, count } = this.#batch;
    ask(kinds[index] as Kind, services[index] as Msecs, replayable[index] === 1);
    if (this.#index < count) this.nextAt = at[this.#index] as Msecs;
    else this.#refill();
  }

  #refill(): void {
    const batch = this.#batch;
    batch.count = this.#index = 0;
    this.nextAt = Number.POSITIVE_INFINITY;
    const filling = this.#arrivals.fill(batch);
    if (filling === undefined) this.#filled();
    else {
      this.filling = filling.then(() => this.#filled());
      // Whoever waits for it is told; until somebody does it is no unhandled rejection.
      this.filling.catch(() => {});
    }
  }

  #filled(): void {
    this.filling = null;
    if (this.#batch.count > 0) this.nextAt = this.#batch.at[0] as Msecs;
  }
}
