/**
 * A limit on open sockets. Budgets nest (origin → service → client): a dial takes one permit from every
 * budget on its way up or none at all, and a closed connection gives all of them back.
 * Invariant: `open` never exceeds what the limit was when the permit was taken.
 */
import type { Connection } from "./connection.ts";
import { IdleList, idleSince } from "./idle-list.ts";
import type { Line } from "./line.ts";
import type { Marks } from "./marks.ts";
import type { PendingRequest } from "./pending.ts";

/**
 * One level of limits. As a list, the idle connections of an origin; above, only where there is a limit to make room under: see
 * `listsIdle`.
 */
export class Budget<R extends PendingRequest, T> extends IdleList<R, T> {
  /** What sets the limit, for messages: the option, and of whom. */
  readonly name: string;
  /** Sockets that are open: dialing, idle, busy and draining ones. */
  open = 0;
  /** The most that were open at once. */
  mostOpen = 0;
  /** Of `open`: those that are being dialed. */
  dialing = 0;
  /** Requests that wait. */
  pending = 0;
  /** For those who read marks; null while nobody does. Where it is null, it is null above, too. */
  marks: Marks | null = null;
  /** Sockets reserved for lanes under this budget. */
  reserved = 0;
  /** Sockets that are claimed, or reserved for lanes that have not claimed them: see `PoolLane`. */
  committed = 0;
  /** The next wider budget. Changed by `moveTo` alone. */
  parent: Budget<R, T> | null;
  /** Of `open`: those that are idle. */
  idleCount = 0;
  /** Above origins: the list is kept. In a list of many origins each connection stands between those of others, which have left the caches. */
  listsIdle: boolean;
  /** Who waits for a place here; null where one pool has all of it. */
  line: Line<R, T> | null = null;
  /** More is open than the limit. Looked at with each request; the limit itself is a double, which V8 keeps elsewhere. */
  #isOver = false;
  #limit: number;

  constructor(name: string, limit: number, parent: Budget<R, T> | null) {
    super();
    this.name = name;
    this.#limit = limit;
    this.parent = parent;
    this.listsIdle = limit !== Number.POSITIVE_INFINITY;
  }

  /** Sockets that may be open; `Infinity` means any number. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#compare();
  }

  /** Sockets that carry a request: busy and draining ones. */
  get busy(): number {
    return this.open - this.idleCount - this.dialing;
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
      if (each.#isOver) return true;
    }
    return false;
  }

  /** Takes a permit here and above. The caller has seen `firstFull()` return null. */
  take(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (++each.open > each.mostOpen) each.mostOpen = each.open;
      each.#compare();
    }
  }

  /** Gives a permit back, here and above. */
  give(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.open--;
      each.#compare();
    }
  }

  /** So many more are being dialed, here and above. */
  addDialing(count: number): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.dialing += count;
    }
  }

  /** So many more requests wait, here and above. */
  addPending(count: number): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.pending += count;
    }
  }

  /** Marks what is so now, here and above. */
  note(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.marks?.note(each.open, each.idleCount, each.busy, each.pending);
    }
  }

  /** Counts under another budget from now on, with the idle ones of `connections`. The limits there may be exceeded then. */
  moveTo(parent: Budget<R, T>, connections: Iterable<Connection<R, T>>): void {
    const idle = [...connections].filter((each) => each.state.kind === "idle");
    for (const each of idle) this.removeIdle(each);
    for (let each = this.parent; each !== null; each = each.parent) {
      each.open -= this.open;
      each.#compare();
      each.dialing -= this.dialing;
      each.pending -= this.pending;
    }
    this.parent = parent;
    for (let each: Budget<R, T> | null = parent; each !== null; each = each.parent) {
      each.open += this.open;
      each.#compare();
      each.dialing += this.dialing;
      each.pending += this.pending;
      each.mostOpen = Math.max(each.mostOpen, each.open);
    }
    for (const connection of idle) {
      this.idleCount++;
      this.insert(connection);
      let level = 0;
      for (let each: Budget<R, T> | null = parent; each !== null; each = each.parent) {
        each.idleCount++;
        if (each.listsIdle) each.insert(connection.linkAbove(level));
        level++;
      }
    }
  }

  /** Above origins, after `limit` was changed: idle connections are listed where there is one. `all`: those that it may have. */
  relist(all: () => readonly Connection<R, T>[]): void {
    const listsIdle = this.limit !== Number.POSITIVE_INFINITY;
    if (this.listsIdle === listsIdle) return;
    this.listsIdle = listsIdle;
    const level = this.parent === null ? 1 : 0;
    const idle = all().filter(({ state, pool }) => {
      const { parent } = pool.budget;
      return state.kind === "idle" && (parent === this || parent?.parent === this);
    });
    for (const connection of idle.sort((one, other) => idleSince(one) - idleSince(other))) {
      if (listsIdle) this.push(connection.linkAbove(level));
      else this.remove(connection.linkAbove(level));
    }
  }

  /** `connection` is idle from now on. */
  addIdle(connection: Connection<R, T>): void {
    this.idleCount++;
    this.push(connection);
    let level = 0;
    for (let each = this.parent; each !== null; each = each.parent) {
      each.idleCount++;
      if (each.listsIdle) each.push(connection.linkAbove(level));
      level++;
    }
  }

  /** `connection` is idle no more. */
  removeIdle(connection: Connection<R, T>): void {
    this.idleCount--;
    this.remove(connection);
    let level = 0;
    for (let each = this.parent; each !== null; each = each.parent) {
      each.idleCount--;
      if (each.listsIdle) each.remove(connection.linkAbove(level));
      level++;
    }
  }

  #compare(): void {
    this.#isOver = this.open > this.#limit;
  }
}
