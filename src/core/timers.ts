/**
 * All deadlines of a client in one hierarchical timing wheel: setting and clearing are O(1) and
 * allocate nothing, because almost every deadline is cleared before it ends.
 * Invariant: a deadline expires at the first `advance` with `now >= at`, never before.
 *
 * Six levels of 64 slots; a slot of level L covers 64^L ms. What lies far away is put in a coarse slot
 * and moves to finer ones as its time comes (Varghese and Lauck, 1987).
 */
import type { Msecs } from "./clock.ts";

const slotCount = 64;
const unitOf = [1, 64, 64 ** 2, 64 ** 3, 64 ** 4, 64 ** 5] as const;
/** The wheel's reach, about two years; a later deadline is looked at again then. */
const reach = 64 ** 6 - 64 ** 5;

/** Something with at most one instant at which it expires. Extend it; `Timers` owns its fields. */
export abstract class Deadline {
  /** When it expires; meaningful only while `slot` is not -1. */
  declare at: Msecs;
  /** Index of the slot that holds it, -1 while it is not set. */
  declare slot: number;
  declare sooner: Deadline | null;
  declare later: Deadline | null;

  /**
   * Assigned and not initialized where they are declared: where more than four classes that extend this one are in use, V8 (of
   * Node 20) takes 0.6 µs to define such fields, for each request and connection, and 0.1 µs to assign them.
   */
  constructor() {
    this.at = 0;
    this.slot = -1;
    this.sooner = this.later = null;
  }

  /** Called once when the time has come; the deadline is no longer set then. */
  abstract expire(now: Msecs): void;
}

/** The deadline of what needs one now and then: one class for all of these, and nothing of it in those that need none. */
export class Reminder extends Deadline {
  readonly #remind: (now: Msecs) => void;

  constructor(remind: (now: Msecs) => void) {
    super();
    this.#remind = remind;
  }

  override expire(now: Msecs): void {
    this.#remind(now);
  }
}

/** The wheel. `wake` is called whenever `advance` is needed earlier than was said before. */
export class Timers {
  /** No deadline expires before this instant: when `advance` is needed next. `Infinity` when nothing is set. */
  nextAt: Msecs = Number.POSITIVE_INFINITY;
  /** Deadlines that are set. */
  count = 0;
  #tick = 0;
  #isAdvancing = false;
  readonly #slots: (Deadline | null)[] = new Array<Deadline | null>(slotCount * unitOf.length).fill(
    null,
  );
  /** For each level two words of 32 slots: a bit is set when something was put in its slot, and taken back when the slot is found empty. */
  readonly #used = new Int32Array(2 * unitOf.length);
  readonly #wake: (at: Msecs) => void;

  constructor(wake: (at: Msecs) => void) {
    this.#wake = wake;
  }

  /** Sets `deadline` to expire at `at`, in place of an earlier setting. `Infinity` clears it. */
  set(deadline: Deadline, at: Msecs, now: Msecs): void {
    if (deadline.slot !== -1) this.clear(deadline);
    if (at === Number.POSITIVE_INFINITY) return;
    // An empty wheel has no slot to pass, so it may jump to the present: but not while one is being emptied.
    if (this.count === 0 && !this.#isAdvancing) this.#tick = Math.max(this.#tick, Math.floor(now));
    deadline.at = at;
    this.count++;
    // A deadline that has passed already expires with the next tick, not inside this call.
    const startsAt = this.#insert(deadline, Math.max(Math.ceil(at), this.#tick + 1));
    if (startsAt < this.nextAt) {
      this.nextAt = startsAt;
      this.#wake(startsAt);
    }
  }

  /** Clears `deadline`; nothing happens when it is not set. */
  clear(deadline: Deadline): void {
    if (deadline.slot === -1) return;
    if (deadline.sooner === null) this.#slots[deadline.slot] = deadline.later;
    else deadline.sooner.later = deadline.later;
    if (deadline.later !== null) deadline.later.sooner = deadline.sooner;
    deadline.sooner = deadline.later = null;
    deadline.slot = -1;
    this.count--;
  }

  /** Expires what is due at `now`, in order of time (to the millisecond). */
  advance(now: Msecs): void {
    this.#isAdvancing = true;
    try {
      this.#expireUntil(Math.floor(now), now);
    } finally {
      this.#isAdvancing = false;
      // Also when something threw: the others must still be woken.
      this.nextAt = this.#nextTick();
      if (this.nextAt !== Number.POSITIVE_INFINITY) this.#wake(this.nextAt);
    }
  }

  #expireUntil(target: number, now: Msecs): void {
    for (let next = this.#nextTick(); next <= target; next = this.#nextTick()) {
      this.#tick = next;
      for (let level = unitOf.length - 1; level > 0; level--) this.#cascade(level);
      const slot = next % slotCount;
      for (let due = this.#slots[slot]; due != null; due = this.#slots[slot]) {
        this.clear(due);
        due.expire(now);
      }
    }
    this.#tick = Math.max(this.#tick, target);
  }

  /** Returns the instant at which the slot that it chose needs a look. */
  #insert(deadline: Deadline, tick: number): number {
    const due = Math.min(tick, this.#tick + reach);
    let level = 0;
    while (level < unitOf.length - 1 && due - this.#tick >= unit(level + 1)) level++;
    const turn = Math.floor(due / unit(level));
    const slot = level * slotCount + (turn % slotCount);
    const first = this.#slots[slot] ?? null;
    deadline.slot = slot;
    deadline.later = first;
    if (first !== null) first.sooner = deadline;
    this.#slots[slot] = deadline;
    const word = slot >>> 5;
    this.#used[word] = (this.#used[word] as number) | (1 << (slot & 31));
    return turn * unit(level);
  }

  /** Moves what the current slot of `level` holds to finer slots, when the tick is at its start. */
  #cascade(level: number): void {
    if (this.#tick % unit(level) !== 0) return;
    const slot = level * slotCount + ((this.#tick / unit(level)) % slotCount);
    let each = this.#slots[slot] ?? null;
    this.#slots[slot] = null;
    while (each !== null) {
      const next = each.later;
      each.sooner = each.later = null;
      this.#insert(each, Math.max(Math.ceil(each.at), this.#tick));
      each = next;
    }
  }

  #nextTick(): number {
    if (this.count === 0) return Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (let level = 0; level < unitOf.length; level++) {
      const turn = Math.floor(this.#tick / unit(level));
      const ahead = this.#slotsAhead(level, turn % slotCount);
      if (ahead > 0) next = Math.min(next, (turn + ahead) * unit(level));
    }
    return next;
  }

  /** How many slots behind `slot` of `level` the next one comes that holds something, going round: 1 to 64; 0 when none does. */
  #slotsAhead(level: number, slot: number): number {
    const start = (slot + 1) % slotCount;
    // Of the word of `start` what comes from there on, then the other word, then the rest, which is all that is left.
    for (let part = 0; part < 3; part++) {
      const half = ((start >>> 5) + part) & 1;
      const word = 2 * level + half;
      let bits = this.#used[word] as number;
      if (part === 0) bits &= -1 << (start & 31);
      while (bits !== 0) {
        const lowest = bits & -bits;
        const found = 32 * half + 31 - Math.clz32(lowest);
        if (this.#slots[level * slotCount + found] !== null) {
          return ((found - start + slotCount) % slotCount) + 1;
        }
        this.#used[word] = (this.#used[word] as number) & ~lowest;
        bits &= ~lowest;
      }
    }
    return 0;
  }
}

function unit(level: number): number {
  return unitOf[level] as number;
}
