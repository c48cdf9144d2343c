/**
 * A limit on open sockets. Budgets nest (origin → client): a dial takes one permit from every budget on
 * its way up or none at all, and a closed connection gives all of them back.
 * Invariant: `open` never exceeds what the limit was when the permit was taken.
 */
import type { Connection } from "./connection.ts";
import type { Dialing } from "./dialing.ts";
import { Heap } from "./heap.ts";
import type { PendingRequest } from "./pending.ts";

/** A connection's place in one idle list. */
export interface IdleLink<R extends PendingRequest, T> {
  readonly connection: Connection<R, T>;
  longer: IdleLink<R, T> | null;
  shorter: IdleLink<R, T> | null;
}

/** Idle connections in the order in which they became idle. */
export class IdleList<R extends PendingRequest, T> {
  count = 0;
  #longest: IdleLink<R, T> | null = null;
  #shortest: IdleLink<R, T> | null = null;

  /** The connection that has been idle for the longest time. */
  get longest(): Connection<R, T> | null {
    return this.#longest === null ? null : this.#longest.connection;
  }

  /** The connection that became idle last. */
  get shortest(): Connection<R, T> | null {
    return this.#shortest === null ? null : this.#shortest.connection;
  }

  push(link: IdleLink<R, T>): void {
    link.longer = this.#shortest;
    if (this.#shortest === null) this.#longest = link;
    else this.#shortest.shorter = link;
    this.#shortest = link;
    this.count++;
  }

  remove(link: IdleLink<R, T>): void {
    if (link.longer === null) this.#longest = link.shorter;
    else link.longer.shorter = link.shorter;
    if (link.shorter === null) this.#shortest = link.longer;
    else link.shorter.longer = link.longer;
    link.longer = link.shorter = null;
    this.count--;
  }
}

/** One level of limits. */
export class Budget<R extends PendingRequest, T> {
  /** The option that sets the limit, for messages. */
  readonly name: "maxSockets" | "maxTotalSockets";
  /** Sockets that may be open; `Infinity` means any number. */
  limit: number;
  /** Sockets that are open: dialing, idle, busy and draining ones. */
  open = 0;
  readonly parent: Budget<R, T> | null;
  readonly idle = new IdleList<R, T>();
  /** Pools that want to dial and were refused here, by how long their request has waited. */
  readonly waiting = new Heap<Dialing<R, T>>();

  constructor(name: "maxSockets" | "maxTotalSockets", limit: number, parent: Budget<R, T> | null) {
    this.name = name;
    this.limit = limit;
    this.parent = parent;
  }

  get isFull(): boolean {
    return this.open >= this.limit;
  }

  /** The nearest budget, from here upwards, that has no permit left; null when a dial is allowed. */
  firstFull(): Budget<R, T> | null {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (each.isFull) return each;
    }
    return null;
  }

  /** True when here or above more is open than the limit, which was lowered meanwhile. */
  isExceeded(): boolean {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (each.open > each.limit) return true;
    }
    return false;
  }

  /** The pool whose next dial has been waited for longest. Ranks are put right here, when they are needed. */
  firstWaiting(): Dialing<R, T> | null {
    for (let first = this.waiting.top; first !== null; first = this.waiting.top) {
      const sequence = first.nextSequence;
      if (sequence === first.rank) return first;
      if (sequence === null) this.waiting.remove(first);
      else this.waiting.place(first, sequence);
    }
    return null;
  }

  /** Takes a permit here and above. The caller has seen `firstFull()` return null. */
  take(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) each.open++;
  }

  /** Gives a permit back, here and above. */
  give(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) each.open--;
  }

  /** The links that a connection under this budget needs, from here upwards. */
  links(connection: Connection<R, T>): IdleLink<R, T>[] {
    const links: IdleLink<R, T>[] = [];
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      links.push({ connection, longer: null, shorter: null });
    }
    return links;
  }

  addIdle(links: readonly IdleLink<R, T>[]): void {
    let level = 0;
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.idle.push(links[level++] as IdleLink<R, T>);
    }
  }

  removeIdle(links: readonly IdleLink<R, T>[]): void {
    let level = 0;
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.idle.remove(links[level++] as IdleLink<R, T>);
    }
  }
}
