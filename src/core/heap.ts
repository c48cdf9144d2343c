/**
 * A binary heap whose items know their place, so that any of them can be moved or taken out in O(log n).
 */

/** What a heap can hold: the least `rank` is on top. An item is in at most one heap. */
export interface Ranked {
  rank: number;
  /** Place in the heap, -1 while it is in none. */
  heapIndex: number;
}

/** Min-heap by `rank`. */
export class Heap<T extends Ranked> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  get top(): T | null {
    return this.#items[0] ?? null;
  }

  /** All items, the top one first, the others in no order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Puts `item` in with `rank`, or moves it there. */
  place(item: T, rank: number): void {
    item.rank = rank;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#up(item);
    this.#down(item);
  }

  /** Takes `item` out; nothing happens when it is in no heap. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (index === -1) return;
    const last = this.#items.pop() as T;
    item.heapIndex = -1;
    if (last === item) return;
    this.#put(last, index);
    this.#up(last);
    this.#down(last);
  }

  #up(item: T): void {
    while (item.heapIndex > 0) {
      const index = item.heapIndex;
      const parent = this.#items[(index - 1) >> 1] as T;
      if (parent.rank <= item.rank) return;
      this.#put(parent, index);
      this.#put(item, (index - 1) >> 1);
    }
  }

  #down(item: T): void {
    for (;;) {
      const index = item.heapIndex;
      const left = this.#items[2 * index + 1];
      const right = this.#items[2 * index + 2];
      const least =
        right !== undefined && left !== undefined && right.rank < left.rank ? right : left;
      if (least === undefined || least.rank >= item.rank) return;
      const below = least.heapIndex;
      this.#put(least, index);
      this.#put(item, below);
    }
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }
}
