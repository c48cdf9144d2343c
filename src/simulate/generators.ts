/**
 * Requests that are drawn: at random with a steady rate, in bursts, or with a rate that goes up and down.
 * Invariant: what a generator draws depends on its seed and its own options alone, never on the client's settings.
 */
import type { Msecs, Random } from "../core/clock.ts";
import { ln, sineOfTurns } from "./arithmetic.ts";
import type { Arrivals, Batch } from "./arrivals.ts";
import type { Sampler } from "./distribution.ts";
import type { Kind } from "./model.ts";

/** What all generators have. */
export interface Stream {
  /** One of these, each as likely as the other. At least one. */
  readonly kinds: readonly Kind[];
  /** Null: as the server of each kind has it. */
  readonly service: Sampler | null;
  readonly replayableShare: number;
  /** Draws of this stream alone. */
  readonly random: Random;
  readonly startAt: Msecs;
  /** No request comes at or after this instant. */
  readonly endAt: Msecs;
  /** Requests in all, at most. */
  readonly requests: number;
}

/** Draws instants, one after the other. */
export type Instants = (random: Random) => Msecs;

/** The requests of one stream, at the instants that `next` draws. */
export class Generated implements Arrivals {
  readonly #stream: Stream;
  readonly #next: Instants;
  #left: number;

  constructor(stream: Stream, next: Instants) {
    this.#stream = stream;
    this.#next = next;
    this.#left = stream.requests;
  }

  fill(batch: Batch): void {
    const { random, kinds, service, replayableShare, endAt } = this.#stream;
    const [only] = kinds;
    while (this.#left > 0 && !batch.isFull) {
      const at = this.#next(random);
      if (at >= endAt) {
        this.#left = 0;
        return;
      }
      this.#left--;
      const kind = (kinds.length === 1 ? only : kinds[Math.floor(random() * kinds.length)]) as Kind;
      const isReplayable = replayableShare === 1 || random() < replayableShare;
      batch.add(at, kind, (service ?? kind.model.around.service)(random), isReplayable);
    }
  }
}

/** Requests that know nothing of each other, so many a ms on average. */
export function poissonInstants(startAt: Msecs, perMsec: number): Instants {
  let at = startAt;
  return (random) => {
    at -= ln(1 - random()) / perMsec;
    return at;
  };
}

/** `size` requests at random instants of `spreadMsecs`, every so often; a burst begins when the one before is over. */
export function burstInstants(
  startAt: Msecs,
  size: number,
  spreadMsecs: Msecs,
  every: Sampler,
): Instants {
  const offsets = new Float64Array(size);
  let beginAt = startAt;
  let index = size;
  let hasBegun = false;
  return (random) => {
    if (index === size) {
      if (hasBegun) beginAt += Math.max(every(random), spreadMsecs);
      hasBegun = true;
      index = 0;
      for (let each = 0; each < size; each++) offsets[each] = random() * spreadMsecs;
      offsets.sort();
    }
    return beginAt + (offsets[index++] as Msecs);
  };
}

/** As Poisson arrivals, whose rate goes once up and down in each period: from 1 - `swing` to 1 + `swing` times the mean; it begins at the bottom. */
export function diurnalInstants(
  startAt: Msecs,
  perMsec: number,
  swing: number,
  periodMsecs: Msecs,
): Instants {
  const most = perMsec * (1 + swing);
  let at = startAt;
  return (random) => {
    // Of arrivals at the highest rate those are left out that are too many (Lewis and Shedler, 1979).
    for (;;) {
      at -= ln(1 - random()) / most;
      const rate = perMsec * (1 + swing * sineOfTurns((at - startAt) / periodMsecs - 0.25));
      if (random() * most < rate) return at;
    }
  };
}
