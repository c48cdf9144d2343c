/**
 * The exchanges of a dispatcher that are under way, in a list through themselves. A `Set` that thousands go through a second
 * makes itself anew again and again, and V8 keeps what its former tables hold until a full collection: a seventh of all
 * memory that requests took outlived them.
 */

/** What can be in such a list. `UnderWay` owns the fields. */
export interface Linked<E> {
  previous: E | null;
  next: E | null;
}

/** Exchanges in the order in which they came. */
export class UnderWay<E extends Linked<E>> {
  #first: E | null = null;
  #last: E | null = null;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  /** All of them, as they are now. */
  get all(): E[] {
    const all: E[] = [];
    for (let each = this.#first; each !== null; each = each.next) all.push(each);
    return all;
  }

  add(item: E): void {
    item.previous = this.#last;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
  }

  /** Takes `item` out, which is in it. */
  remove(item: E): void {
    const { previous, next } = item;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    item.previous = item.next = null;
  }
}
