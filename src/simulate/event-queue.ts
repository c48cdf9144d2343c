/**
 * What will happen in the virtual world, by time; of what happens at the same instant, what was put in first comes
 * first. A binary heap in parallel arrays: nothing is allocated for an event.
 */
import type { Msecs } from "../core/clock.ts";

/** Events: an item each, with a code that says what happens to it. */
export class EventQueue<T> {
  /** When the next event happens; `Infinity` when there is none. */
  nextAt: Msecs = Number.POSITIVE_INFINITY;
  size = 0;
  /** The code of the event that `pop` returned the item of. */
  code = 0;
  #at = new Float64Array(256);
  #orders = new Float64Array(256);
  #codes = new Uint8Array(256);
  readonly #items: (T | null)[] = [];
  #order = 0;

  /** `item` has an event at `at`. */
  push(at: Msecs, code: number, item: T): void {
    if (this.size === this.#at.length) this.#grow();
    const times = this.#at;
    const order = this.#order++;
    let index = this.size++;
    if (index === this.#items.length) this.#items.push(null);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((times[parent] as number) <= at) break; // also at the same instant: it was there before
      this.#move(parent, index);
      index = parent;
    }
    times[index] = at;
    this.#orders[index] = order;
    this.#codes[index] = code;
    this.#items[index] = item;
    this.nextAt = times[0] as number;
  }

  /** Takes the next event out. There must be one. */
  pop(): T {
    const item = this.#items[0] as T;
    this.code = this.#codes[0] as number;
    const size = --this.size;
    const times = this.#at;
    const orders = this.#orders;
    const at = times[size] as number;
    const order = orders[size] as number;
    const code = this.#codes[size] as number;
    const last = this.#items[size] as T;
    this.#items[size] = null;
    if (size === 0) {
      this.nextAt = Number.POSITIVE_INFINITY;
      return item;
    }
    let index = 0;
    for (let child = 1; child < size; child = 2 * index + 1) {
      if (
        child + 1 < size &&
        this.#isBefore(child + 1, times[child] as number, orders[child] as number)
      ) {
        child++;
      }
      if (!this.#isBefore(child, at, order)) break;
      this.#move(child, index);
      index = child;
    }
    times[index] = at;
    orders[index] = order;
    this.#codes[index] = code;
    this.#items[index] = last;
    this.nextAt = times[0] as number;
    return item;
  }

  #isBefore(index: number, at: Msecs, order: number): boolean {
    const own = this.#at[index] as number;
    return own < at || (own === at && (this.#orders[index] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#at[to] = this.#at[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    this.#codes[to] = this.#codes[from] as number;
    this.#items[to] = this.#items[from] as T | null;
  }

  #grow(): void {
    const at = new Float64Array(2 * this.#at.length);
    const orders = new Float64Array(at.length);
    const codes = new Uint8Array(at.length);
    at.set(this.#at);
    orders.set(this.#orders);
    codes.set(this.#codes);
    [this.#at, this.#orders, this.#codes] = [at, orders, codes];
  }
}
