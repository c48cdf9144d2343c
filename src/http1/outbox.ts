/**
 * Requests of one turn of the event loop, written together at its end. Each write wakes a server that has nothing to do,
 * and that costs about as much as all that is done for a request in JavaScript; one after the other, they find it awake.
 * Invariant: a request waits for the end of its turn at most, and in a program whose turns are long for nothing.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import { afterEndOfTurn, type TurnListener, tellAll } from "./turn.ts";

/** A request that begins so long after the first one has all of them written before the turn ends. */
const gatheringMsecs: Msecs = 1;
/** A turn that went on for longer after its first request: the program computes, and the server could have, too. */
const longMsecs: Msecs = 2;
/** So many long turns in a row show that they are no collection of garbage. */
const longTurns = 2;
/** For how long requests are written at once then. */
const haltMsecs: Msecs = 1_000;

/** The requests of one client that are granted, and not yet written. */
export class Outbox implements TurnListener {
  readonly #clock: Clock;
  #gathered: TurnListener[] = [];
  /** When the first request that is not written was gathered; null while none was in this turn. */
  #since: Msecs | null = null;
  #longTurns = 0;
  #haltedUntil: Msecs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether `listener` will be told, at the end of the turn at the latest. If not, it is to write now. */
  gather(listener: TurnListener, now: Msecs): boolean {
    if (now < this.#haltedUntil) return false;
    this.#gathered.push(listener);
    if (this.#since === null) {
      this.#since = now;
      afterEndOfTurn(this);
    } else if (now - this.#since > gatheringMsecs) {
      this.#since = now;
      // Not within the request that happens to be the last: an error that a program throws is not its own.
      queueMicrotask(() => this.#writeAll());
    }
    return true;
  }

  /** All requests of the turn have been gathered. */
  turnEnded(): void {
    const now = this.#clock();
    this.#longTurns = now - (this.#since ?? now) > longMsecs ? this.#longTurns + 1 : 0;
    if (this.#longTurns >= longTurns) {
      this.#longTurns = 0;
      this.#haltedUntil = now + haltMsecs;
    }
    this.#since = null;
    this.#writeAll();
  }

  #writeAll(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    tellAll(gathered);
  }
}
