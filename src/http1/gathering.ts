/**
 * What is put off to the end of a turn of the event loop, to be done together with all of its kind.
 * Invariant: it waits for the end of its turn at most, and in a program whose turns are long for nothing.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import { type TurnListener, tellAll } from "./turn.ts";

/** What begins so long after the first has all of them told before the turn ends. */
const gatheringMsecs: Msecs = 1;
/** A turn that went on for longer after its first: the program computes, and could have got on with it. */
const longMsecs: Msecs = 2;
/** So many long turns in a row show that they are no collection of garbage. */
const longTurns = 2;
/** For how long nothing is put off then. */
const haltMsecs: Msecs = 1_000;

/** Those of one client that wait for the end of the turn. */
export class Gathering implements TurnListener {
  readonly #clock: Clock;
  readonly #atEnd: (listener: TurnListener) => void;
  #gathered: TurnListener[] = [];
  /** When the first that still waits was gathered; null while none was in this turn. */
  #since: Msecs | null = null;
  #longTurns = 0;
  #haltedUntil: Msecs = Number.NEGATIVE_INFINITY;

  /** `atEnd`: `atEndOfTurn`, or `afterEndOfTurn`. */
  constructor(clock: Clock, atEnd: (listener: TurnListener) => void) {
    this.#clock = clock;
    this.#atEnd = atEnd;
  }

  /** Whether `listener` will be told, at the end of the turn at the latest. If not, it is to go on now. */
  gather(listener: TurnListener, now: Msecs): boolean {
    if (now < this.#haltedUntil) return false;
    this.#gathered.push(listener);
    if (this.#since === null) {
      this.#since = now;
      this.#atEnd(this);
    } else if (now - this.#since > gatheringMsecs) {
      this.#since = now;
      // Not within the request that happens to be the last: an error that a program throws is not its own.
      queueMicrotask(() => this.#tell());
    }
    return true;
  }

  /** All of the turn have been gathered. */
  turnEnded(): void {
    const now = this.#clock();
    this.#longTurns = now - (this.#since ?? now) > longMsecs ? this.#longTurns + 1 : 0;
    if (this.#longTurns >= longTurns) {
      this.#longTurns = 0;
      this.#haltedUntil = now + haltMsecs;
    }
    this.#since = null;
    this.#tell();
  }

  #tell(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    tellAll(gathered);
  }
}
