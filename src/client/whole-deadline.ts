/**
 * The end of `requestTimeoutMsecs`, which runs beside the timeout of each stage of a request.
 */
import type { Msecs } from "../core/clock.ts";
import { Deadline } from "../core/timers.ts";

/** A request that may take so long as a whole, and no longer. */
interface Bounded {
  wholeExpired(timeoutMsecs: Msecs): void;
}

/** Tells `exchange` when its time is over. */
export class WholeDeadline extends Deadline {
  readonly #exchange: Bounded;
  readonly #timeoutMsecs: Msecs;

  constructor(exchange: Bounded, timeoutMsecs: Msecs) {
    super();
    this.#exchange = exchange;
    this.#timeoutMsecs = timeoutMsecs;
  }

  override expire(): void {
    this.#exchange.wholeExpired(this.#timeoutMsecs);
  }
}
