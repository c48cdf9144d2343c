/**
 * Durations of one pool that are noted one after another, and counted when there are some: a request of one of many origins
 * finds their distributions outside of the caches, each in several places, and these notes in one.
 * Invariant: who asks a tally for a distribution is told of all that was noted for it.
 */
import type { Msecs } from "./clock.ts";

/** So many are noted before they are counted: those of some eight requests. */
const mostNoted = 24;
/** For each note two numbers: where it belongs, and how long it was. An array of doubles, of its final length. */
const blank = Array.from({ length: 2 * mostNoted }, () => 0.5);
/** Distributions of one tally. */
const kindsEach = 4;

/** Counts durations of up to four kinds, from 0 on. */
export interface NotedTally {
  count(kind: number, msecs: Msecs): void;
}

/** What is noted of one pool and its lanes. */
export class Notes {
  #notes: number[] | null = null;
  #length = 0;
  readonly #tallies: (NotedTally | null)[] = [];

  /** Returns the first of the places at which durations for `tally` are noted, one for each kind, until it leaves. */
  enter(tally: NotedTally): number {
    const free = this.#tallies.indexOf(null);
    const index = free === -1 ? this.#tallies.length : free;
    this.#tallies[index] = tally;
    return kindsEach * index;
  }

  /** The tally whose first place is `place` is noted for no more. */
  leave(place: number): void {
    this.countAll();
    this.#tallies[place / kindsEach] = null;
  }

  note(place: number, msecs: Msecs): void {
    this.#notes ??= blank.slice();
    this.#notes[this.#length] = place;
    this.#notes[this.#length + 1] = msecs;
    this.#length += 2;
    if (this.#length === blank.length) this.countAll();
  }

  /** Has the tallies count what was noted. */
  countAll(): void {
    const notes = this.#notes;
    if (notes === null) return;
    for (let index = 0; index < this.#length; index += 2) {
      const place = notes[index] as number;
      const tally = this.#tallies[Math.floor(place / kindsEach)] as NotedTally;
      tally.count(place % kindsEach, notes[index + 1] as Msecs);
    }
    this.#length = 0;
  }
}
