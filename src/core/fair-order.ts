/**
 * Whose turn it is among lanes that share sockets: each gets its weight's share of the turns, exactly.
 *
 * Every turn is worth 1/weight of a lane's own time, so that lanes which keep in step by their own times are
 * served by their weights. A lane's `start` is its own time before its next turn; the common time is the mean
 * of the starts, weighted by the lanes, and moves by 1/(sum of the weights) with every turn. A lane that has
 * had more than its share is ahead of the common time and stands back; of the others the one goes first whose
 * next turn ends first. (Earliest eligible virtual deadline first: Stoica and Abdel-Wahab, 1995. Without
 * standing back, which is stride scheduling, a heavy lane beside n light ones gets up to n/2 turns in a row
 * that are not due yet.)
 *
 * Invariant: while the same lanes wait, each has had its share of the turns since they came together, to less
 * than one turn. Who comes back after a pause begins at the common time: what it left unused is lent for good,
 * and what it had too much before it left still counts, for one turn at most.
 */

/** Who waits for a turn. `FairOrder` owns `start` and `round`; an entrant is in one order only. */
export interface Entrant {
  /** Its share, in proportion to the other weights: a whole number of at least 1. */
  readonly weight: number;
  /** Among equals the lowest goes first: when its request came. */
  readonly sequence: number;
  /** Its own time, before its next turn. */
  start: number;
  /** The last turn that it waited for. */
  round: number;
}

/** Equal times differ by rounding only up to this part of them; what differs by less is taken as equal. */
const tolerance = 1e-12;

/** The turns of one budget. */
export class FairOrder<E extends Entrant> {
  /** The common time when nobody waits. */
  #time = 0;
  #round = 1;

  /** The one that is due among those who wait now; null when nobody does. Nothing has changed then but for who takes part. */
  due(entrants: readonly E[]): E | null {
    if (entrants.length < 2) return entrants[0] ?? null;
    const time = this.#meet(entrants);
    const slack = tolerance * Math.max(time, 1);
    let due: E | null = null;
    let dueEnd = 0;
    for (const each of entrants) {
      if (each.start > time + slack) continue;
      const end = each.start + 1 / each.weight;
      const isSooner = due === null || end < dueEnd - slack;
      if (!isSooner && (end > dueEnd + slack || each.sequence > (due as E).sequence)) continue;
      due = each;
      dueEnd = end;
    }
    return due;
  }

  /** `served`, one of those who wait, takes the turn, due or not. */
  took(served: E, entrants: readonly E[]): void {
    const time = this.#meet(entrants);
    this.#round++;
    let weights = 0;
    for (const each of entrants) {
      each.round = this.#round;
      weights += each.weight;
    }
    served.start += 1 / served.weight;
    this.#time = time + 1 / weights;
  }

  /** Lets those take part who did not wait for the last turn. Returns the common time. */
  #meet(entrants: readonly E[]): number {
    let weights = 0;
    let sum = 0;
    for (const each of entrants) {
      if (each.round !== this.#round) continue;
      weights += each.weight;
      sum += each.weight * each.start;
    }
    const time = weights === 0 ? this.#time : sum / weights;
    for (const each of entrants) {
      if (each.round === this.#round) continue;
      each.round = this.#round;
      // Nobody is ahead by more than a turn; the common time may have gone back since, with those who left.
      each.start = Math.min(Math.max(each.start, time), time + 1 / each.weight);
      weights += each.weight;
      sum += each.weight * each.start;
    }
    return weights === 0 ? time : sum / weights;
  }
}
